"""Texts in CSV files, which a spreadsheet must not execute.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@`` or a control character for a formula, which can
start programs or send data away (OWASP, "CSV injection"). Such a text is written after an apostrophe. Numbers are not
changed, and `restored` gives every text back.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

_Value = TypeVar("_Value")

_FORMULA_CHARACTERS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
FORMULA_STARTS = _FORMULA_CHARACTERS | {"'"}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Lines(io.TextIOBase):
    """A file for ``csv.writer`` with its default line end, CR LF, which ends lines in LF.

    The writer leaves a CR unquoted unless it is part of the line end, and readers take it for the end of a row.

    Args:
        emit: takes one row with its line end.
    """

    def __init__(self, emit: Callable[[str], object]) -> None:
        self._emit = emit

    def write(self, row: str, /) -> int:
        """Take one row as the writer ends it."""
        self._emit(row.removesuffix("\r\n") + "\n")
        return len(row)


def safe(value: _Value) -> _Value | str:
    """Return a cell that a spreadsheet shows as it is; anything but a text is returned unchanged.

    >>> safe("=HYPERLINK(A1)"), safe("-1.5"), safe("433 Eros")
    ("'=HYPERLINK(A1)", '-1.5', '433 Eros')
    """
    if isinstance(value, str) and _is_formula(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def all_safe(column: Sequence[_Value]) -> Sequence[_Value | str]:
    """Return `safe` of each value of a column. A column without any text like a formula is returned as it is."""
    first = {value[:1] for value in column if isinstance(value, str)}
    return column if first.isdisjoint(FORMULA_STARTS) else [safe(value) for value in column]


def all_restored(column: Sequence[str]) -> Sequence[str]:
    """Return `restored` of each text of a column. A column without an apostrophe is returned as it is."""
    return [restored(text) for text in column] if "'" in "".join(column) else column


def restored(text: str) -> str:
    """Return the text that `safe` has made safe.

    >>> restored("'=HYPERLINK(A1)"), restored("'Oumuamua")
    ('=HYPERLINK(A1)', "'Oumuamua")
    """
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Return whether a text, without the apostrophes before it, begins like a formula."""
    # A regular expression with these characters takes 10 ms to compile.
    return text.lstrip("'")[:1] in _FORMULA_CHARACTERS
