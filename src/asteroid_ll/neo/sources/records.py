"""From records of an archive to the canonical table: units, types, and what cannot be used left out and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from asteroid_ll.errors import DataError
from asteroid_ll.neo.derived import ALBEDO_BRIGHT, ALBEDO_DARK, diameter_km
from asteroid_ll.neo.sources.base import Note, Reading
from asteroid_ll.neo.sources.tabular import checked
from asteroid_ll.neo.table import COLUMNS, LABEL, Kind

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def reading_of(
    records: Iterable[Mapping[str, Any]], *, where: str, notes: tuple[Note, ...] = (), labelled: bool = True
) -> Reading:
    """Make a canonical table of records.

    Args:
        records: canonical names to values, texts or numbers, None where there is none.
        where: what a message calls their source.
        notes: what was noticed before.
        labelled: whether a record without a label is left out; else the column is absent where one has none.

    Returns:
        The table, rows with an absent value that is needed left out, with a note a column on how many.

    Raises:
        DataError: a value is not what its column holds, or no record is left.
    """
    raw = pd.DataFrame.from_records(list(records))
    if raw.empty:
        raise DataError(f"{where} has no asteroid.", hint="Check what was asked for.")
    if not labelled and LABEL in raw and raw[LABEL].isna().any():
        raw = raw.drop(columns=LABEL)
    told = list(notes)
    for column in COLUMNS:
        if column.name not in raw or column.may_be_missing or (column.kind is Kind.TEXT and not column.required):
            continue
        absent = raw[column.name].isna().to_numpy()
        if absent.any():
            told.append(Note("left out", f"rows without {column.title}", int(absent.sum()), column.name))
            raw = raw[~absent]
    if raw.empty:
        raise DataError(f"{where} has no asteroid with magnitude, MOID, orbit and label.", hint="Use another source.")
    raw = raw.reset_index(drop=True)
    texts = {column.name: raw[column.name].fillna("").astype(str) for column in COLUMNS if _is_text(column, raw)}
    return Reading(checked(raw.assign(**texts), where=where), tuple(told))


def _is_text(column: Any, raw: pd.DataFrame) -> bool:
    return column.name in raw and column.kind in (Kind.TEXT, Kind.BOOLEAN)


def with_diameters(reading: Reading) -> Reading:
    """Add the two diameters in km that follow from the magnitude, where they belong among the columns."""
    magnitude_mag = reading.table["absolute_magnitude_mag"].to_numpy(dtype=np.float64)
    table = reading.table.assign(
        diameter_min_km=diameter_km(magnitude_mag, albedo=ALBEDO_BRIGHT),
        diameter_max_km=diameter_km(magnitude_mag, albedo=ALBEDO_DARK),
    )
    return Reading(table[[column.name for column in COLUMNS if column.name in table]], reading.notes)


def calendar_time(text: str) -> tuple[str, int]:
    """Return a JPL calendar time such as ``2029-Apr-13 21:46`` as its ISO date and in milliseconds since 1970.

    Times are TDB, which is about 69 s ahead of UTC; to the minute given, they are taken as UTC.

    Raises:
        ValueError: the text is no such time.
    """
    date, _, clock = text.strip().partition(" ")
    year, month, day = date.split("-")
    iso = f"{int(year):04d}-{_MONTHS.index(month) + 1:02d}-{int(day):02d}"
    minutes = np.datetime64(f"{iso}T{clock or '00:00'}", "m")
    return iso, int(minutes.astype("datetime64[ms]").astype(np.int64))
