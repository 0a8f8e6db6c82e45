"""Blocks of CSV text as arrays of the places of their cells, without a Python object per cell.

Only a plain block is read in this way: every row has the header's number of fields, and quotes are around whole cells
that contain neither a separator nor a quote. `csv` reads the others.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.arrays import Bools, Bytes, Float64Array, Int64Array

PADDING = 0xFF
"""A byte that is in no UTF-8 text."""

_COMMA, _LINE_END, _RETURN, _QUOTE, _POINT, _MINUS, _ZERO = b',\n\r".-0'
_MAX_PLACES = 19
"""Characters of the longest number that is read in 64 bits; a longer one is left to `float`."""

MAX_WIDTH = 1_000
"""Bytes of the longest cell in `Cells.padded`."""

_POWERS_OF_TEN = np.array([float(f"1e{exponent}") for exponent in range(_MAX_PLACES)])


class Cells(Sequence[str]):
    """The cells of one column of a block.

    Args:
        data: the block in UTF-8, and `MAX_WIDTH` further bytes.
        starts: place of each cell's first byte, shape ``(n_rows,)``.
        ends: place after its last byte, the same shape.
    """

    def __init__(self, data: bytes, starts: Int64Array, ends: Int64Array) -> None:
        self._data, self._starts, self._ends = data, starts, ends
        self._lengths = ends - starts
        self.widest = int(self._lengths.max())

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        return self._data[self._starts[row] : self._ends[row]].decode()

    def __iter__(self) -> Iterator[str]:
        data = self._data
        return (data[a:b].decode() for a, b in zip(self._starts.tolist(), self._ends.tolist(), strict=True))

    def initials(self) -> Bytes:
        """Return the first byte of each cell, a separator or a quote for an empty one."""
        return np.frombuffer(self._data, np.uint8)[self._starts]

    def padded(self) -> Bytes:
        """Return the cells as rows of bytes that end in `PADDING`, shape ``(n_rows, widest)``, at most `MAX_WIDTH`."""
        matrix = self._windows(self.widest)
        np.putmask(matrix, np.arange(self.widest) >= self._lengths[:, None], PADDING)
        return matrix

    def decimals(self) -> tuple[Float64Array, Bools]:
        """Return the cells that are digits with at most one point, and a minus before them, as numbers.

        The digits are an integer of at most 53 bits and the power of ten is at most 22, so both are exact and their
        quotient is rounded once, as by `float` (Clinger, "How to read floating point numbers accurately", 1990).

        Returns:
            The numbers, NaN for another cell, and which cells were read, shape ``(n_rows,)`` both.
        """
        lengths = np.minimum(self._lengths, _MAX_PLACES + 1).astype(np.int8)
        digits = np.zeros(len(self), np.int64)
        n_digits, point = np.zeros(len(self), np.int8), np.full(len(self), -1, np.int8)
        for place, character in enumerate(self._windows(min(self.widest, _MAX_PLACES)).T):
            is_inside = lengths > place
            digit = character - np.uint8(_ZERO)
            is_digit = (digit < 10) & is_inside
            digits = np.where(is_digit, digits * 10 + digit, digits)
            n_digits += is_digit.view(np.int8)
            point[(character == _POINT) & is_inside] = place
        has_point = point >= 0
        is_negative = (self.initials() == _MINUS) & (lengths > 0)
        is_read = (n_digits > 0) & (n_digits + has_point + is_negative == lengths)
        is_read &= (digits >= 0) & (digits <= 1 << 53) & (lengths <= _MAX_PLACES)
        n_decimals = np.where(has_point & is_read, lengths - 1 - point, 0)
        numbers = np.where(is_negative, -1.0, 1.0) * digits / _POWERS_OF_TEN[n_decimals]
        return np.where(is_read, numbers, np.nan), is_read

    def _windows(self, width: int) -> Bytes:
        """Return the bytes from the start of each cell on, shape ``(n_rows, width)``."""
        n_places = len(self._data) - MAX_WIDTH
        windows = np.ndarray((n_places, width), np.uint8, self._data, strides=(1, 1))
        return windows[self._starts]


@dataclass(frozen=True)
class Grid:
    """The rows of a plain block.

    Attributes:
        data: the block in UTF-8, and `MAX_WIDTH` further bytes.
        starts: place of each cell's first byte, shape ``(n_rows, n_fields)``.
        ends: place after its last byte, the same shape.
    """

    data: bytes
    starts: Int64Array
    ends: Int64Array

    def __len__(self) -> int:
        return len(self.starts)

    def column(self, position: int) -> Cells:
        """Return the cells of a column."""
        return Cells(self.data, self.starts[:, position], self.ends[:, position])


def grid_of(data: bytes, n_fields: int, *, max_line_bytes: int) -> Grid | None:
    """Return the cells of some lines; None if the lines are not a plain block.

    Args:
        data: whole lines, and `MAX_WIDTH` further bytes of 0.
        n_fields: fields per row.
        max_line_bytes: length of the longest line.
    """
    text = np.frombuffer(data, np.uint8, len(data) - MAX_WIDTH)
    is_line_end = text == _LINE_END
    separators = np.flatnonzero((text == _COMMA) | is_line_end)
    if separators.size % n_fields or not separators.size:
        return None
    ends = separators.reshape(-1, n_fields)
    starts = np.zeros_like(ends)
    np.add(separators[:-1], 1, out=starts.reshape(-1)[1:])
    is_plain = (
        ends[-1, -1] == text.size - 1
        and bool((text[ends[:, -1]] == _LINE_END).all())
        and np.count_nonzero(is_line_end) == len(ends)
        and int((ends[:, -1] - starts[:, 0]).max()) <= min(max_line_bytes, csv.field_size_limit())
        and _without_returns(data, text, ends)
        and not (n_fields == 1 and (starts == ends).any())  # `csv` skips blank lines
        and _without_quotes(data, text, starts, ends)
        and _is_utf8(data)
    )
    return Grid(data, starts, ends) if is_plain else None


def _without_returns(data: bytes, text: Bytes, ends: NDArray[Any]) -> bool:
    """Leave the CR at the end of lines out of their last cells; return whether no other CR is there."""
    if b"\r" not in data:
        return True
    ends_in_return = text[ends[:, -1] - 1] == _RETURN
    ends[:, -1] -= ends_in_return
    return int(np.count_nonzero(ends_in_return)) == data.count(b"\r")


def _without_quotes(data: bytes, text: Bytes, starts: NDArray[Any], ends: NDArray[Any]) -> bool:
    """Leave the quotes around cells out of them; return whether no other quote is there."""
    if b'"' not in data:
        return True
    is_quoted = (text[starts] == _QUOTE) & (text[ends - 1] == _QUOTE) & (ends - starts >= 2)
    np.add(starts, is_quoted, out=starts)
    np.subtract(ends, is_quoted, out=ends)
    return 2 * int(np.count_nonzero(is_quoted)) == data.count(b'"')


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False
