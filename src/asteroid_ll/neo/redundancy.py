"""Redundant columns, and columns that float32 cannot represent, detected in the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.columns import Columns
from asteroid_ll.neo.derived import ALBEDO_BRIGHT, ALBEDO_DARK, diameter_km, orbital_period_d
from asteroid_ll.neo.table import COLUMNS, Column, Kind

Array = NDArray[np.float64]

MAX_RELATIVE_ERROR = 1e-4
"""Largest relative error with which other columns give the values of a redundant column."""

MAX_FLOAT32_ERROR_IN_SPREADS = 1e-6
"""Median error of rounding to float32, in standard deviations, above which a column is reported."""

_TIME_UNITS = ("JD", "ms")


@dataclass(frozen=True, slots=True)
class Redundant:
    """A column that follows from others.

    Attributes:
        column: canonical name.
        follows_from: the formula, in canonical names.
        kind: ``unit`` for a copy in another unit, ``magnitude`` or ``kepler``.
        worst_error: largest error of the formula, relative to the value; for a time, relative to the period.
    """

    column: str
    follows_from: str
    kind: str
    worst_error: float


@dataclass(frozen=True, slots=True)
class Float32Loss:
    """The largest rounding error of a column as float32, the type that Linear Learner reads.

    The error is in the column's unit, in days for a Julian date.
    """

    column: str
    unit: str
    worst_error: float


def redundant_columns(table: Columns) -> tuple[Redundant, ...]:
    """Return the columns of a canonical table that follow from others by a formula that is true in every row.

    Copies in other units come first, then columns that follow from H, then those that follow from Kepler's laws.
    """
    copies = list(_unit_copies(table))
    copied = {copy.column for copy in copies}
    formulas = (*_from_magnitude(table), *_from_elements(table))
    return (*copies, *(formula for formula in formulas if formula.column not in copied))


def float32_errors(values: Array) -> Array:
    """Return the error of rounding each finite value to float32, in the values' unit."""
    finite = values[np.isfinite(values)]
    return np.asarray(np.abs(finite.astype(np.float32).astype(np.float64) - finite))


def float32_losses(table: Columns) -> tuple[Float32Loss, ...]:
    """Return the columns of a canonical table that lose precision as float32.

    These are times with any error, and other columns with a median error above ``MAX_FLOAT32_ERROR_IN_SPREADS``.
    Columns with a single value are left out.
    """
    losses = []
    for column in _numeric(table):
        values = _of(table, column.name)
        errors = float32_errors(values)
        spread = float(np.nanstd(values)) if errors.size else 0.0
        if not spread or not errors.max():
            continue
        limit = MAX_FLOAT32_ERROR_IN_SPREADS * spread
        if column.unit in _TIME_UNITS or np.median(errors) > limit:
            unit = "d" if column.unit == "JD" else column.unit
            losses.append(Float32Loss(column.name, unit, float(errors.max())))
    return tuple(losses)


def _numeric(table: Columns) -> list[Column]:
    return [column for column in COLUMNS if column.name in table.columns and column.kind in (Kind.FLOAT, Kind.INTEGER)]


def _unit_copies(table: Columns) -> Iterator[Redundant]:
    """Yield each column that is a constant times an earlier one of the same title."""
    copies: set[str] = set()
    for first, later in combinations(_numeric(table), 2):
        if first.title != later.title or first.unit == later.unit or first.name in copies:
            continue
        one, other = (_of(table, column.name) for column in (first, later))
        factor = float(np.nansum(one * other) / np.nansum(one * one)) if np.nansum(one * one) else np.nan
        error = _relative_error(other, one * factor)
        if error <= MAX_RELATIVE_ERROR:
            copies.add(later.name)
            yield Redundant(later.name, f"{first.name} x {factor:.6g}", "unit", error)


def _from_magnitude(table: Columns) -> Iterator[Redundant]:
    for name, albedo in (("diameter_min_km", ALBEDO_BRIGHT), ("diameter_max_km", ALBEDO_DARK)):
        if {name, "absolute_magnitude_mag"} <= set(table.columns):
            error = _relative_error(_of(table, name), diameter_km(_of(table, "absolute_magnitude_mag"), albedo=albedo))
            if error <= MAX_RELATIVE_ERROR:
                yield Redundant(name, f"1329 / sqrt({albedo}) 10^(-absolute_magnitude_mag / 5)", "magnitude", error)


def _from_elements(table: Columns) -> Iterator[Redundant]:
    """Yield columns that follow from the semi-major axis, the eccentricity, the mean anomaly and the epoch."""
    columns = set(table.columns)
    if not {"semi_major_axis_au", "eccentricity"} <= columns:
        return
    axis_au, eccentricity = _of(table, "semi_major_axis_au"), _of(table, "eccentricity")
    period_d = orbital_period_d(np.maximum(axis_au, 0.0))
    formulas = {
        "perihelion_distance_au": ("semi_major_axis_au (1 - eccentricity)", axis_au * (1.0 - eccentricity)),
        "aphelion_distance_au": ("semi_major_axis_au (1 + eccentricity)", axis_au * (1.0 + eccentricity)),
        "orbital_period_d": ("365.2569 semi_major_axis_au^1.5", period_d),
        "mean_motion_deg_per_d": ("360 / orbital_period_d", 360.0 / np.maximum(period_d, 1e-9)),
    }
    for name, (formula, values) in formulas.items():
        if name in columns:
            error = _relative_error(_of(table, name), values)
            if error <= MAX_RELATIVE_ERROR:
                yield Redundant(name, formula, "kepler", error)
    if {"perihelion_time_jd", "epoch_osculation_jd", "mean_anomaly_deg"} <= columns:
        since_d = _of(table, "mean_anomaly_deg") / 360.0 * period_d
        away_d = np.abs(_of(table, "perihelion_time_jd") - (_of(table, "epoch_osculation_jd") - since_d)) % period_d
        error = float(np.max(np.minimum(away_d, period_d - away_d) / period_d, initial=0.0))
        if error <= MAX_RELATIVE_ERROR:
            formula = "epoch_osculation_jd - mean_anomaly_deg / mean_motion_deg_per_d, modulo the period"
            yield Redundant("perihelion_time_jd", formula, "kepler", error)


def _of(table: Columns, name: str) -> Array:
    """Return a column as float64, NaN for absent values."""
    return np.asarray(table[name].to_numpy(dtype=np.float64, na_value=np.nan))


def _relative_error(values: Array, expected: Array) -> float:
    """Return the largest relative error, infinite if a value is missing."""
    both = np.isfinite(values) & np.isfinite(expected)
    if not both.all() or not values.size:
        return float("inf")
    scale = np.maximum(np.abs(values), np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        return float(np.max(np.abs(values - expected) / scale))
