"""Every column of an asteroid table, once: name, unit, type, role, and what each file calls it.

A table in memory is a pandas DataFrame whose columns carry the canonical names below, in this order, as far as
its source has them. The headers are those of the 40-column NeoWs export, spelling mistakes included; the bundled
catalogue uses the canonical names themselves.
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
    """How a column's values are written and held."""

    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


class Role(StrEnum):
    """What a column is for."""

    IDENTITY = "identity"
    LABEL = "label"
    DATE = "date"
    CONSTANT = "constant"
    FEATURE = "feature"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an asteroid table.

    Attributes:
        name: canonical name, with the unit in it where there is one.
        title: what people call it, as in a figure's axis.
        unit: unit as written in the field; empty for a pure number or a text.
        kind: how the values are held.
        role: what the column is for. Only ``FEATURE`` columns are given to a model.
        header: name in the 40-column NeoWs export; empty when that file has no such column.
        in_catalogue: whether the bundled catalogue has the column.
        required: whether no run can do without the column.
        may_be_missing: whether a single value may be absent, as an uncertainty that was never computed.
    """

    name: str
    title: str
    unit: str
    kind: Kind
    role: Role
    header: str
    in_catalogue: bool = False
    required: bool = False
    may_be_missing: bool = False

    @property
    def tutorial_name(self) -> str:
        """Name that the published tutorial gives the column: lower case, blanks to ``_``, no brackets."""
        return header_key(self.header)


def header_key(header: str) -> str:
    """Return what two spellings of one header have in common: lower case, ``_`` for blanks, no brackets."""
    return re.sub(r"\s+", "_", header.strip().lower()).replace("(", "").replace(")", "")


def _feature(
    name: str, title: str, unit: str, header: str, *, in_catalogue: bool = False, integer: bool = False
) -> Column:
    return Column(name, title, unit, Kind.INTEGER if integer else Kind.FLOAT, Role.FEATURE, header, in_catalogue)


COLUMNS: tuple[Column, ...] = (
    Column(
        "asteroid_id", "Identity", "", Kind.TEXT, Role.IDENTITY, "Neo Reference ID", in_catalogue=True, required=True
    ),
    Column("name", "Name", "", Kind.TEXT, Role.IDENTITY, "Name", in_catalogue=True),
    Column(
        "absolute_magnitude_mag",
        "Absolute magnitude H",
        "mag",
        Kind.FLOAT,
        Role.FEATURE,
        "Absolute Magnitude",
        in_catalogue=True,
        required=True,
    ),
    _feature("diameter_min_km", "Smallest diameter", "km", "Est Dia in KM(min)", in_catalogue=True),
    _feature("diameter_max_km", "Largest diameter", "km", "Est Dia in KM(max)", in_catalogue=True),
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
    _feature("orbit_id", "Orbit solution number", "", "Orbit ID", integer=True),
    Column("orbit_determination_date", "Date of orbit solution", "", Kind.TEXT, Role.DATE, "Orbit Determination Date"),
    Column(
        "orbit_uncertainty",
        "Orbit uncertainty code",
        "",
        Kind.INTEGER,
        Role.FEATURE,
        "Orbit Uncertainity",
        in_catalogue=True,
        may_be_missing=True,
    ),
    Column(
        "moid_au",
        "Earth MOID",
        "au",
        Kind.FLOAT,
        Role.FEATURE,
        "Minimum Orbit Intersection",
        in_catalogue=True,
        required=True,
    ),
    _feature(
        "tisserand_jupiter", "Tisserand parameter to Jupiter", "", "Jupiter Tisserand Invariant", in_catalogue=True
    ),
    _feature("epoch_osculation_jd", "Epoch of osculation", "JD", "Epoch Osculation", in_catalogue=True),
    _feature("eccentricity", "Eccentricity", "", "Eccentricity", in_catalogue=True),
    _feature("semi_major_axis_au", "Semi-major axis", "au", "Semi Major Axis", in_catalogue=True),
    _feature("inclination_deg", "Inclination", "deg", "Inclination", in_catalogue=True),
    _feature(
        "ascending_node_longitude_deg", "Longitude of ascending node", "deg", "Asc Node Longitude", in_catalogue=True
    ),
    _feature("orbital_period_d", "Orbital period", "d", "Orbital Period", in_catalogue=True),
    _feature("perihelion_distance_au", "Perihelion distance", "au", "Perihelion Distance", in_catalogue=True),
    _feature("perihelion_argument_deg", "Argument of perihelion", "deg", "Perihelion Arg", in_catalogue=True),
    _feature("aphelion_distance_au", "Aphelion distance", "au", "Aphelion Dist", in_catalogue=True),
    _feature("perihelion_time_jd", "Time of perihelion", "JD", "Perihelion Time"),
    _feature("mean_anomaly_deg", "Mean anomaly", "deg", "Mean Anomaly", in_catalogue=True),
    _feature("mean_motion_deg_per_d", "Mean motion", "deg/d", "Mean Motion"),
    Column("equinox", "Equinox", "", Kind.TEXT, Role.CONSTANT, "Equinox"),
    Column(
        "hazardous",
        "Potentially hazardous",
        "",
        Kind.BOOLEAN,
        Role.LABEL,
        "Hazardous",
        in_catalogue=True,
        required=True,
    ),
)

LABEL = "hazardous"
IDENTITY = "asteroid_id"
TUTORIAL_DROPS = (
    "close_approach_date",
    "close_approach_unix_ms",
    "orbiting_body",
    "orbit_determination_date",
    "equinox",
)
"""The constant and date columns that the tutorial drops, which leaves 35."""


@cache
def _index() -> dict[str, Column]:
    return {key: column for column in COLUMNS for key in (column.name, column.tutorial_name)}


def lookup(name: str) -> Column | None:
    """Return the column that ``name`` means (canonical, tutorial or file header, any case), or None."""
    return _index().get(header_key(name))


def find(name: str) -> Column:
    """Return the column that ``name`` means.

    Raises:
        DataError: there is no such column; the nearest name is in the hint.
    """
    column = lookup(name)
    if column is None:
        near = difflib.get_close_matches(header_key(name), _index(), n=1)
        hint = f"The nearest name is {near[0]!r}." if near else f"Known columns: {', '.join(c.name for c in COLUMNS)}."
        raise DataError(f"There is no asteroid column {name!r}.", hint=hint, column=name)
    return column


def locate(names: Iterable[str], wanted: Iterable[str]) -> dict[str, str]:
    """Map each wanted canonical name to the spelling that a table uses for it.

    Args:
        names: the table's own column names, canonical or the tutorial's.
        wanted: canonical names.

    Returns:
        Canonical name to the table's name, in the order of ``wanted``.

    Raises:
        DataError: the table lacks wanted columns; all of them are named.
    """
    present = {column.name: name for name in names if (column := lookup(name)) is not None}
    wanted = list(wanted)
    missing = [name for name in wanted if name not in present]
    if missing:
        raise DataError(
            f"The table has no column {', '.join(missing)}.",
            hint="Choose a source or a feature set that has what the other needs.",
            missing=missing,
        )
    return {name: present[name] for name in wanted}
