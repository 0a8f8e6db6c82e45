"""Repair of the 40-column export after a spreadsheet has rewritten it. Losses that cannot be repaired are reported.

Two rewritten copies of the export circulate beside the original. Both write dates day first, times without seconds,
truth values in capitals, and numbers in at most eleven characters. They round the time of the approach, which is in
milliseconds, to six digits (7.88947E+11) or to three. The copy with three digits also calls the approached body "sun".
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.neo.sources.reading import Note, Reading, together

if TYPE_CHECKING:
    import pandas as pd

MAX_IDENTITY_ERROR_AU = 1e-12
"""Largest error of q = a (1 - e) for numbers with all digits. Numbers of eleven characters differ by up to 1e-8."""

_IDENTITY_COLUMNS = ("semi_major_axis_au", "eccentricity", "perihelion_distance_au")
_DATE_COLUMNS = ("close_approach_date", "orbit_determination_date")
SURVEYED = frozenset({*_DATE_COLUMNS, "close_approach_unix_ms", "orbiting_body", *_IDENTITY_COLUMNS})
"""The columns that show what a spreadsheet has changed."""

_SPREADSHEET_DATE = r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?"
_MS_PER_H = 3_600_000
_MS_PER_DAY = 24 * _MS_PER_H
_PACIFIC_STANDARD_H = 8


@dataclass(frozen=True)
class Changes:
    """The changes of a spreadsheet to an export, decided on all its rows.

    Attributes:
        dates: what the first number of the dates is, by column: ``day``, ``month`` or, if it can be either,
            ``unknown``; only columns that the spreadsheet has rewritten.
        epoch_digits: digits to which the approach times are rounded; 0 if they are whole or cannot be restored.
        is_sun: whether all rows name the sun as approached body.
        identity_error_au: largest error of q = a (1 - e).
    """

    dates: Mapping[str, str]
    epoch_digits: int
    is_sun: bool
    identity_error_au: float

    def undo(self, table: pd.DataFrame, *, labels: pd.Series) -> Reading:
        """Undo the changes in some rows of the export.

        Args:
            table: canonical table of all 40 columns.
            labels: the label's texts in the file.

        Returns:
            The table with ISO 8601 dates, approach times to the millisecond and the Earth as approached body, if they
            can be determined, with a note for each repair and loss, also for those that these rows do not need.
        """
        capitals = int(labels.str.strip().isin(["TRUE", "FALSE"]).sum())
        notes = [Note("repaired", "truth values written in capitals", capitals, "hazardous")]
        table = self.with_dates(table, notes)
        if self.epoch_digits:
            name = "close_approach_unix_ms"
            midnight_ms = pacific_midnights_ms(_days(table))
            what = f"times rounded to {self.epoch_digits} digits, restored from the date"
            notes.append(Note("repaired", what, int((_written_ms(table) != midnight_ms).sum()), name))
            table = table.assign(**{name: midnight_ms})
        if self.is_sun:
            notes.append(Note("repaired", 'approached body written as "sun"', len(table), "orbiting_body"))
            table = table.assign(orbiting_body="Earth")
        if MAX_IDENTITY_ERROR_AU < self.identity_error_au < 1e-3:
            what = f"digits of the numbers: a (1 - e) and q differ by up to {self.identity_error_au:.0e} au"
            notes.append(Note("lost", what, len(table)))
        return Reading(table, tuple(notes))

    def with_dates(self, table: pd.DataFrame, notes: list[Note]) -> pd.DataFrame:
        """Return a table with its dates in ISO 8601, and append the notes on them."""
        for name, first in self.dates.items():
            table = _with_iso_dates(table, name, first, notes)
        return table


def survey(batches: Callable[[], Iterable[pd.DataFrame]]) -> Changes:
    """Find the changes of a spreadsheet to an export.

    Args:
        batches: yields the canonical table of the columns in ``SURVEYED``, in blocks of rows; is called twice.
    """
    largest: dict[str, tuple[int, int] | None] = dict.fromkeys(_DATE_COLUMNS, (0, 0))
    is_sun, error_au = True, 0.0
    for table in batches():
        for name, before in largest.items():
            largest[name] = before and _largest_numbers(table[name], before)
        is_sun = is_sun and bool(table["orbiting_body"].str.strip().str.lower().eq("sun").all())
        a, e, q = (table[name].to_numpy() for name in _IDENTITY_COLUMNS)
        error_au = max(error_au, float(np.abs(a * (1.0 - e) - q).max()))
    dates = {name: first for name, numbers in largest.items() if numbers and (first := _first_number(*numbers))}
    changes = Changes(dates, 0, is_sun, error_au)
    return replace(changes, epoch_digits=_epoch_digits(changes.with_dates(table, []) for table in batches()))


def repair(table: pd.DataFrame, *, labels: pd.Series) -> Reading:
    """Undo a spreadsheet's changes to a whole export, see `Changes.undo`; the original is returned without notes."""
    reading = survey(lambda: [table]).undo(table, labels=labels)
    return Reading(reading.table, together(reading.notes))


