"""The possible values of each numeric column, and the unit that a value outside them is probably in.

The limits of a near-Earth asteroid find wrong units. A row with an orbit that stays far from the Earth has wider ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.neo.table import find

Array = NDArray[np.float64]

PLACEHOLDER_MAGNITUDE_MAG = 90.0
"""Catalogues write 99.99 for an absolute magnitude that was not measured."""

WORST_UNCERTAINTY = 9
"""Upper end of the scale of orbit uncertainties, from 0 (well known) to 9."""

MIN_FAR_PERIHELION_AU = 1.3
"""Perihelion of the nearest asteroid that is not a near-Earth one, and so not potentially hazardous by definition.

Source: CNEOS, "NEO Basics", https://cneos.jpl.nasa.gov/about/neo_groups.html.
"""

_KM_PER_AU = 149_597_870.7
"""International Astronomical Union, resolution B2 (2012)."""

_LD_PER_AU = _KM_PER_AU / 384_399
"""The Moon's mean distance is 384,399 km: NASA, https://nssdc.gsfc.nasa.gov/planetary/factsheet/moonfact.html."""

_MIN_ANGLES = 5
"""Rows from which on angles within 2 pi are taken for radians: five in degrees are so small with a chance of 2e-9."""

_SPREAD_ANGLES = ("ascending_node_longitude_deg", "perihelion_argument_deg")
"""Angles that take every value from 0 to 360 degrees about equally often."""

ANGLES = (*_SPREAD_ANGLES, "inclination_deg", "mean_anomaly_deg")


@dataclass(frozen=True, slots=True)
class Range:
    """The possible values of a column.

    Attributes:
        low: the smallest, in the column's unit.
        high: the largest.
        others: other meanings of a value: each with the smallest and the largest value that has it.
        is_open: whether ``high`` itself is impossible.
    """

    low: float
    high: float
    others: tuple[tuple[str, float, float], ...] = ()
    is_open: bool = False

    def outside(self, values: Array) -> NDArray[np.bool_]:
        """Return which values are impossible; NaN is not."""
        too_high = values >= self.high if self.is_open else values > self.high
        return np.asarray((values < self.low) | too_high)

    def meaning(self, value: float) -> str:
        """Return what a value outside the range probably is; empty if nothing fits."""
        return next((name for name, low, high in self.others if low <= value <= high), "")


def _distance_au(low: float, high: float) -> Range:
    return Range(
        low,
        high,
        (
            ("lunar distances", high, high * _LD_PER_AU),
            ("km", high * _LD_PER_AU, high * _KM_PER_AU),
            ("m", high * _KM_PER_AU, high * _KM_PER_AU * 1000),
        ),
    )


_DEGREES = Range(-360, 360)
_JULIAN_DATE = Range(1_500_000, 3_500_000, (("a modified Julian date", 10_000, 110_000),))

RANGES: Mapping[str, Range] = {
    "absolute_magnitude_mag": Range(
        5,
        40,
        (("a diameter in km", 0, 5), ("a magnitude with the wrong sign", -40, -5), ("a diameter in m", 40, 100_000)),
    ),
    "diameter_min_km": Range(0, 1e3, (("m", 1e3, 1e6),)),
    "diameter_max_km": Range(0, 1e3, (("m", 1e3, 1e6),)),
    "diameter_min_m": Range(0, 1e6),
    "diameter_max_m": Range(0, 1e6),
    "diameter_min_mi": Range(0, 1e3, (("ft", 1e3, 1e7),)),
    "diameter_max_mi": Range(0, 1e3, (("ft", 1e3, 1e7),)),
    "diameter_min_ft": Range(0, 1e7),
    "diameter_max_ft": Range(0, 1e7),
    "relative_velocity_km_per_s": Range(0, 100, (("km/h", 1000, 360_000),)),
    "relative_velocity_km_per_h": Range(0, 360_000),
    "relative_velocity_mi_per_h": Range(0, 240_000),
    "miss_distance_au": _distance_au(0, 10),
    "miss_distance_ld": Range(0, 4_000, (("km", 4_000, 1.5e9),)),
    "miss_distance_km": Range(0, 1.5e9),
    "miss_distance_mi": Range(0, 1e9),
    "orbit_id": Range(0, 1e6),
    "orbit_uncertainty": Range(0, 9),
    "moid_au": _distance_au(0, 1.3),  # the largest perihelion distance of a near-Earth asteroid
    "tisserand_jupiter": Range(-10, 100),
    "epoch_osculation_jd": _JULIAN_DATE,
    "eccentricity": Range(0, 1, is_open=True),
    "semi_major_axis_au": _distance_au(0.1, 10_000),
    "inclination_deg": Range(0, 180),
    "ascending_node_longitude_deg": _DEGREES,
    "orbital_period_d": Range(20, 4e8, (("years", 0.05, 20),)),
    "perihelion_distance_au": _distance_au(0, 100),
    "perihelion_argument_deg": _DEGREES,
    "aphelion_distance_au": _distance_au(0.1, 20_000),
    "perihelion_time_jd": _JULIAN_DATE,
    "mean_anomaly_deg": _DEGREES,
    "mean_motion_deg_per_d": Range(0, 20),
}
"""The possible values by canonical column name, wider than those of any known near-Earth asteroid."""

