"""Finds asteroids by number, name or provisional designation.

The run's cleaned table is searched first, one column at a time, then a configured source that can look up single
asteroids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from asteroid_ll.config.models import SourceSettings
from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import load_arrays
from asteroid_ll.formats.columns import Columns, Selected
from asteroid_ll.formats.table import StoredTable
from asteroid_ll.neo.sources import open_source
from asteroid_ll.neo.split import PARTS
from asteroid_ll.neo.table import lookup
from asteroid_ll.run import paths
from asteroid_ll.scoring.values import Batch, batch_of, orbit_columns

_NAMED = re.compile(r"(?:(?P<number>\d+)\s*)?(?P<name>[^()]*?)\s*(?:\((?P<provisional>[^()]+)\))?")
_CARRIED = ("asteroid_id", "name", "hazardous")
_BLOCK_ROWS = 1 << 16
_RARE_BLANK = re.compile(r"[^\S\n ]")
_SPK_ID_BASES = (2_000_000, 20_000_000)
"""JPL identifies a numbered asteroid by its number plus one of these; the second is for those numbered since 2020."""


@runtime_checkable
class CanLookUp(Protocol):
    """A source that can look up a single asteroid."""

    @property
    def title(self) -> str:
        """Its name in messages."""

    def lookup(self, designation: str) -> pd.DataFrame:
        """Return the rows of one asteroid as a canonical table, without rows if the source does not have it.

        Raises:
            DataError: the source cannot be reached or its answer is unusable.
        """


def look_up(
    directory: Path,
    designations: Sequence[str],
    *,
    columns: Sequence[str],
    source: SourceSettings,
    optional: Sequence[str] = (),
) -> Batch:
    """Find asteroids, and return their rows for scoring.

    Args:
        directory: the run directory.
        designations: numbers (``433``), names (``Eros``) or provisional designations (``2010 PK9``); case and blanks
            do not matter.
        columns: canonical names of the columns that the features need.
        source: the configured source.
        optional: canonical names of further columns, which may be missing.

    Returns:
        Every row of each asteroid in the order of the designations, with the part of the split that it is in, and a
        row with an error for each asteroid that is not found.
    """
    stored = StoredTable(directory / paths.CLEANED_TABLE)
    table = Selected(stored, columns={canonical: name for name, canonical in _canonical_names(stored).items()})
    row_numbers = find(table, designations)
    needed = {*_CARRIED, *columns, *optional, *orbit_columns(table.columns)}
    chosen = Selected(table, columns={name: name for name in table.columns if name in needed})
    known = _rows(chosen, sorted({row for rows in row_numbers.values() for row in rows}), directory=directory)
    names: list[str] = []
    errors: dict[int, str] = {}
    tables = []
    for designation in designations:
        rows = known.loc[row_numbers[designation]]
        if rows.empty:
            rows, reason = _from_source(source, designation)
            if rows.empty:
                rows = pd.DataFrame([{}])
                errors[len(names)] = f"not among the {len(table):,} rows of this run's table{reason}"
        names += [designation] * len(rows)
        tables.append(rows)
    every = pd.concat(tables, ignore_index=True)
    carried: dict[str, list[object]] = {"designation": list(names)}
    carried |= {name: _values(every, name) for name in (*_CARRIED, "part")}
    further = [name for name in optional if name in every and name not in columns]
    cells = {name: _values(every, name) for name in (*columns, *further)}
    orbit = {name: _values(every, name) for name in orbit_columns(every.columns) if name not in cells}
    return batch_of(cells, carried, errors=errors, named_by="designation", optional=further, orbit=orbit)


def _from_source(settings: SourceSettings, designation: str) -> tuple[pd.DataFrame, str]:
    """Return an asteroid's rows from the source, and the end of the error message if there are none."""
    opened = open_source(settings.kind, **settings.options)
    if not isinstance(opened, CanLookUp):
        return pd.DataFrame(), ""
    try:
        rows = _canonical(opened.lookup(designation))
    except DataError as error:
        return pd.DataFrame(), f", and looking it up in {opened.title} failed: {error.what.rstrip('.')}"
    return rows, f", and not known to {opened.title}"


