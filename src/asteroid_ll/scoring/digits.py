"""Decimal numbers in a text, read eight bytes at a time.

A cell's last eight bytes are one integer of 64 bits, the eight before them the next one, and so on. Some additions and
shifts of such integers check that the bytes are digits, find the point, and add up the digits (the method is that of
simdjson: Langdale and Lemire, "Parsing gigabytes of JSON per second", VLDB Journal 28 (2019) 941). Each is one call for
all cells of a column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.arrays import Bools, Float64Array, Int64Array

MAX_CHARACTERS = 19
"""Characters of the longest number that is read in 64 bits."""

_Words = NDArray[np.uint64]
_N_BYTES = 8
_N_WORDS = -(-MAX_CHARACTERS // _N_BYTES)
_ONES, _HIGH_BITS, _ABOVE_NINE, _ZEROS = (
    np.uint64(int.from_bytes(bytes([byte] * _N_BYTES))) for byte in (1, 0x80, 0x80 - 10, ord("0"))
)
_POINT = np.uint64(ord(".") ^ ord("0"))
_EVEN_PAIRS = np.uint64(0x000000FF_000000FF)
_FIRST_PAIRS, _SECOND_PAIRS = np.uint64(100 + (1_000_000 << 32)), np.uint64(1 + (10_000 << 32))


def _inside(length: int, number: int) -> int:
    """Return a mask of the bytes of a word, counted from the cell's end, that are in a cell of a length."""
    n_before = min(max((number + 1) * _N_BYTES - length, 0), _N_BYTES)
    return (1 << 8 * _N_BYTES) - (1 << 8 * n_before)


_INSIDE = np.array([[_inside(n, number) for n in range(MAX_CHARACTERS + 2)] for number in range(_N_WORDS)], np.uint64)

_PLACES = np.array([sum(8 * n + k + 1 << 8 * k for k in range(_N_BYTES)) for n in range(_N_WORDS)], np.uint64)
"""By word, the places of a point in each byte: 1 behind the last digit, 2 before it, and so on."""

# By the place of the point, 0 without one. More than the last place has only a cell that is not read.
_UNITS = np.array([2**64 - 1, *(10**place for place in range(1, MAX_CHARACTERS + 1))], np.uint64)
_EXCESS = np.array([0, *(9 * 10 ** (place - 1) for place in range(1, MAX_CHARACTERS + 1))], np.uint64)
_POWERS_OF_TEN = np.array([1.0, *(float(10 ** (place - 1)) for place in range(1, MAX_CHARACTERS + 1))])


def read_decimals(words: _Words, starts: Int64Array, ends: Int64Array) -> tuple[Float64Array, Bools]:
    """Return the cells that are digits with at most one point, and a minus before them, as numbers.

    The digits are an integer of at most 53 bits and the power of ten is at most 22, so both are exact and their
    quotient is rounded once, as by `float` (Clinger, "How to read floating point numbers accurately", 1990).

    Args:
        words: the eight bytes from each place of the text on, the first of them in the lowest bits.
        starts: place of each cell's first byte, shape ``(n_rows,)``, at least one.
        ends: place after its last byte, the same shape.

    Returns:
        The numbers, NaN for another cell, and which cells were read, shape ``(n_rows,)`` both.
    """
    numbers, is_read = _without_sign(words, ends, ends - starts)
    if not is_read.all():
        numbers[~is_read] = np.nan
        rows = np.flatnonzero(~is_read & (words[starts].astype(np.uint8) == ord("-")))
        if rows.size:
            starts, ends = starts[rows] + 1, ends[rows]
            positive, is_read[rows] = _without_sign(words, ends, ends - starts)
            numbers[rows] = np.where(is_read[rows], -positive, np.nan)
    return numbers, is_read


def _without_sign(words: _Words, ends: Int64Array, lengths: Int64Array) -> tuple[Float64Array, Bools]:
    """Return `read_decimals` of cells without a minus; any number for a cell that is not read."""
    widest = int(lengths.max())
    short = np.minimum(lengths, MAX_CHARACTERS + 1)
    total, point, wrong = _read_word(words, ends, short, number=0)
    for number in range(1, -(-min(widest, MAX_CHARACTERS) // _N_BYTES)):
        more, further_point, further_wrong = _read_word(words, ends, short, number=number)
        total += more * np.uint64(10 ** (_N_BYTES * number))
        wrong |= further_wrong
        wrong[(point != 0) & (further_point != 0)] = _HIGH_BITS
        point += further_point
    place = point.view(np.int64)
    has_point = place != 0
    if has_point.any():  # it was read as a digit 0
        total -= total // _UNITS.take(place, mode="clip") * _EXCESS.take(place, mode="clip")
    is_read: Bools = (wrong & _HIGH_BITS == 0) & (lengths > has_point)
    if widest >= len(str(1 << 53)):
        is_read &= (total <= 1 << 53) & (lengths <= MAX_CHARACTERS)
    return total.astype(np.float64) / _POWERS_OF_TEN.take(place, mode="clip"), is_read


def _read_word(words: _Words, ends: Int64Array, lengths: Int64Array, *, number: int) -> tuple[_Words, _Words, _Words]:
    """Return eight digits of each cell as an integer, in which a point counts as a digit 0.

    Args:
        words: as for `read_decimals`.
        ends: place after the last byte of each cell, shape ``(n_rows,)``.
        lengths: bytes of each cell, at most `MAX_CHARACTERS` + 1, the same shape.
        number: number of the word, counted from the cell's end.

    Returns:
        The integers, the place of the point as in `_PLACES`, and words with a high bit if there is another character or
        a second point, the same shape each.
    """
    places = ends - _N_BYTES * (number + 1)
    is_whole = int(places.min()) >= 0
    word: _Words = words[places if is_whole else np.maximum(places, 0)]
    if not is_whole:  # the text begins within the word
        word <<= 8 * np.maximum(-places, 0).view(np.uint64)
    word ^= _ZEROS
    word &= _INSIDE[number][lengths]
    point = word ^ _ONES * _POINT
    point -= _ONES
    point &= _HIGH_BITS  # of the first point, and of some other characters behind it
    point &= ~point + np.uint64(1)
    point >>= np.uint64(7)
    word ^= point * _POINT
    wrong = word + _ABOVE_NINE
    wrong |= word
    point *= _PLACES[number]
    point >>= np.uint64(8 * (_N_BYTES - 1))
    return _sum(word), point, wrong


def _sum(word: _Words) -> _Words:
    """Return the integer of which a word has the digits: pairs of them first, then fours, then all eight."""
    pairs = word * np.uint64(10)
    word >>= np.uint64(8)
    pairs += word
    second = pairs >> np.uint64(16)
    second &= _EVEN_PAIRS
    second *= _SECOND_PAIRS
    pairs &= _EVEN_PAIRS
    pairs *= _FIRST_PAIRS
    pairs += second
    pairs >>= np.uint64(32)
    return pairs
