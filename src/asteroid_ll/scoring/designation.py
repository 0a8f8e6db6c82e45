"""Finds asteroids by what people call them: number, name or provisional designation.

They are looked for in the run's own cleaned table first; a source that can be asked for one asteroid is asked next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from asteroid_ll.errors import DataError
from asteroid_ll.formats.table import load_table
from asteroid_ll.run import paths
from asteroid_ll.scoring.values import Batch, batch_of

if TYPE_CHECKING:
    import pandas as pd

    from asteroid_ll.stages.stage import Context

PARTS = ("train", "validation", "test")

_NAMED = re.compile(r"(?:(?P<number>\d+)\s*)?(?P<name>[^()]*?)\s*(?:\((?P<provisional>[^()]+)\))?")
_SPK_ID_BASES = (2_000_000, 20_000_000)
"""JPL's identity of a numbered asteroid is its number added to the one, since 2020 for new ones to the other."""


@runtime_checkable
class CanLookUp(Protocol):
    """A source that can be asked for one asteroid."""

    @property
    def title(self) -> str:
        """What people call it, in one phrase."""

    def lookup(self, designation: str) -> pd.DataFrame:
        """Return the rows of one asteroid as a canonical table; without rows where the source does not know it.

        Raises:
            DataError: the source cannot be reached or answers something else.
        """


def look_up(context: Context, designations: Sequence[str], *, columns: Sequence[str]) -> Batch:
    """Find asteroids and make rows to be scored of them.

    Args:
        context: of the ``predict`` stage.
        designations: numbers (``433``), names (``Eros``) or provisional designations (``2010 PK9``), in any case,
            blanks or not.
        columns: canonical names of the columns that the score needs.

    Returns:
        A row for each row that an asteroid has in the table, in the order asked for, and one with an error for an
        asteroid that is not found; the part that it was split into shows whether the model was trained on it.
    """
    import pandas as pd

    table = _canonical(load_table(context.path(paths.CLEANED_TABLE)))
    part_of = _parts(context, len(table))
    found = find(table, designations)
    pieces: list[tuple[str, str, pd.DataFrame]] = []
    for designation in designations:
        rows = table.iloc[found[designation]].assign(part=[part_of[row] for row in found[designation]])
        reason = ""
        if rows.empty:
            rows, why = _ask_source(context, designation)
            reason = "" if len(rows) else f"not among the {len(table):,} rows of this run's table{why}"
        pieces.append((designation, reason, rows if len(rows) else pd.DataFrame([{}])))
    every = pd.concat([rows for _, _, rows in pieces], ignore_index=True)
    carried: dict[str, list[object]] = {"designation": [name for name, _, rows in pieces for _ in range(len(rows))]}
    carried |= {name: _values(every, name) for name in ("asteroid_id", "name", "hazardous", "part")}
    return batch_of(
        {name: _values(every, name) for name in columns},
        carried,
        errors=[reason for _, reason, rows in pieces for _ in range(len(rows))],
        named_by="designation",
    )


def _ask_source(context: Context, designation: str) -> tuple[pd.DataFrame, str]:
    """Return an asteroid's rows from the configured source, and what to say where there are none."""
    import pandas as pd

    from asteroid_ll.neo.sources import open_source

    settings = context.config.source
    source = open_source(settings.kind, **settings.options)
    if not isinstance(source, CanLookUp):
        return pd.DataFrame(), ""
    try:
        rows = _canonical(source.lookup(designation))
    except DataError as error:
        return pd.DataFrame(), f", and {source.title} was no help: {error.what.rstrip('.')}"
    return rows, f", and not known to {source.title}"


def find(table: pd.DataFrame, designations: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows (0-based) of each asteroid in a canonical table; none for one that is not there."""
    wanted: dict[str, list[str]] = {}
    for designation in designations:
        for key in _asked(designation):
            wanted.setdefault(key, []).append(designation)
    found: dict[str, list[int]] = {designation: [] for designation in designations}
    identities = table["asteroid_id"].tolist()
    names = table["name"].tolist() if "name" in table else identities
    for row, (identity, name) in enumerate(zip(identities, names, strict=True)):
        keys = {_key(str(identity)), *_keys_of_name(str(name))}
        for designation in {match for key in keys & wanted.keys() for match in wanted[key]}:
            found[designation].append(row)
    return found


def _asked(designation: str) -> set[str]:
    """The keys that a designation may go by."""
    key = _key(designation.strip().strip("()"))
    keys = {key, _key(designation)}
    if key.isdecimal() and len(key) < 7:
        keys |= {str(base + int(key)) for base in _SPK_ID_BASES}
    return keys - {""}


def _keys_of_name(name: str) -> set[str]:
    """The keys of ``99942 Apophis (2004 MN4)``: the whole, its number, its name and its provisional designation."""
    keys = {_key(name)}
    match = _NAMED.fullmatch(name.strip())
    if match:
        keys |= {_key(part) for part in (*match.groups(), f"{match['number']} {match['name']}") if part}
    return keys


def _key(text: str) -> str:
    return re.sub(r"[\s_]+", "", text).casefold()


def _canonical(table: pd.DataFrame) -> pd.DataFrame:
    """The table under the canonical names, whatever spelling it was cleaned to."""
    from asteroid_ll.neo.table import lookup

    return table.rename(columns={name: column.name for name in table.columns if (column := lookup(str(name)))})


def _parts(context: Context, n_rows: int) -> list[str]:
    import numpy as np

    names = [""] * n_rows
    with np.load(context.path(paths.SPLIT_ROWS)) as rows:
        for part in PARTS:
            for row in rows[part].tolist():
                names[row] = part
    return names


def _values(table: pd.DataFrame, name: str) -> list[object]:
    """A column's values, None where there is none."""
    import pandas as pd

    if name not in table:
        return [None] * len(table)
    return [None if pd.isna(value) else value for value in table[name].tolist()]
