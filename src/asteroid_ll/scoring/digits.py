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
_WORD_BYTES = 8
_TOP_BYTE = np.uint64(56)


def _word(values: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(values, "little"))


_ONES, _HIGH_BITS, _ABOVE_NINE = (_word(bytes([byte] * _WORD_BYTES)) for byte in (0x01, 0x80, 0x80 - 10))
_ZEROS, _POINTS = (_word(byte * _WORD_BYTES) for byte in (b"0", b"."))
_POINT_AS_DIGIT = np.uint64(ord(".") ^ ord("0"))
_EVEN_PAIRS = _word(b"\xff\0\0\0" * 2)
_FIRST_PAIRS, _SECOND_PAIRS = np.uint64(100 + (1_000_000 << 32)), np.uint64(1 + (10_000 << 32))

# By the place of the point, which is 1 behind the last digit and 0 without a point.
_UNITS = np.array([2**64 - 1, *(10**place for place in range(1, MAX_CHARACTERS + 1))], np.uint64)
_EXCESS = np.array([0, *(9 * 10 ** (place - 1) for place in range(1, MAX_CHARACTERS + 1))], np.uint64)
_POWERS_OF_TEN = np.array([1.0, *(float(10 ** (place - 1)) for place in range(1, MAX_CHARACTERS + 1))])


def read_decimals(words: _Words, starts: Int64Array, ends: Int64Array) -> tuple[Float64Array, Bools]:
    """Return the cells that are digits with at most one point, and a minus before them, as numbers.

    The digits are an integer of at most 53 bits and the power of ten is at most 22, so both are exact and their
    quotient is rounded once, as by `float` (Clinger, "How to read floating point numbers accurately", 1990).

    Args:
        words: the eight bytes from each place of the text on, the first of them in the lowest bits.
        starts: place of each cell's first byte, shape ``(n_rows,)``.
        ends: place after its last byte, the same shape.

    Returns:
        The numbers, NaN for another cell, and which cells were read, shape ``(n_rows,)`` both.
    """
    numbers, is_read = _positive(words, ends, ends - starts)
    others = np.flatnonzero(~is_read)
    if others.size:
        numbers[others] = np.nan
        others = others[words[starts[others]].astype(np.uint8) == ord("-")]
        starts, ends = starts[others] + 1, ends[others]
        numbers[others], is_read[others] = _positive(words, ends, ends - starts)
        numbers[others] = np.where(is_read[others], -numbers[others], np.nan)
    return numbers, is_read


def _positive(words: _Words, ends: Int64Array, lengths: Int64Array) -> tuple[Float64Array, Bools]:
    """Return `read_decimals` of cells without a minus; any number for a cell that is not read."""
    total, wrong, place = (np.zeros(len(ends), np.uint64) for _ in range(3))
    n_points = np.zeros(len(ends), np.int8)
    n_words = -(-min(int(lengths.max(initial=0)), MAX_CHARACTERS) // _WORD_BYTES)
    for number in range(n_words):
        word = _digits(words, ends, lengths, number=number)
        points = ((word ^ _POINTS ^ _ZEROS) - _ONES) & _HIGH_BITS
        wrong |= points & (points - np.uint64(1))  # more than one
        points >>= np.uint64(7)
        n_points += points != 0
        word ^= points * _POINT_AS_DIGIT
        wrong |= word
        wrong |= word + _ABOVE_NINE
        points *= _word(bytes(range(_WORD_BYTES * number + 1, _WORD_BYTES * number + 9)))
        place += points >> _TOP_BYTE
        total += _sum(word) * np.uint64(10 ** (_WORD_BYTES * number))
    place_of_point = np.minimum(place, MAX_CHARACTERS).view(np.int64)
    if place_of_point.any():  # the point was a digit 0
        total -= total // _UNITS[place_of_point] * _EXCESS[place_of_point]
    is_read = (wrong & _HIGH_BITS == 0) & (n_points <= 1) & (lengths > n_points) & (lengths <= MAX_CHARACTERS)
    is_read &= total <= 1 << 53
    return total.astype(np.float64) / _POWERS_OF_TEN[place_of_point], is_read


def _digits(words: _Words, ends: Int64Array, lengths: Int64Array, *, number: int) -> _Words:
    """Return a word of each cell, counted from its end, as the values of its digits; 0 before the cell's first byte."""
    places = ends - _WORD_BYTES * (number + 1)
    word: _Words = words[np.maximum(places, 0)]
    word ^= _ZEROS
    if places.min() < 0:  # the text has no such place
        word <<= 8 * np.maximum(-places, 0).view(np.uint64)
    bits = np.clip(8 * (_WORD_BYTES * (number + 1) - lengths), 0, 64).view(np.uint64)
    word >>= bits
    word <<= bits
    return word


def _sum(word: _Words) -> _Words:
    """Return the number of which a word has the digits: pairs of them first, then fours, then all eight."""
    pairs = word * np.uint64(10)
    pairs += word >> np.uint64(8)
    second = pairs >> np.uint64(16)
    second &= _EVEN_PAIRS
    second *= _SECOND_PAIRS
    pairs &= _EVEN_PAIRS
    pairs *= _FIRST_PAIRS
    pairs += second
    pairs >>= np.uint64(32)
    return pairs
