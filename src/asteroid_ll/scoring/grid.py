"""Blocks of CSV text as arrays of the places of their cells, without a Python object per cell.

Only a plain block is read in this way: every row has the header's number of fields, and quotes are around whole cells
that contain neither a separator nor a quote. `csv` reads the others.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.arrays import Bools, Bytes, Float64Array, Int64Array
from asteroid_ll.scoring.digits import read_decimals

PADDING = 0xFF
"""A byte that is in no UTF-8 text."""

_COMMA, _LINE_END, _RETURN, _QUOTE = b',\n\r"'

MAX_WIDTH = 1_000
"""Bytes of the longest cell in `Cells.padded`."""


class Cells(Sequence[str]):
    """The cells of one column of a block.

    Args:
        data: the block in UTF-8, and `MAX_WIDTH` further bytes.
        starts: place of each cell's first byte, shape ``(n_rows,)``.
        ends: place after its last byte, the same shape.
    """

    def __init__(self, data: bytearray, starts: Int64Array, ends: Int64Array) -> None:
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

    @cached_property
    def initials(self) -> Bytes:
        """The first byte of each cell, a separator or a quote for an empty one, shape ``(n_rows,)``."""
        return np.frombuffer(self._data, np.uint8)[self._starts]

    def padded(self) -> Bytes:
        """Return the cells as rows of bytes that end in `PADDING`, shape ``(n_rows, widest)``, at most `MAX_WIDTH`."""
        width = max(self.widest, 1)
        is_behind = np.arange(width) >= np.arange(width + 1)[:, np.newaxis]
        padding = np.where(is_behind, np.uint8(PADDING), np.uint8(0)).view(f"V{width}")[:, 0]
        texts = self._windows(f"V{width}")[self._starts].view(np.uint8)
        texts |= padding[self._lengths].view(np.uint8)
        return texts.reshape(-1, width)[:, : self.widest]

    def decimals(self) -> tuple[Float64Array, Bools]:
        """Return the cells that are plain decimal numbers, and which cells were read, see `read_decimals`."""
        if self.widest == 1:
            digits = self.initials - np.uint8(ord("0"))
            is_read = (digits < 10) & (self._lengths == 1)
            return np.where(is_read, digits, np.nan), is_read
        return read_decimals(self._windows("<u8"), self._starts, self._ends)

    def _windows(self, kind: str) -> NDArray[Any]:
        """Return the values of a type, bytes or an integer, that begin at each place of the block; a view of it."""
        return np.ndarray((len(self._data) - MAX_WIDTH,), kind, self._data, strides=(1,))


@dataclass(frozen=True)
class Grid:
    """The rows of a plain block.

    Attributes:
        data: the block in UTF-8, and `MAX_WIDTH` further bytes.
        separators: place of the comma or the line end behind each cell, shape ``(n_rows, n_fields)``.
        has_returns: whether the line end of some rows is CR LF.
        has_quotes: whether some cells are quoted.
    """

    data: bytearray
    separators: Int64Array
    has_returns: bool
    has_quotes: bool

    def __len__(self) -> int:
        return len(self.separators)

    @property
    def n_fields(self) -> int:
        """Number of fields per row."""
        return int(self.separators.shape[1])

    def column(self, position: int) -> Cells:
        """Return the cells of a column, without the quotes around them."""
        starts, ends = self._bounds(position)
        if self.has_quotes:
            is_quoted = self._are_quoted(starts, ends)
            starts += is_quoted
            ends -= is_quoted
        return Cells(self.data, starts, ends)

    def is_plain(self) -> bool:
        """Return whether each CR is at the end of a line, each quote is at an end of a quoted cell, and no line blank.

        The text between two separators is a cell only in such a block.
        """
        if self.has_returns:
            ends_in_return = self._text[self.separators[:, -1] - 1] == _RETURN
            if int(np.count_nonzero(ends_in_return)) != self.data.count(b"\r"):
                return False
        if self.n_fields == 1:
            starts, ends = self._bounds(0)
            if (starts == ends).any():  # `csv` skips it
                return False
        if self.has_quotes:
            bounds = (self._bounds(position) for position in range(self.n_fields))
            n_quoted = sum(int(np.count_nonzero(self._are_quoted(*bound))) for bound in bounds)
            return 2 * n_quoted == self.data.count(b'"')
        return True

    @property
    def _text(self) -> Bytes:
        return np.frombuffer(self.data, np.uint8)

    def _bounds(self, position: int) -> tuple[Int64Array, Int64Array]:
        """Return the starts and ends of a column's cells, with their quotes."""
        starts = np.zeros(len(self), np.int64)
        if position:
            np.add(self.separators[:, position - 1], 1, out=starts)
        else:
            np.add(self.separators[:-1, -1], 1, out=starts[1:])
        ends = self.separators[:, position].copy()
        if self.has_returns and position == self.n_fields - 1:
            ends -= self._text[ends - 1] == _RETURN
        return starts, ends

    def _are_quoted(self, starts: Int64Array, ends: Int64Array) -> Bools:
        text = self._text
        are_quoted: Bools = (text[starts] == _QUOTE) & (text[ends - 1] == _QUOTE) & (ends - starts >= 2)
        return are_quoted


def grid_of(data: bytearray, n_fields: int, *, max_line_bytes: int) -> Grid | None:
    """Return the cells of some lines; None if the lines are not a plain block.

    Args:
        data: whole lines, and `MAX_WIDTH` further bytes of 0.
        n_fields: fields per row.
        max_line_bytes: length of the longest line.
    """
    text = np.frombuffer(data, np.uint8, len(data) - MAX_WIDTH)
    is_line_end = text == _LINE_END
    is_separator = text == _COMMA
    is_separator |= is_line_end
    separators = np.flatnonzero(is_separator)
    if separators.size % n_fields or not separators.size:
        return None
    grid = Grid(data, separators.reshape(-1, n_fields), b"\r" in data, b'"' in data)
    line_ends = grid.separators[:, -1]
    is_plain = (
        line_ends[-1] == text.size - 1
        and bool((text[line_ends] == _LINE_END).all())
        and np.count_nonzero(is_line_end) == len(grid)
        and int(np.diff(line_ends, prepend=-1).max()) - 1 <= min(max_line_bytes, csv.field_size_limit())
        and grid.is_plain()
        and _is_utf8(data)
    )
    return grid if is_plain else None


def _is_utf8(data: bytearray) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False
