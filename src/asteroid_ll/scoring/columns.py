"""Columns of scored rows: texts, numbers and answers, and the same as lines of CSV.

Lines are assembled as a matrix with one row per line, in which `PADDING` fills what is shorter than the widest cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.arrays import Bytes, Float64Array, Int64Array
from asteroid_ll.formats.text import shortest
from asteroid_ll.run.csv_text import FORMULA_STARTS, safe
from asteroid_ll.scoring.grid import MAX_WIDTH, PADDING, Cells

Answers: TypeAlias = NDArray[np.int8]
"""1 for yes, 0 for no, -1 for an absent answer, shape ``(n_rows,)``."""

Column: TypeAlias = Sequence[object] | NDArray[np.floating[Any]] | Answers
"""One value per row: any values with None for an absent one; numbers with NaN for an absent one; or `Answers`."""

ABSENT = -1
_ANSWERS = (False, True, None)
_FORMULA_BYTES = np.isin(np.arange(256), [start.encode()[0] for start in FORMULA_STARTS])
_N_DIGITS = 9
"""Significant digits of a float32."""

_POWERS_OF_TEN = np.array([float(f"1e{exponent}") for exponent in range(23)])
_MIN_FIXED_EXPONENT = -4
_MAX_NUMBER_BYTES = 24
_ZERO, _POINT = b"0."


def values_of(column: Column) -> Sequence[Any]:
    """Return the values of a column, None for an absent one; a number has the shortest digits of its type."""
    if not isinstance(column, np.ndarray):
        return column
    values: NDArray[Any] = column
    return [_ANSWERS[answer] for answer in values.tolist()] if values.dtype == np.int8 else shortest(values)


def csv_lines(columns: Sequence[Column]) -> bytearray | None:
    """Return rows as lines of CSV in UTF-8; None if `csv` has to write them.

    Args:
        columns: two or more, of equal length.
    """
    if len(columns) < 2 or not any(isinstance(column, np.ndarray) for column in columns):
        return None
    cells = []
    for column in columns:
        matrix = _padded(column)
        if matrix is None:
            return None
        cells += [matrix, np.full((len(column), 1), ord(","), np.uint8)]
    cells[-1][:] = ord("\n")
    lines = bytearray(len(columns[0]) * sum(matrix.shape[1] for matrix in cells))
    np.concatenate(cells, axis=1, out=np.frombuffer(lines, np.uint8).reshape(len(columns[0]), -1))
    return lines.translate(None, bytes([PADDING]))


def _padded(column: Column) -> Bytes | None:
    """Return the CSV of a column's cells, shape ``(n_rows, width)``; None for texts that are too long."""
    if isinstance(column, Cells):
        if column.widest > MAX_WIDTH:
            return None
        if not _FORMULA_BYTES[column.initials()].any():
            return column.padded()
    if not isinstance(column, np.ndarray):
        return _padded_texts(column)
    values: NDArray[Any] = column
    if values.dtype == np.int8:
        texts = _matrix([str(answer).encode() if answer is not None else b"" for answer in _ANSWERS])
        return np.asarray(texts[values])
    return _padded_numbers(values)


def _padded_texts(column: Sequence[object]) -> Bytes | None:
    rows = [row for row, value in enumerate(column) if value is not None]
    texts = [_cell(column[row]) for row in rows]
    if any(len(text) > MAX_WIDTH or b"\0" in text for text in texts):
        return None
    used = _matrix(texts)
    matrix = np.full((len(column), used.shape[1]), PADDING, np.uint8)
    matrix[rows] = used
    return matrix


def _cell(value: object) -> bytes:
    """Return a value as `csv` writes it."""
    text = str(safe(value))
    return (f'"{text.replace(chr(34), chr(34) * 2)}"' if set('",\r\n') & set(text) else text).encode()


