"""The columns of an asteroid table: name, unit, type, role, and header in files.

A table in memory is a pandas DataFrame with the canonical names below, in this order, as far as its source has them.
The headers are those of the 40-column NeoWs export, including its spelling mistakes. The bundled catalogue uses the
canonical names.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from asteroid_ll.errors import DataError


class Kind(StrEnum):
    """Type of a column's values."""

    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


class Role(StrEnum):
    """Purpose of a column."""

    IDENTITY = "identity"
    LABEL = "label"
    DATE = "date"
    CONSTANT = "constant"
    FEATURE = "feature"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an asteroid table.

    Attributes:
        name: canonical name, which includes the unit.
        title: name for people, as in a figure's axis.
        unit: unit as astronomers write it; empty for a pure number or a text.
        kind: type of the values.
        role: purpose of the column. Only ``FEATURE`` columns are features of a model.
        header: name in the 40-column NeoWs export; empty if that file does not have the column.
        required: whether every table needs the column.
        may_be_missing: whether single values may be absent, such as an uncertainty that was never computed.
    """

    name: str
    title: str
    unit: str
    kind: Kind
    role: Role
    header: str
    required: bool = False
    may_be_missing: bool = False

    @property
    def tutorial_name(self) -> str:
        """Name of the column in the published tutorial: lower case, ``_`` for blanks, no brackets."""
        return header_key(self.header)


def header_key(header: str) -> str:
    """Return the normal form of a header: lower case, ``_`` for blanks, no brackets."""
    return re.sub(r"\s+", "_", header.strip().lower()).replace("(", "").replace(")", "")


def _feature(name: str, title: str, unit: str, header: str, *, kind: Kind = Kind.FLOAT, **flags: bool) -> Column:
    return Column(name, title, unit, kind, Role.FEATURE, header, **flags)


COLUMNS: tuple[Column, ...] = (
    Column("asteroid_id", "Identity", "", Kind.TEXT, Role.IDENTITY, "Neo Reference ID", required=True),
    Column("name", "Name", "", Kind.TEXT, Role.IDENTITY, "Name"),
    _feature("absolute_magnitude_mag", "Absolute magnitude H", "mag", "Absolute Magnitude", required=True),
    _feature("diameter_min_km", "Smallest diameter", "km", "Est Dia in KM(min)"),
    _feature("diameter_max_km", "Largest diameter", "km", "Est Dia in KM(max)"),
    _feature("diameter_min_m", "Smallest diameter", "m", "Est Dia in M(min)"),
    _feature("diameter_max_m", "Largest diameter", "m", "Est Dia in M(max)"),
    _feature("diameter_min_mi", "Smallest diameter", "mi", "Est Dia in Miles(min)"),
    _feature("diameter_max_mi", "Largest diameter", "mi", "Est Dia in Miles(max)"),
    _feature("diameter_min_ft", "Smallest diameter", "ft", "Est Dia in Feet(min)"),
    _feature("diameter_max_ft", "Largest diameter", "ft", "Est Dia in Feet(max)"),
    Column("close_approach_date", "Date of close approach", "", Kind.TEXT, Role.DATE, "Close Approach Date"),
    Column(
        "close_approach_unix_ms", "Time of close approach", "ms", Kind.INTEGER, Role.DATE, "Epoch Date Close Approach"
    ),
    _feature("relative_velocity_km_per_s", "Relative velocity", "km/s", "Relative Velocity km per sec"),
    _feature("relative_velocity_km_per_h", "Relative velocity", "km/h", "Relative Velocity km per hr"),
    _feature("relative_velocity_mi_per_h", "Relative velocity", "mi/h", "Miles per hour"),
    _feature("miss_distance_au", "Miss distance", "au", "Miss Dist.(Astronomical)"),
    _feature("miss_distance_ld", "Miss distance", "LD", "Miss Dist.(lunar)"),
    _feature("miss_distance_km", "Miss distance", "km", "Miss Dist.(kilometers)"),
    _feature("miss_distance_mi", "Miss distance", "mi", "Miss Dist.(miles)"),
    Column("orbiting_body", "Approached body", "", Kind.TEXT, Role.CONSTANT, "Orbiting Body"),
    _feature("orbit_id", "Orbit solution number", "", "Orbit ID", kind=Kind.INTEGER),
    Column("orbit_determination_date", "Date of orbit solution", "", Kind.TEXT, Role.DATE, "Orbit Determination Date"),
    _feature(
        "orbit_uncertainty", "Orbit uncertainty code", "", "Orbit Uncertainity", kind=Kind.INTEGER, may_be_missing=True
    ),
    _feature("moid_au", "Earth MOID", "au", "Minimum Orbit Intersection", required=True),
    _feature("tisserand_jupiter", "Tisserand parameter to Jupiter", "", "Jupiter Tisserand Invariant"),
    _feature("epoch_osculation_jd", "Epoch of osculation", "JD", "Epoch Osculation"),
    _feature("eccentricity", "Eccentricity", "", "Eccentricity"),
    _feature("semi_major_axis_au", "Semi-major axis", "au", "Semi Major Axis"),
    _feature("inclination_deg", "Inclination", "deg", "Inclination"),
    _feature("ascending_node_longitude_deg", "Longitude of ascending node", "deg", "Asc Node Longitude"),
    _feature("orbital_period_d", "Orbital period", "d", "Orbital Period"),
    _feature("perihelion_distance_au", "Perihelion distance", "au", "Perihelion Distance"),
    _feature("perihelion_argument_deg", "Argument of perihelion", "deg", "Perihelion Arg"),
    _feature("aphelion_distance_au", "Aphelion distance", "au", "Aphelion Dist"),
    _feature("perihelion_time_jd", "Time of perihelion", "JD", "Perihelion Time"),
    _feature("mean_anomaly_deg", "Mean anomaly", "deg", "Mean Anomaly"),
    _feature("mean_motion_deg_per_d", "Mean motion", "deg/d", "Mean Motion"),
    Column("equinox", "Equinox", "", Kind.TEXT, Role.CONSTANT, "Equinox"),
    Column("hazardous", "Potentially hazardous", "", Kind.BOOLEAN, Role.LABEL, "Hazardous", required=True),
)

LABEL = "hazardous"
IDENTITY = "asteroid_id"


@cache
def _index() -> dict[str, Column]:
    return {key: column for column in COLUMNS for key in (column.name, column.tutorial_name)}


def lookup(name: str) -> Column | None:
    """Return the column that ``name`` means (canonical, tutorial or file header, any case), or None."""
    return _index().get(header_key(name))


def find(name: str) -> Column:
    """Return the column that ``name`` means.

    Raises:
        DataError: unknown column; the nearest name is in the hint.
    """
    column = lookup(name)
    if column is None:
        near = difflib.get_close_matches(header_key(name), _index(), n=1)
        hint = f"The nearest name is {near[0]!r}." if near else f"Known columns: {', '.join(c.name for c in COLUMNS)}."
        raise DataError(f"Unknown asteroid column {name!r}.", hint=hint, column=name)
    return column


def locate(names: Iterable[str], required: Iterable[str]) -> dict[str, str]:
    """Map each required canonical name to its spelling in a table, in the order of ``required``.

    Args:
        names: the table's column names, canonical or the tutorial's.
        required: canonical names.

    Raises:
        DataError: the table lacks required columns; the message names all of them.
    """
    present = {column.name: name for name in names if (column := lookup(name)) is not None}
    required = list(required)
    missing = [name for name in required if name not in present]
    if missing:
        raise DataError(
            f"The table has no column {', '.join(missing)}.",
            hint="Choose another source or feature set.",
            missing=missing,
        )
    return {name: present[name] for name in required}
