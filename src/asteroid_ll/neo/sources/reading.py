"""The result of reading a raw file: the canonical table, and the reader's notes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from asteroid_ll.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]
"""Values of one row by canonical column name, texts or numbers; None for an absent value."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reader noticed in a file.

    Attributes:
        kind: ``repaired``: read without loss, though written another way; ``lost``: missing from the file;
            ``left out``: rows that cannot be used.
        what: a clause that describes it, such as ``dates written day first``.
        count: number of values or rows.
        column: canonical name of the column; empty if the note is about rows.
    """

    kind: Literal["repaired", "lost", "left out"]
    what: str
    count: int
    column: str = ""


@dataclass(frozen=True)
class Reading:
    """The canonical table of a raw file, label included, and the reader's notes."""

    table: pd.DataFrame
    notes: tuple[Note, ...] = ()


def together(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Add the counts of equal notes, in the order of the first of each; a note on nothing is left out."""
    counts: dict[Note, int] = {}
    for note in notes:
        key = replace(note, count=0)
        counts[key] = counts.get(key, 0) + note.count
    return tuple(replace(note, count=count) for note, count in counts.items() if count)


def whole(batches: Iterable[Reading]) -> Reading:
    """Return the table of some batches of rows, and their notes."""
    import pandas as pd

    readings = list(batches)
    tables = [reading.table for reading in readings]
    table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    return Reading(table, together(note for reading in readings for note in reading.notes))


def uncertainty(code: object) -> int | None:
    """Return an orbit's uncertainty code, from 0 (well known) to 9; None for a letter or a missing code."""
    text = str(code)
    return int(text) if re.fullmatch(r"[0-9]", text) else None


def refuse_other_formats(head: bytes, *, shown: str) -> None:
    """Refuse an empty file and a web page.

    Args:
        head: the first bytes of the file.
        shown: name of the file in the message.

    Raises:
        DataError: the file is empty or a web page.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise DataError(f"{shown} is empty.", hint="Fetch it again, or check what wrote it.")
    if text.startswith(b"<"):
        raise DataError(
            f"{shown} is a web page, not a table.",
            hint="Open the address in a browser: it may ask for a login; use the direct link to the CSV file.",
        )