FAR_RANGES: Mapping[str, Range] = {
    "absolute_magnitude_mag": Range(
        -2, 40, (("a magnitude with the wrong sign", -40, -2), ("a diameter in m", 40, 100_000))
    ),
    "moid_au": _distance_au(0, 100),
}
"""The same beyond `MIN_FAR_PERIHELION_AU`, from the main belt to Eris (H = -1.2) and 2012 VP113 (perihelion 80 au).

The MOID of such an orbit is at least 110 lunar distances, so no value in another unit is within the range."""


def refusals(name: str, values: Array, *, are_far: Callable[[], NDArray[np.bool_]] | None = None) -> dict[int, str]:
    """Return why single values of a column are impossible, by row (0-based).

    Args:
        name: canonical name of the column.
        values: the column, shape ``(n_rows,)``; NaN for a value that is refused for another reason.
        are_far: returns for each row whether its perihelion is known to be beyond `MIN_FAR_PERIHELION_AU`. It is called
            if that can matter.
    """
    allowed = RANGES.get(name)
    if allowed is None:
        return {}
    outside = allowed.outside(values)
    if are_far is None or name not in FAR_RANGES or not outside.any():
        return {row: _sentence(name, allowed, float(values[row])) for row in np.flatnonzero(outside).tolist()}
    far, far_range = are_far(), FAR_RANGES[name]
    rows = np.flatnonzero(np.where(far, far_range.outside(values), outside)).tolist()
    return {row: _sentence(name, far_range if far[row] else allowed, float(values[row])) for row in rows}


def radians(columns: Mapping[str, Array], *, in_degrees: set[str] | None = None) -> dict[str, str]:
    """Return why whole columns of angles are refused, by name: their values are radians.

    Args:
        columns: columns by canonical name, shape ``(n_rows,)`` each.
        in_degrees: names of the columns in which rows before these have a value above 2 pi. Those in which these rows
            have one are added.
    """
    known = set() if in_degrees is None else in_degrees
    angles = [name for name in ANGLES if name in columns and name not in known]
    known.update(name for name in angles if (np.abs(columns[name]) > 2 * math.pi).any())
    small = [name for name in angles if name not in known and _are_several(columns[name])]
    if not any(name in small for name in _SPREAD_ANGLES):
        return {}
    return {
        name: f"{name} looks like radians: no value of the column is above 2 pi; degrees are needed" for name in small
    }


def _are_several(values: Array) -> bool:
    known = values[~np.isnan(values)]
    return known.size >= _MIN_ANGLES and np.unique(known).size > 1


def _sentence(name: str, allowed: Range, value: float) -> str:
    if name == "eccentricity":
        return f"eccentricity {value:.10g} is not an elliptical orbit (expected 0 <= e < 1)"
    meaning = allowed.meaning(value)
    unit = find(name).unit
    limits = f"{allowed.low:.10g} to {allowed.high:.10g}" + (f" {unit}" if unit else "")
    return f"{name} is {value:.10g}, outside {limits}" + (f"; it looks like {meaning}" if meaning else "")
