"""Repair of the 40-column export after a spreadsheet has rewritten it. Losses that cannot be repaired are reported.

Two rewritten copies of the export circulate beside the original. Both write dates day first, times without seconds,
truth values in capitals, and numbers in at most eleven characters. They round the time of the approach, which is in
milliseconds, to six digits (7.88947E+11) or to three. The copy with three digits also calls the approached body "sun".
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.neo.sources.reading import Note, Reading

if TYPE_CHECKING:
    import pandas as pd

MAX_IDENTITY_ERROR_AU = 1e-12
"""Largest error of q = a (1 - e) for numbers with all digits. Numbers of eleven characters differ by up to 1e-8."""

_DATE_COLUMNS = ("close_approach_date", "orbit_determination_date")
_SPREADSHEET_DATE = r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?"
_MS_PER_H = 3_600_000
_MS_PER_DAY = 24 * _MS_PER_H
_PACIFIC_STANDARD_H = 8


def repair(table: pd.DataFrame, *, labels: pd.Series) -> Reading:
    """Undo a spreadsheet's changes to the export.

    Args:
        table: canonical table of all 40 columns.
        labels: the label's texts in the file.

    Returns:
        The table with ISO 8601 dates, approach times to the millisecond and the Earth as approached body, if they can
        be determined, with a note for each repair and loss. The original export is returned unchanged without notes.
    """
    notes: list[Note] = []
    capitals = int(labels.str.strip().isin(["TRUE", "FALSE"]).sum())
    if capitals:
        notes.append(Note("repaired", "truth values written in capitals", capitals, "hazardous"))
    for name in _DATE_COLUMNS:
        table = _repair_dates(table, name, notes)
    table = _repair_epochs(table, notes)
    table = _repair_body(table, notes)
    _note_digits(table, notes)
    return Reading(table, tuple(notes))


def _repair_dates(table: pd.DataFrame, name: str, notes: list[Note]) -> pd.DataFrame:
    texts = table[name]
    parts = texts.str.extract(f"^{_SPREADSHEET_DATE}$")
    if parts[0].isna().any():
        return table
    first, second = parts[0].astype(int), parts[1].astype(int)
    if first.max() > 12 and second.max() > 12:
        return table
    if first.max() <= 12 and second.max() <= 12:
        notes.append(Note("lost", "which number of a date is the day and which the month", len(table), name))
        return table
    month_first = second.max() > 12
    month, day = (parts[0], parts[1]) if month_first else (parts[1], parts[0])
    repaired = parts[2] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    with_time = parts[3].notna()
    seconds = parts[5].fillna("00")
    repaired = repaired.where(~with_time, repaired + " " + parts[3].str.zfill(2) + ":" + parts[4] + ":" + seconds)
    order = "month" if month_first else "day"
    notes.append(Note("repaired", f"dates written {order} first", len(table), name))
    without_seconds = int((with_time & parts[5].isna()).sum())
    if without_seconds:
        notes.append(Note("lost", "seconds of the time of day", without_seconds, name))
    return table.assign(**{name: repaired})


def _repair_epochs(table: pd.DataFrame, notes: list[Note]) -> pd.DataFrame:
    """Restore rounded approach times: in the export each is midnight in California on the approach's date."""
    name = "close_approach_unix_ms"
    days = table["close_approach_date"]
    if not days.str.fullmatch(r"\d{4}-\d{2}-\d{2}").all():
        return table
    try:
        midnight_ms = pacific_midnights_ms(days.to_numpy(dtype="datetime64[D]"))
    except ValueError:
        return table
    written_ms = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    differs = written_ms != midnight_ms
    if not differs.any():
        return table
    for n_digits in range(2, 10):
        if np.array_equal(_rounded(midnight_ms, n_digits), written_ms):
            what = f"times rounded to {n_digits} digits, restored from the date"
            notes.append(Note("repaired", what, int(differs.sum()), name))
            return table.assign(**{name: midnight_ms})
    return table


def pacific_midnights_ms(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the instant of midnight in California on each day, in milliseconds since 1970, shape ``(n,)``.

    Args:
        days: dates, ``datetime64[D]``, shape ``(n,)``.

    Source: daylight saving time is from the first Sunday of April to the last of October since 1987, and from the
    second Sunday of March to the first of November since 2007 (United States Code, title 15, section 260a).
    """
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    summer = np.zeros(days.shape, dtype=bool)
    for year in np.unique(years):
        start, end = _summer_time(int(year))
        # The clocks change at 2 in the morning: the first day's midnight is standard time, the last day's is not.
        summer |= (years == year) & (days > np.datetime64(start)) & (days <= np.datetime64(end))
    offset_ms = (_PACIFIC_STANDARD_H - summer.astype(np.int64)) * _MS_PER_H
    return np.asarray(days.astype(np.int64) * _MS_PER_DAY + offset_ms)


def _summer_time(year: int) -> tuple[datetime.date, datetime.date]:
    if year >= 2007:
        return _sunday(year, 3, from_day=8), _sunday(year, 11, from_day=1)
    return _sunday(year, 4, from_day=1), _sunday(year, 10, from_day=25)


def _sunday(year: int, month: int, *, from_day: int) -> datetime.date:
    """Return the first Sunday of a month on or after a day."""
    day = datetime.date(year, month, from_day)
    return day + datetime.timedelta(days=6 - day.weekday())


def _rounded(values: NDArray[np.int64], n_digits: int) -> NDArray[np.float64]:
    return np.array([float(f"{value:.{n_digits - 1}e}") for value in values.tolist()])


def _repair_body(table: pd.DataFrame, notes: list[Note]) -> pd.DataFrame:
    """Replace "sun" by the Earth, if all rows have it: the export lists only approaches to the Earth."""
    if not table["orbiting_body"].str.strip().str.lower().eq("sun").all():
        return table
    notes.append(Note("repaired", 'approached body written as "sun"', len(table), "orbiting_body"))
    return table.assign(orbiting_body="Earth")


def _note_digits(table: pd.DataFrame, notes: list[Note]) -> None:
    a, e, q = (table[name].to_numpy() for name in ("semi_major_axis_au", "eccentricity", "perihelion_distance_au"))
    error_au = float(np.abs(a * (1.0 - e) - q).max())
    if MAX_IDENTITY_ERROR_AU < error_au < 1e-3:
        what = f"digits of the numbers: a (1 - e) and q differ by up to {error_au:.0e} au"
        notes.append(Note("lost", what, len(table)))
