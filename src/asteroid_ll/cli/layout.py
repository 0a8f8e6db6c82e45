"""Lays out texts and tables in lines that fit a width, without cutting what a person has to paste."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator, Sequence

from asteroid_ll.pipeline.commands import WITH_OPTIONS

WIDTH = 80
"""Characters per line of texts, and of tables in a terminal of the usual size."""

_FIRST_WORDS = {name.partition(" ")[0] for name in WITH_OPTIONS} | {"benchmark", "emulator", "runs"}
_COMMAND = re.compile(
    rf"\b(?:asteroid-ll (?:{'|'.join(sorted(_FIRST_WORDS))})\b|aws s3|aws [a-z0-9-]+ [a-z-]+ --\w)"
    r".*?(?=   |[;'\"]|\. |\.?$)"
    r"|(?<!\S)--?[a-z][\w-]*(?: [A-Z]+\b)?"
)
_KEPT = "\x00"
"""Stands for a blank at which no line ends."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "row"), counted(1234, "row")
    ('1 row', '1,234 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def wrapped(text: str, *, width: int, indent: int = 0) -> str:
    """Return one line of text as lines of at most ``width`` characters; a command or a long word stays whole.

    Args:
        text: the text; blanks at its start indent it.
        width: characters per line.
        indent: blanks before each further line.
    """
    if len(text) <= width:
        return text
    start = text[: len(text) - len(text.lstrip())]
    kept = _COMMAND.sub(lambda match: match[0].replace(" ", _KEPT), text)
    lines = textwrap.wrap(
        kept,
        width=max(width, indent + 20),
        subsequent_indent=start + " " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return "\n".join(lines).replace(_KEPT, " ")


def laid_out(
    rows: Sequence[Sequence[str]], *, width: int | None, left: Collection[int], has_text: bool = False
) -> Iterator[str]:
    """Yield the lines of a table.

    If it is too wide, headings wrap first, then cells, and then the words of headings break. The words of cells, and
    the first column, never do: a table of long names is wider than ``width``, and wraps only headings.

    Args:
        rows: texts, all rows of one length; the first row is the heading.
        width: characters per line; None for no limit.
        left: the numbers of the columns that are aligned left.
        has_text: the last column is a sentence, which wraps first.
    """
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    if has_text:
        widths, gap = _widths(columns[:-1], available=None if width is None else width - 20)
        remaining = None if width is None else max(width - sum(widths) - gap * len(widths), 20)
        longest = max(map(len, columns[-1]))
        widths.append(longest if remaining is None else min(longest, remaining))
    else:
        widths, gap = _widths(columns, available=width)
    for row in rows:
        is_heading = row is rows[0] and not has_text
        cells = [_lines(cell, width, breaks_words=is_heading) for cell, width in zip(row, widths, strict=True)]
        height = max(map(len, cells))
        for cell in cells:
            # The last line of a heading is above the cells; a cell begins in the first line of its row.
            cell[slice(0) if is_heading else slice(len(cell), None)] = [""] * (height - len(cell))
        for line in zip(*cells, strict=True):
            padded = [
                text.ljust(width) if at in left else text.rjust(width)
                for at, (text, width) in enumerate(zip(line, widths, strict=True))
            ]
            yield (" " * gap).join(padded).rstrip()


def _lines(cell: str, width: int, *, breaks_words: bool) -> list[str]:
    """Return the lines of a cell; one that fits keeps the blanks at its start, which indent it."""
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width=width, break_long_words=breaks_words, break_on_hyphens=False)


def _widths(columns: Sequence[Sequence[str]], *, available: int | None) -> tuple[list[int], int]:
    """Return the width of each column, and of the gap between two, with as few wrapped cells as fit."""
    words = [[max(map(len, cell.split()), default=0) for cell in column] for column in columns]
    natural = [max(map(len, column)) for column in columns]
    choices = (
        natural,
        [max([lengths[0], *map(len, column[1:])]) for column, lengths in zip(columns, words, strict=True)],
        [max(lengths) for lengths in words],
        [max([1, *lengths[1:]]) for lengths in words],
    )
    for widths in ([natural[0], *choice[1:]] for choice in choices):
        for gap in (2, 1):
            if available is None or sum(widths) + gap * (len(widths) - 1) <= available:
                return widths, gap
    return choices[1], 1
