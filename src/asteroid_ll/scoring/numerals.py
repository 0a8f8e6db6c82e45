"""Numbers as rows of bytes with the digits and the notation of `repr`, without a Python object per number.

A number from 1e-13 to 1 that has at most nine significant digits is made of parts that are looked up in small tables:
what is before its first digit, its digits by threes, and its exponent. `repr` writes the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.arrays import Bools, Bytes, Float32Array, Float64Array
from asteroid_ll.formats.text import shortest
from asteroid_ll.scoring.grid import PADDING

_N_DIGITS = 9
"""Significant digits of a float32."""

_MAX_FIXED, _MAX_EXPONENT = 4, 13
"""Negative decimal exponents of the smallest number in fixed notation, and of the smallest that is made of parts."""

_ONE = _MAX_EXPONENT + 1
"""What the number 1 has in place of a negative exponent; a number that is not made of parts has 0."""

_ZERO = b"0.0"

_POWERS_OF_TEN = np.array([float(f"1e{exponent}") for exponent in range(_N_DIGITS + _MAX_EXPONENT + 1)])
_FRACTION, _EXPONENT, _HALF_GAP = np.uint32(0x007FFFFF), np.uint32(0x7F800000), np.uint32(24 << 23)
"""The fraction's and the exponent's bits of a float32, and the exponents from a power of two to half its last digit."""

_DOUBT = 1e-6
_N_BYTES, _MAX_BYTES = 19, 24
"""Bytes of the parts of a number, and of the longest text of a number."""

_Values = NDArray[np.void]
"""Rows of bytes as one value each, which numpy copies at once."""


def matrix_of(texts: Iterable[bytes]) -> Bytes:
    """Return texts without a NUL as rows of bytes that end in `PADDING`."""
    array = np.array([*texts, b" "])
    matrix: Bytes = array.view(np.uint8).reshape(len(array), -1)[:-1].copy()
    matrix[matrix == 0] = PADDING
    return matrix


def values_of_rows(matrix: Bytes) -> _Values:
    """Return each row of bytes as one value; a view if the rows are contiguous."""
    values: _Values = np.ascontiguousarray(matrix).view(f"V{matrix.shape[1]}")[:, 0]
    return values


def part(matrix: Bytes, at: int, n_bytes: int) -> _Values:
    """Return some bytes of each row of a contiguous matrix as one value; a view."""
    return np.ndarray((len(matrix),), f"V{n_bytes}", matrix, at, (matrix.shape[1],))


def _table(n_bytes: int, texts: Iterable[bytes]) -> _Values:
    padded = b"".join(text.ljust(n_bytes, bytes([PADDING])) for text in texts)
    return np.frombuffer(padded, f"V{n_bytes}")


_FIXED, _TINY = range(1, _MAX_FIXED + 1), range(_MAX_FIXED + 1, _MAX_EXPONENT + 1)
_HEADS = _table(8, [b"", *(b"0.%s" % (b"0" * (n - 1)) for n in _FIXED), *(b"" for _ in _TINY), b"1.0"])
_TAILS = _table(4, [b"", *(b"" for _ in _FIXED), *(b"e-%02d" % n for n in _TINY), b""])
"""What is before the first digit and behind the last one, by the negative exponent."""

_DIGITS = [b"%03d" % n for n in range(1_000)]
_THREES = _table(4, [*_DIGITS, *(digits.rstrip(b"0") for digits in _DIGITS)])
"""Three digits, and from place 1,000 on those without the zeros at their end."""


def _first_threes() -> _Values:
    without = _THREES.view(np.uint8).reshape(-1, 4)[:, [0, 3, 1, 2]]
    with_point = without.copy()
    with_point[without[:, 2] != PADDING, 1] = ord(".")
    return values_of_rows(np.concatenate([without, with_point]))


_FIRST_THREES = _first_threes()
"""The same with a place behind the first digit, and from place 2,000 on with a point there if more digits follow."""


def padded_numbers(column: NDArray[np.floating[Any]]) -> Bytes:
    """Return numbers with the shortest digits of their type, and nothing for one that is not finite.

    Args:
        column: float32 or float64, shape ``(n_rows,)``.

    Returns:
        Their texts, shape ``(n_rows, width)``; `PADDING` may be anywhere in a row.
    """
    is_zero = (column == 0) & ~np.signbit(column)
    rows = np.flatnonzero(np.isfinite(column) & ~is_zero)
    if rows.size == len(column):
        return _padded(column)
    matrix = np.full((len(column), _MAX_BYTES), PADDING, np.uint8)
    part(matrix, 0, len(_ZERO))[is_zero] = np.void(_ZERO)
    if rows.size:
        texts = _padded(column[rows])
        part(matrix, 0, texts.shape[1])[rows] = values_of_rows(texts)
        matrix = matrix[:, : texts.shape[1]]
    return matrix


def _padded(column: NDArray[np.floating[Any]]) -> Bytes:
    """Return `padded_numbers` of numbers that are finite."""
    exponents, digits = _parts(column)
    others = np.flatnonzero(exponents == 0)
    matrix = _texts(exponents, digits, width=_MAX_BYTES if others.size else _N_BYTES)
    if others.size:
        texts = matrix_of(repr(number).encode() for number in shortest(column[others]))
        matrix[others] = PADDING
        matrix[others, : texts.shape[1]] = texts
    return matrix


def _parts(column: NDArray[np.floating[Any]]) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Return the negative decimal exponent of each number and its nine digits; 0 for both if it is not made of parts.

    Nine digits are an integer. They are a double's own if the integer, divided by a power of ten that is exact, is the
    number: no other decimal of so few digits is rounded to it.
    """
    numbers: Float64Array = column.astype(np.float64)
    is_made = (numbers >= float(f"1e-{_MAX_EXPONENT}")) & (numbers < 1)
    inside = np.where(is_made, numbers, 0.5)
    exponents = -np.floor(np.log10(inside)).astype(np.intp)
    powers = _POWERS_OF_TEN[exponents + (_N_DIGITS - 1)]
    digits = np.rint(inside * powers)
    if column.dtype == np.float32:
        rows = np.flatnonzero(is_made)
        digits[rows], is_made[rows] = _shortened(column[rows], inside[rows], digits[rows], powers=powers[rows])
    else:
        is_made &= digits / powers == inside
    is_made &= (digits >= 10 ** (_N_DIGITS - 1)) & (digits < 10**_N_DIGITS)
    exponents = np.where(is_made, exponents, 0)
    exponents[numbers == 1] = _ONE
    return exponents, np.where(is_made, digits, 0).astype(np.uint32)


