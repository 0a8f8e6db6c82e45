"""The Minor Planet Center's packed designations of asteroids.

Formats: https://www.minorplanetcenter.net/iau/info/PackedDes.html, and for the forms with ``~`` and ``_`` that the
Rubin decade needs https://docs.minorplanetcenter.net/mpc-ops-docs/designations/packed-designations.
"""

from __future__ import annotations

import re

_BASE_62 = {
    digit: value for value, digit in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
}
_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
"""Letters of the order within a half-month; I is not used."""

_FIRST_TILDE_NUMBER = 620_000
"""Numbers from here on are packed as ``~`` and four digits of base 62."""

_FIRST_EXTENDED_ORDER = 15_500
"""Asteroids of a half-month from this one on, counted from 0, are packed with ``_``: 620 cycles of 25 letters."""

_FIRST_YEAR_WITH_CENTURY = 1925
"""In designations of earlier years, ``A`` takes the place of the year's first digit, as in A898 PA."""

_NUMBER = re.compile(r"[0-9A-Za-z][0-9]{4}")
_TILDE_NUMBER = re.compile(r"~[0-9A-Za-z]{4}")
_SURVEY = re.compile(r"(PL|T[1-3])S[0-9]{4}")
_PROVISIONAL = re.compile(r"[I-L][0-9]{2}[A-HJ-Y][0-9A-Za-z][0-9][A-HJ-Z]")
_EXTENDED = re.compile(r"_[0-9A-Za-z][A-HJ-Y][0-9A-Za-z]{4}")


def unpack(packed: str) -> str:
    """Return the readable form of a packed designation.

    Args:
        packed: five characters for a number, such as ``00433`` or ``~0000``; seven for a provisional designation, such
            as ``K10P09K``, ``PLS2040`` or ``_QC0000``.

    Returns:
        A number without leading zeros, such as ``433``, or a provisional designation, such as ``2010 PK9``.

    Raises:
        ValueError: it is not the packed designation of an asteroid.
    """
    if _NUMBER.fullmatch(packed):
        return str(_BASE_62[packed[0]] * 10_000 + int(packed[1:]))
    if _PROVISIONAL.fullmatch(packed):
        cycle = _BASE_62[packed[4]] * 10 + int(packed[5])
        return _provisional(_BASE_62[packed[0]] * 100 + int(packed[1:3]), packed[3], packed[6], cycle)
    if _TILDE_NUMBER.fullmatch(packed):
        return str(_FIRST_TILDE_NUMBER + _base_62(packed[1:]))
    if _EXTENDED.fullmatch(packed):
        cycle, letter = divmod(_FIRST_EXTENDED_ORDER + _base_62(packed[3:]), len(_LETTERS))
        return _provisional(2_000 + _BASE_62[packed[1]], packed[2], _LETTERS[letter], cycle)
    if _SURVEY.fullmatch(packed):
        return f"{packed[3:]} {packed[0]}-{packed[1]}"
    raise ValueError(f"{packed!r} is not a packed designation")


def _provisional(year: int, half_month: str, letter: str, cycle: int) -> str:
    text = str(year) if year >= _FIRST_YEAR_WITH_CENTURY else f"A{year % 1000:03d}"
    return f"{text} {half_month}{letter}{cycle or ''}"


def _base_62(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 62 + _BASE_62[digit]
    return value
