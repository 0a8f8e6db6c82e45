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
    """Make the canonical table of an archive's records, see `batch_of`.

    Args:
        records: one per row.
        where: name of the records' source in messages.
        notes: earlier notes, to which the new ones are added.

    Raises:
        DataError: a value does not fit its column, or no row is usable.
    """
    raw = pd.DataFrame.from_records(list(records))
    if raw.empty:
        raise DataError(f"{where} has no asteroid.", hint="Check the options of the source.")
    reading = batch_of(raw, where=where, notes=notes)
    require_rows(len(reading.table), where=where)
    return reading


def require_rows(n_rows: int, *, where: str) -> None:
    """Refuse a source without a usable row.

    Raises:
        DataError: there is none.
    """
    if n_rows == 0:
        raise DataError(f"{where} has no asteroid with magnitude, MOID, orbit and label.", hint="Use another source.")


def batch_of(
    raw: pd.DataFrame, *, where: str, notes: tuple[Note, ...] = (), earth_epoch_jd: float | None = None
) -> Reading:
    """Make the canonical table of a batch of an archive's rows. It may be empty.

    Rows without a required value are left out, with a note per column. The MOID and other quantities that follow from
    the elements are added if the rows have no MOID, the diameters if they have none. Orbits that are not elliptical are
    then left out too.

    Args:
        raw: values by canonical column; NaN or None for an absent one.
        where: name of the rows' source in messages.
        notes: earlier notes, to which the new ones are added.
        earth_epoch_jd: epoch of the Earth's orbit for the MOID, as Julian date; None is the median of the rows.

    Raises:
        DataError: a value does not fit its column.
    """
    all_notes = list(notes)
    for column in COLUMNS:
        if column.name not in raw or column.may_be_missing or (column.kind is Kind.TEXT and not column.required):
            continue
        absent = raw[column.name].isna().to_numpy()
        if absent.any():
            all_notes.append(Note("left out", f"rows without {column.title}", int(absent.sum()), column.name))
            raw = raw[~absent]
    raw = raw.reset_index(drop=True)
    texts = {
        column.name: raw[column.name].fillna("").astype(str)
        for column in COLUMNS
        if column.name in raw and column.kind in (Kind.TEXT, Kind.BOOLEAN)
    }
    table = checked(raw.assign(**texts), where=where)
    if "moid_au" not in table:
        is_ellipse = table["eccentricity"].between(0.0, 1.0, inclusive="left") & (table["semi_major_axis_au"] > 0.0)
        if not is_ellipse.all():
            count = int((~is_ellipse).sum())
            all_notes.append(Note("left out", "orbits that are not elliptical", count, "eccentricity"))
            table = table[is_ellipse].reset_index(drop=True)
        epoch_jd = float(table["epoch_osculation_jd"].median()) if earth_epoch_jd is None else earth_epoch_jd
        table = _with_distances(table, epoch_jd=epoch_jd)
    return Reading(_completed(table), tuple(all_notes))


def rows_of(records: Sequence[Record], *, where: str) -> pd.DataFrame:
    """Return the table of one asteroid's records, without a label unless all of them have one; empty for none."""
    if not records:
        return pd.DataFrame()
    if any(record.get(LABEL) is None for record in records):
        records = [{name: value for name, value in record.items() if name != LABEL} for record in records]
    return reading_of(records, where=where).table


def _with_distances(table: pd.DataFrame, *, epoch_jd: float) -> pd.DataFrame:
    """Add the MOID to the Earth's orbit of an epoch, and the other quantities that follow from the elements."""
    e, a, i, node, argument = (table[name].to_numpy(dtype=np.float64) for name in ELEMENTS)
    return table.assign(
        moid_au=earth_moid_au(Orbits(a, e, i, node, argument), epoch_jd=epoch_jd),
        tisserand_jupiter=tisserand_jupiter(a, e, inclination_deg=i),
        orbital_period_d=orbital_period_d(a),
        perihelion_distance_au=a * (1.0 - e),
        aphelion_distance_au=a * (1.0 + e),
    )


def _completed(table: pd.DataFrame) -> pd.DataFrame:
    """Add the diameters, and put the columns in their order."""
    if "diameter_min_km" not in table:
        magnitude_mag = table["absolute_magnitude_mag"].to_numpy(dtype=np.float64)
        table = table.assign(
            diameter_min_km=diameter_km(magnitude_mag, albedo=ALBEDO_BRIGHT),
            diameter_max_km=diameter_km(magnitude_mag, albedo=ALBEDO_DARK),
        )
    return table[[column.name for column in COLUMNS if column.name in table]]