def find(table: Columns, designations: Sequence[str]) -> dict[str, list[int]]:
    """Return the row numbers (0-based) of each asteroid in a canonical table."""
    by_key: dict[str, list[str]] = {}
    for designation in designations:
        for key in _keys_of_designation(designation):
            by_key.setdefault(key, []).append(designation)
    keys = by_key.keys()
    found = [(row, key) for row, key, _ in _lines(table["asteroid_id"]) if key in keys]
    names = table["name" if "name" in table.columns else "asteroid_id"]
    found += [
        (row, key) for row, line, name in _lines(names) if _may_have(line, keys, name) for key in _keys_of_name(name)
    ]
    rows: dict[str, set[int]] = {designation: set() for designation in designations}
    for row, key in found:
        for designation in by_key.get(key, ()):
            rows[designation].add(row)
    return {designation: sorted(numbers) for designation, numbers in rows.items()}


def _lines(texts: pd.Series) -> Iterator[tuple[int, str, str]]:
    """Yield each row's number, key and text. Keys are made of many texts at once."""
    for start in range(0, len(texts), _BLOCK_ROWS):
        block = [str(text) for text in texts.iloc[start : start + _BLOCK_ROWS].tolist()]
        joined = "\n".join(block)
        if joined.count("\n") >= len(block) or _RARE_BLANK.search(joined):
            keys = [_key(text) for text in block]
        else:
            keys = joined.replace(" ", "").replace("_", "").casefold().split("\n")
        yield from zip(range(start, start + len(block)), keys, block, strict=True)


def _may_have(line: str, keys: Set[str], text: str) -> bool:
    """Return whether a name can have one of the keys, given the key of the whole name: a quick look at its parts."""
    if not line.isascii():
        return True
    head, _, provisional = line.partition("(")
    name = head.lstrip("0123456789")
    n_digits = len(head) - len(name)
    if not keys.isdisjoint((line, head, name, head[:n_digits], provisional[:-1])):
        return True
    return n_digits > 0 and not text.lstrip()[:n_digits].isdecimal()  # a blank ends the number before the last digit


def _keys_of_designation(designation: str) -> set[str]:
    key = _key(designation.strip().strip("()"))
    keys = {key, _key(designation)}
    if key.isdecimal() and len(key) < 7:
        keys |= {str(base + int(key)) for base in _SPK_ID_BASES}
    return keys - {""}


def _keys_of_name(name: str) -> set[str]:
    """Return the keys of ``99942 Apophis (2004 MN4)``: all of it, its number, its name, its provisional designation."""
    keys = {_key(name)}
    match = _NAMED.fullmatch(name.strip())
    if match:
        keys |= {_key(part) for part in (*match.groups(), f"{match['number']} {match['name']}") if part}
    return keys


def _key(text: str) -> str:
    return re.sub(r"[\s_]+", "", text).casefold()


def _canonical(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table under canonical column names."""
    return table.rename(columns=_canonical_names(table))


def _canonical_names(table: Columns) -> dict[str, str]:
    """Return the canonical name of each column, or its own name if it has none, by name."""
    return {name: column.name if (column := lookup(str(name))) else name for name in table.columns}


def _rows(table: Columns, rows: list[int], *, directory: Path) -> pd.DataFrame:
    """Return some rows of the run's table with their parts, by row number."""
    numbers = np.array(rows, dtype=np.int64)
    chosen = Selected(table, rows=numbers)
    known = pd.DataFrame({name: chosen[name].tolist() for name in chosen.columns}, index=rows)
    known["part"] = ""
    for part, members in load_arrays(directory / paths.SPLIT_ROWS, *PARTS).items():
        known.loc[np.isin(numbers, members), "part"] = part
    return known


def _values(table: pd.DataFrame, name: str) -> list[object]:
    """Return a column's values, None for each missing one."""
    if name not in table:
        return [None] * len(table)
    return [None if pd.isna(value) else value for value in table[name].tolist()]
