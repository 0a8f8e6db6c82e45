"""From an archive's records to the canonical table. Unusable rows are left out and counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from asteroid_ll.errors import DataError
from asteroid_ll.neo.derived import ALBEDO_BRIGHT, ALBEDO_DARK, diameter_km, orbital_period_d, tisserand_jupiter
from asteroid_ll.neo.feature_sets import ELEMENTS
from asteroid_ll.neo.moid import Orbits, earth_moid_au
from asteroid_ll.neo.sources.reading import Note, Reading, Record
from asteroid_ll.neo.sources.tabular import checked
from asteroid_ll.neo.table import COLUMNS, LABEL, Kind


def reading_of(records: Sequence[Record], *, where: str, notes: tuple[Note, ...] = ()) -> Reading:
    """Make the canonical table of an archive's records.

    Rows without a required value are left out, with a note per column. The MOID and other quantities that follow from
    the elements are added if the records have no MOID, the diameters if they have none.

    Args:
        records: one per row.
        where: name of the records' source in messages.
        notes: earlier notes, to which the new ones are added.

    Raises:
        DataError: a value does not fit its column, an orbit is not elliptical, or no row is usable.
    """
    raw = pd.DataFrame.from_records(list(records))
    if raw.empty:
        raise DataError(f"{where} has no asteroid.", hint="Check the options of the source.")
    all_notes = list(notes)
    for column in COLUMNS:
        if column.name not in raw or column.may_be_missing or (column.kind is Kind.TEXT and not column.required):
            continue
        absent = raw[column.name].isna().to_numpy()
        if absent.any():
            all_notes.append(Note("left out", f"rows without {column.title}", int(absent.sum()), column.name))
            raw = raw[~absent]
    if raw.empty:
        raise DataError(f"{where} has no asteroid with magnitude, MOID, orbit and label.", hint="Use another source.")
    raw = raw.reset_index(drop=True)
    texts = {
        column.name: raw[column.name].fillna("").astype(str)
        for column in COLUMNS
        if column.name in raw and column.kind in (Kind.TEXT, Kind.BOOLEAN)
    }
    table = checked(raw.assign(**texts), where=where)
    return Reading(_completed(table, where=where), tuple(all_notes))


def rows_of(records: Sequence[Record], *, where: str) -> pd.DataFrame:
    """Return the table of one asteroid's records, without a label unless all of them have one; empty for none."""
    if not records:
        return pd.DataFrame()
    if any(record.get(LABEL) is None for record in records):
        records = [{name: value for name, value in record.items() if name != LABEL} for record in records]
    return reading_of(records, where=where).table


def _completed(table: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Add the quantities that follow from magnitude and elements, in the columns' order."""
    if "diameter_min_km" not in table:
        magnitude_mag = table["absolute_magnitude_mag"].to_numpy(dtype=np.float64)
        table = table.assign(
            diameter_min_km=diameter_km(magnitude_mag, albedo=ALBEDO_BRIGHT),
            diameter_max_km=diameter_km(magnitude_mag, albedo=ALBEDO_DARK),
        )
    if "moid_au" not in table:
        e, a, i, node, argument = (table[name].to_numpy(dtype=np.float64) for name in ELEMENTS)
        if not ((e >= 0.0) & (e < 1.0) & (a > 0.0)).all():
            raise DataError(f"{where} has an orbit that is not elliptical.", hint="Fetch it again with --force.")
        epoch_jd = float(table["epoch_osculation_jd"].median())
        table = table.assign(
            moid_au=earth_moid_au(Orbits(a, e, i, node, argument), epoch_jd=epoch_jd),
            tisserand_jupiter=tisserand_jupiter(a, e, inclination_deg=i),
            orbital_period_d=orbital_period_d(a),
            perihelion_distance_au=a * (1.0 - e),
            aphelion_distance_au=a * (1.0 + e),
        )
    return table[[column.name for column in COLUMNS if column.name in table]]
