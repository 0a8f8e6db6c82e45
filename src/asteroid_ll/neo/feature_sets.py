"""The columns of each feature set, and the reasons for leaving columns out.

``clean`` keeps one column per quantity. ``no-label-inputs`` answers the scientifically interesting question: how well
do the orbit's shape and the approach predict the label, without brightness and the published MOID?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from asteroid_ll.errors import ConfigError
from asteroid_ll.neo.table import COLUMNS, Column, Role, lookup

SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "raw": "every numeric column as it is",
        "clean": "one column per quantity, without copies in other units, values that Kepler's laws give, and leaks",
        "physics": "H, MOID, ln MOID and the two hinges of the definition",
        "spline": "H, MOID and ln MOID as piecewise-linear functions",
        "no-label-inputs": "orbit and approach as piecewise-linear functions, without H, MOID and diameters",
    }
)
"""Each set in one line."""

NAMES = tuple(SUMMARIES)

LABEL_INPUTS = ("absolute_magnitude_mag", "moid_au")
"""The two columns that define the label."""

ELEMENTS = (
    "eccentricity",
    "semi_major_axis_au",
    "inclination_deg",
    "ascending_node_longitude_deg",
    "perihelion_argument_deg",
)
"""The five elements that define the position of an orbit."""

APPROACH_COLUMNS = ("tisserand_jupiter", "relative_velocity_km_per_s", "miss_distance_au")
"""Columns that ``no-label-inputs`` adds to the elements if a table has them and they vary."""

_FROM_MAGNITUDE = "follows from H alone: 1329 km / sqrt(albedo) 10^(-H/5)"
_OBSERVED = "shows how well the asteroid is observed, which depends on its brightness: a leak"

LEFT_OUT_OF_CLEAN: Mapping[str, str] = MappingProxyType(
    {
        **{column.name: _FROM_MAGNITUDE for column in COLUMNS if column.name.startswith("diameter_")},
        "relative_velocity_km_per_h": "relative_velocity_km_per_s in another unit",
        "relative_velocity_mi_per_h": "relative_velocity_km_per_s in another unit",
        "miss_distance_ld": "miss_distance_au in another unit",
        "miss_distance_km": "miss_distance_au in another unit",
        "miss_distance_mi": "miss_distance_au in another unit",
        "orbital_period_d": "follows from the semi-major axis by Kepler's third law",
        "mean_motion_deg_per_d": "is 360 degrees / orbital period",
        "perihelion_distance_au": "is a (1 - e)",
        "aphelion_distance_au": "is a (1 + e)",
        "perihelion_time_jd": "follows from epoch, mean anomaly and period",
        "orbit_id": _OBSERVED,
        "orbit_uncertainty": _OBSERVED,
    }
)
"""Numeric columns that ``clean`` leaves out, with the reasons."""

_LEFT_OUT_OF_ORBIT = {
    "absolute_magnitude_mag": "defines the label",
    "moid_au": "defines the label",
    "perihelion_distance_au": "is computed from the elements, for every table alike",
    "aphelion_distance_au": "is computed from the elements, for every table alike",
    "mean_anomaly_deg": "gives the position of the asteroid on one day, not of its orbit",
    "epoch_osculation_jd": "gives the position of the asteroid on one day, not of its orbit",
}
_NOT_NUMERIC: Mapping[Role, str] = MappingProxyType(
    {
        Role.IDENTITY: "identifies the asteroid",
        Role.LABEL: "is the label",
        Role.DATE: "is a date, which depends on when the sample was drawn",
        Role.CONSTANT: "is the same in every row",
    }
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a set takes a column; ``why`` is the reason for leaving it out, empty if it is taken."""

    column: Column
    why: str

    @property
    def taken(self) -> bool:
        """Whether the set takes the column."""
        return not self.why


def require_name(name: str) -> None:
    """Refuse an unknown feature set.

    Raises:
        ConfigError: the name is not one of ``NAMES``.
    """
    if name not in NAMES:
        raise ConfigError(f"Unknown feature set {name!r}.", hint=f"Choose one of {', '.join(NAMES)}.", name=name)


def choices(name: str, columns: Iterable[str]) -> tuple[Choice, ...]:
    """Return whether a set takes each known column of a table, in the given order.

    Args:
        name: one of ``NAMES``.
        columns: the table's column names, in any spelling; unknown ones are skipped.
    """
    known = [column for spelled in columns if (column := lookup(spelled)) is not None]
    return tuple(Choice(column, _why_left_out(name, column)) for column in known)


def _why_left_out(name: str, column: Column) -> str:
    """Return why a set leaves out a column; empty if it takes the column."""
    if column.role is not Role.FEATURE:
        return _NOT_NUMERIC[column.role]
    if name == "raw":
        return ""
    if name == "clean":
        return LEFT_OUT_OF_CLEAN.get(column.name, "")
    if name in ("physics", "spline"):
        return "" if column.name in LABEL_INPUTS else "does not define the label"
    if column.name in (*ELEMENTS, *APPROACH_COLUMNS):
        return ""
    return _LEFT_OUT_OF_ORBIT.get(column.name) or LEFT_OUT_OF_CLEAN[column.name]