def _largest_numbers(texts: pd.Series, before: tuple[int, int]) -> tuple[int, int] | None:
    """Return the largest first and second number of dates as a spreadsheet writes them; None for another format."""
    parts = texts.str.extract(f"^{_SPREADSHEET_DATE}$")
    if parts[0].isna().any():
        return None
    first, second = (int(parts[position].astype(int).max()) for position in (0, 1))
    return max(first, before[0]), max(second, before[1])


def _first_number(first: int, second: int) -> str:
    """Return what the first number of dates is, from the largest first and second number; empty if it is neither."""
    if first > 12 and second > 12:
        return ""
    if first <= 12 and second <= 12:
        return "unknown"
    return "month" if second > 12 else "day"


def _with_iso_dates(table: pd.DataFrame, name: str, first: str, notes: list[Note]) -> pd.DataFrame:
    if first == "unknown":
        notes.append(Note("lost", "which number of a date is the day and which the month", len(table), name))
        return table
    parts = table[name].str.extract(f"^{_SPREADSHEET_DATE}$")
    month, day = (parts[0], parts[1]) if first == "month" else (parts[1], parts[0])
    repaired = parts[2] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    with_time = parts[3].notna()
    seconds = parts[5].fillna("00")
    repaired = repaired.where(~with_time, repaired + " " + parts[3].str.zfill(2) + ":" + parts[4] + ":" + seconds)
    notes.append(Note("repaired", f"dates written {first} first", len(table), name))
    notes.append(Note("lost", "seconds of the time of day", int((with_time & parts[5].isna()).sum()), name))
    return table.assign(**{name: repaired})


def _epoch_digits(tables: Iterable[pd.DataFrame]) -> int:
    """Return the digits to which approach times are rounded: in the export each is midnight in California."""
    candidates, is_changed = list(range(2, 10)), False
    for table in tables:
        if not table["close_approach_date"].str.fullmatch(r"\d{4}-\d{2}-\d{2}").all():
            return 0
        try:
            midnight_ms = pacific_midnights_ms(_days(table))
        except ValueError:
            return 0
        written_ms = _written_ms(table)
        is_changed = is_changed or bool((written_ms != midnight_ms).any())
        for rows in (slice(1), slice(None)):  # the first row decides most of them
            candidates = [n for n in candidates if np.array_equal(_rounded(midnight_ms[rows], n), written_ms[rows])]
        if not candidates:
            return 0
    return candidates[0] if is_changed else 0


def _days(table: pd.DataFrame) -> NDArray[np.datetime64]:
    return table["close_approach_date"].to_numpy(dtype="datetime64[D]")


def _written_ms(table: pd.DataFrame) -> NDArray[np.float64]:
    return table["close_approach_unix_ms"].to_numpy(dtype=np.float64, na_value=np.nan)


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