def _shortened(
    singles: Float32Array, numbers: Float64Array, digits: Float64Array, *, powers: Float64Array
) -> tuple[Float64Array, Bools]:
    """Return the nine digits of float32 numbers with a 0 for each that is not needed, and whether they are certain.

    Fewer digits are enough if the decimal is nearer to the number than half the distance to its neighbours. The decimal
    and the comparison are rounded, so a close decision is not certain. Neither is a power of two, whose two neighbours
    are not equally near.
    """
    bits = singles.view(np.uint32)
    are_certain = (bits & _FRACTION) != 0
    half_gaps = ((bits & _EXPONENT) - _HALF_GAP).view(np.float32).astype(np.float64)
    rows, unit = np.arange(len(digits)), 1.0
    while rows.size:
        unit *= 10.0
        powers = powers / 10.0
        exact = numbers * powers
        fewer = np.rint(exact)
        distances = np.abs(fewer / powers - numbers) / half_gaps
        is_close = (np.abs(distances - 1.0) < _DOUBT) | (np.abs(exact - fewer) > 0.5 - _DOUBT)
        are_certain[rows[is_close]] = False
        are_enough = distances < 1.0
        rows = rows[are_enough]
        digits[rows] = fewer[are_enough] * unit
        numbers, powers, half_gaps = numbers[are_enough], powers[are_enough], half_gaps[are_enough]
    return digits, are_certain


def _texts(exponents: NDArray[np.intp], digits: NDArray[np.uint32], *, width: int) -> Bytes:
    """Return numbers in the notation of `repr`: ``0.00012``, and from four zeros on ``1.2e-05``."""
    high, rest = digits // 1_000_000, digits % 1_000_000
    middle, low = rest // 1_000, rest % 1_000
    is_tiny = exponents > _MAX_FIXED
    texts = np.empty((len(digits), width), np.uint8)
    # Each part overwrites the padding of the one before it.
    part(texts, 0, 8)[:] = _HEADS[exponents]
    part(texts, 5, 4)[:] = _FIRST_THREES[high + 1_000 * (rest == 0) + 2_000 * is_tiny]
    part(texts, 9, 4)[:] = _THREES[middle + 1_000 * (low == 0)]
    part(texts, 12, 4)[:] = _THREES[low + 1_000]
    part(texts, 15, 4)[:] = _TAILS[exponents]
    texts[:, _N_BYTES:] = PADDING
    return texts