def _matrix(texts: Iterable[bytes]) -> Bytes:
    """Return texts without a NUL as rows of bytes."""
    array = np.array([*texts, b" "])
    matrix: Bytes = array.view(np.uint8).reshape(len(array), -1)[:-1].copy()
    matrix[matrix == 0] = PADDING
    return matrix


def _padded_numbers(column: NDArray[np.floating[Any]]) -> Bytes:
    """Return numbers with the digits of `repr`, nothing for one that is not finite."""
    doubles = np.array(shortest(column) if column.dtype == np.float32 else column, np.float64)
    numbers = np.where(np.isfinite(doubles), doubles, np.nan)
    matrix = np.full((len(numbers), _MAX_NUMBER_BYTES), PADDING, np.uint8)
    small, exponents, digits = _small_decimals(numbers)
    matrix[small, : _N_DIGITS + 5] = _small_texts(exponents, digits)
    others = ~np.isnan(numbers)
    others[small] = False
    for number in (0.0, 1.0):
        rows = (numbers == number) & ~np.signbit(numbers)
        matrix[rows, :3] = np.frombuffer(repr(number).encode(), np.uint8)
        others[rows] = False
    if others.any():
        texts = _matrix(repr(number).encode() for number in numbers[others].tolist())
        matrix[others, : texts.shape[1]] = texts
        return matrix
    return matrix[:, : _N_DIGITS + 5]


def _small_decimals(numbers: Float64Array) -> tuple[Int64Array, Int64Array, Float64Array]:
    """Find the numbers from 1e-13 to 1 that have at most nine significant digits.

    Nine digits are an integer. They are the number's own if the integer, divided by a power of ten that is exact, is
    the number: no other decimal of so few digits is rounded to it.

    Returns:
        Their rows, the decimal exponents of their first digits, and their nine digits.
    """
    rows = np.flatnonzero((numbers >= 1e-13) & (numbers < 1))
    exponents = np.floor(np.log10(numbers[rows])).astype(np.int64)
    powers = np.take(_POWERS_OF_TEN, _N_DIGITS - 1 - exponents, mode="clip")
    digits = np.rint(numbers[rows] * powers)
    exact = (digits >= 10 ** (_N_DIGITS - 1)) & (digits < 10**_N_DIGITS) & (digits / powers == numbers[rows])
    return rows[exact], exponents[exact], digits[exact]


def _small_texts(exponents: Int64Array, digits: Float64Array) -> Bytes:
    """Return numbers below 1 in the notation of `repr`: ``0.00012``, and from four zeros on ``1.2e-05``."""
    figures = np.empty((len(digits), _N_DIGITS), np.uint8)
    rest = digits.astype(np.uint32)
    for place in reversed(range(_N_DIGITS)):
        rest, figures[:, place] = np.divmod(rest, 10)
    is_trailing = np.logical_and.accumulate(figures[:, ::-1] == 0, axis=1)[:, ::-1]
    figures = np.where(is_trailing, np.uint8(PADDING), figures + np.uint8(_ZERO))
    texts = np.empty((len(digits), _N_DIGITS + 5), np.uint8)
    texts[:, :5] = np.frombuffer(b"0.000", np.uint8)
    texts[:, 2:5][np.arange(3) >= -1 - exponents[:, None]] = PADDING
    texts[:, 5:] = figures
    tiny = np.flatnonzero(exponents < _MIN_FIXED_EXPONENT)
    figures, exponents = figures[tiny], exponents[tiny]
    has_fraction = figures[:, 1] != PADDING
    texts[tiny, 0] = figures[:, 0]
    texts[tiny, 1] = np.where(has_fraction, _POINT, PADDING)
    texts[tiny, 2 : _N_DIGITS + 1] = figures[:, 1:]
    texts[tiny, -4:-2] = np.frombuffer(b"e-", np.uint8)
    tens, ones = np.divmod(-exponents, 10)
    texts[tiny, -2], texts[tiny, -1] = tens + _ZERO, ones + _ZERO
    return texts
