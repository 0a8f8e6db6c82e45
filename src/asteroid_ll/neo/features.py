"""Feature sets: from a canonical table to the float32 matrix of a linear model.

``raw``
    Every numeric column of the table except identity, date and label, in the table's order.
``clean``
    One column per quantity, see ``feature_sets.LEFT_OUT_OF_CLEAN``. Julian dates are relative to a reference day, the
    median of the training rows: absolute ones would lose up to an eighth of a day as float32.
``physics``
    Absolute magnitude H, MOID, ln MOID and the two hinges ``max(0, 22 - H)`` and ``max(0, 0.05 - MOID)``.
``spline``
    H, MOID and ln MOID as piecewise-linear functions, see ``splines``. Knots are quantiles of the training rows, and
    the limits of the label's definition, ``SHARP_KNOTS``.
``no-label-inputs``
    The orbit's elements, its distances from the Sun at perihelion, aphelion and both nodes, the gap between a node and
    the Earth's distance, and the approach if the table has it; all piecewise-linear. The elements alone determine how
    near an orbit comes to the Earth's, but not how bright the asteroid is.

A fitted set is a value: it is stored as JSON and gives the same matrix for the same rows everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.neo.derived import node_distances_au
from asteroid_ll.neo.feature_sets import APPROACH_COLUMNS, ELEMENTS, LABEL_INPUTS, NAMES, choices, require_name
from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
from asteroid_ll.neo.splines import Knots, fit_knots, ramp_names, ramps
from asteroid_ll.neo.table import find, locate, lookup

if TYPE_CHECKING:
    from asteroid_ll.formats.columns import Columns

MIN_MOID_AU = 1e-7
"""Smallest MOID in the logarithm, 15 km: orbits are not known better."""

MIN_NODE_GAP_AU = 1e-4
"""Smallest gap between a node and the Earth's distance in the logarithm."""

MIN_INCLINATION_DEG = 0.05
"""Smallest inclination in the logarithm of its sine."""

USUAL_KNOTS = 10
"""Knots per variable of ``spline`` at quantiles, beside those of the definition.

With 64 the model follows single labels near the limits that contradict the definition; with 4 it ranks worse. See
docs/numbers.md."""

USUAL_ORBIT_KNOTS = 16
"""The same of ``no-label-inputs``, which has no knots of the definition."""

ORBIT_KNOTS_DIVISOR = 4
"""``no-label-inputs`` has a quarter of a given number of knots, for about five times the variables of ``spline``."""


def _limit_knots(*, step_mag: float, step: float) -> Mapping[str, tuple[float, ...]]:
    """Return a knot at each limit of the definition and one just beyond, by variable."""
    beyond_au = MAX_MOID_AU * (1.0 + step)
    return MappingProxyType(
        {
            "absolute_magnitude_mag": (MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_ABSOLUTE_MAGNITUDE_MAG + step_mag),
            "moid_au": (MAX_MOID_AU, beyond_au),
            "ln_moid": (math.log(MAX_MOID_AU), math.log(beyond_au)),
        }
    )


SHARP_KNOTS = _limit_knots(step_mag=0.01, step=0.001)
"""Knots of ``spline`` at the definition's limits, where the label jumps: within the last digit of a magnitude, and
within a thousandth of the MOID."""

DEFINITION_KNOTS = _limit_knots(step_mag=0.02, step=0.01)
"""The same for a given number of knots, as in version 0.1.0, whose runs stay up to date."""

_BLOCK_ROWS = 1 << 14
_FORMAT_VERSION = 1
_JULIAN_DATE_UNIT = "JD"
_PHYSICS_COLUMNS = (
    "absolute_magnitude_mag",
    "moid_au",
    "ln_moid",
    "magnitude_below_22_mag",
    "moid_below_0.05_au",
)

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class FittedFeatures:
    """A feature set with the values that it learned from the training rows.

    Attributes:
        name: one of ``NAMES``.
        inputs: canonical names of the required columns.
        columns: names of the matrix's columns, shape ``(d,)``.
        knots: ascending knots per variable of a piecewise-linear set, in the variable's unit; empty for other sets.
        references: value subtracted from an input before rounding to float32, in the input's unit.
    """

    name: str
    inputs: tuple[str, ...]
    columns: tuple[str, ...]
    knots: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    references: Mapping[str, float] = field(default_factory=dict)

    def transform(self, table: Columns) -> Matrix:
        """Return the features of each row, float32 of shape ``(n_rows, d)``, C-contiguous.

        Features are computed in float64 and rounded once.

        Raises:
            DataError: the table lacks an input column, or a value is not a finite number.
        """
        values = self.values(table)
        matrix = np.empty((len(table), len(self.columns)), np.float32)
        for start in range(0, len(matrix), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            matrix[block] = self.of_columns({name: column[block] for name, column in values.items()})
        return matrix

    def values(self, table: Columns) -> dict[str, Array]:
        """Return the input columns by canonical name, float64 of shape ``(n_rows,)`` each, for `of_columns`.

        Raises:
            DataError: as for `transform`.
        """
        values = _values(table, self.inputs)
        if self.name == "no-label-inputs":
            _require_ellipses(values["eccentricity"])
        return values

    def of_columns(self, values: Mapping[str, Array]) -> Matrix:
        """Return `transform` of a table that is given by its columns, or of some of its rows, in any memory order.

        Args:
            values: finite numbers by canonical name, shape ``(n_rows,)`` each.

        Raises:
            DataError: an orbit is not elliptical.
        """
        if self.knots:
            return ramps(_variables(self.name, values), self.knots)
        if self.name == "physics":
            return _physics(values)
        columns = [values[name] - self.references.get(name, 0.0) for name in self.inputs]
        return np.column_stack(columns).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the set as JSON data for ``from_json``."""
        return {
            "version": _FORMAT_VERSION,
            "name": self.name,
            "inputs": list(self.inputs),
            "columns": list(self.columns),
            "knots": {name: list(knots) for name, knots in self.knots.items()},
            "references": dict(self.references),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FittedFeatures:
        """Return the set from the JSON data of ``to_json``.

        Raises:
            DataError: the data is of another version, or not a feature set.
        """
        hint = "Run the encode stage again with --force."
        if data.get("version") != _FORMAT_VERSION or data.get("name") not in NAMES:
            raise DataError(
                f"The stored feature set has version {data.get('version')!r} and name {data.get('name')!r}; "
                f"this release reads version {_FORMAT_VERSION} of {', '.join(NAMES)}.",
                hint=hint,
            )
        try:
            knots = {str(name): tuple(float(knot) for knot in knots) for name, knots in data["knots"].items()}
            references = {str(name): float(value) for name, value in data.get("references", {}).items()}
            return cls(data["name"], tuple(data["inputs"]), tuple(data["columns"]), knots, references)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"The stored feature set is damaged: {error!r}.", hint=hint) from error


def fit(name: str, table: Columns, *, n_knots: int | None = None) -> FittedFeatures:
    """Fit a feature set on the training rows.

    Args:
        name: one of ``NAMES``.
        table: training rows only, with canonical names or the tutorial's.
        n_knots: knots per variable of ``spline``, four times those of ``no-label-inputs``; ties can leave fewer. None
            for `USUAL_KNOTS` or `USUAL_ORBIT_KNOTS`.

    Raises:
        ConfigError: unknown set, or fewer than 2 knots.
        DataError: the table lacks a column, has a value that is not a finite number, or a variable does not vary.
    """
    require_name(name)
    if name in ("raw", "clean"):
        return _fit_columns(name, table)
    if name == "physics":
        return FittedFeatures(name, LABEL_INPUTS, _PHYSICS_COLUMNS)
    if name == "spline":
        if n_knots is None:
            return _fit_ramps(name, table, inputs=LABEL_INPUTS, n_knots=USUAL_KNOTS, fixed=SHARP_KNOTS)
        return _fit_ramps(name, table, inputs=LABEL_INPUTS, n_knots=n_knots, fixed=DEFINITION_KNOTS)
    inputs = (*ELEMENTS, *(column for column in APPROACH_COLUMNS if _varies(table, column)))
    if n_knots is None:
        n_knots = USUAL_ORBIT_KNOTS
    elif n_knots >= 2:
        n_knots = max(2, n_knots // ORBIT_KNOTS_DIVISOR)
    return _fit_ramps(name, table, inputs=inputs, n_knots=n_knots, fixed={})


def _varies(table: Columns, name: str) -> bool:
    """Return whether a table has a column, in any spelling, with more than one value."""
    spelled = [label for label in table.columns if (column := lookup(label)) is not None and column.name == name]
    return bool(spelled) and table[spelled[0]].nunique() > 1


def _fit_columns(name: str, table: Columns) -> FittedFeatures:
    inputs = tuple(choice.column.name for choice in choices(name, table.columns) if choice.taken)
    if not inputs:
        raise DataError("The table has no numeric column for features.", hint="Check the source and its columns.")
    spelled = locate(table.columns, inputs)
    if name == "raw":
        return FittedFeatures(name, inputs, tuple(spelled.values()))
    dates = [date for date in inputs if find(date).unit == _JULIAN_DATE_UNIT]
    values = _values(table, tuple(dates))
    references = {date: float(np.median(values[date])) for date in dates}
    return FittedFeatures(name, inputs, tuple(spelled.values()), references=references)


def _fit_ramps(name: str, table: Columns, *, inputs: tuple[str, ...], n_knots: int, fixed: Knots) -> FittedFeatures:
    knots = fit_knots(_variables(name, _values(table, inputs)), n_knots=n_knots, fixed=fixed)
    return FittedFeatures(name, inputs, ramp_names(knots), knots)


def _values(table: Columns, inputs: tuple[str, ...]) -> dict[str, Array]:
    """Return the input columns as float64, all values finite."""
    values = {}
    for name, spelled in locate(table.columns, inputs).items():
        values[name] = table[spelled].to_numpy(dtype=np.float64, na_value=np.nan)
        bad = np.flatnonzero(~np.isfinite(values[name]))
        if bad.size:
            raise DataError(
                f"Column {spelled} has {bad.size} values that are not finite numbers, first in data row {bad[0] + 1}.",
                hint="Remove those rows from the input.",
                column=spelled,
                row=int(bad[0]) + 1,
            )
    return values


def _require_ellipses(eccentricity: Array) -> None:
    open_orbits = np.flatnonzero((eccentricity < 0.0) | (eccentricity >= 1.0))
    if open_orbits.size:
        raise DataError(
            f"Data row {open_orbits[0] + 1}: eccentricity {eccentricity[open_orbits[0]]:g} is not an elliptical orbit "
            "(expected 0 <= e < 1).",
            hint="Remove that row, or correct its eccentricity.",
            row=int(open_orbits[0]) + 1,
        )


def _ln_moid(moid_au: Array) -> Array:
    return np.asarray(np.log(np.maximum(moid_au, MIN_MOID_AU)))


def _physics(values: Mapping[str, Array]) -> Matrix:
    magnitude_mag, moid_au = (values[name] for name in LABEL_INPUTS)
    magnitude_hinge = np.maximum(0.0, MAX_ABSOLUTE_MAGNITUDE_MAG - magnitude_mag)
    moid_hinge = np.maximum(0.0, MAX_MOID_AU - moid_au)
    return np.column_stack([magnitude_mag, moid_au, _ln_moid(moid_au), magnitude_hinge, moid_hinge]).astype(np.float32)


def _variables(name: str, values: Mapping[str, Array]) -> dict[str, Array]:
    """Return the variables of a piecewise-linear set."""
    if name == "spline":
        magnitude_mag, moid_au = (values[column] for column in LABEL_INPUTS)
        return {"absolute_magnitude_mag": magnitude_mag, "moid_au": moid_au, "ln_moid": _ln_moid(moid_au)}
    eccentricity, axis_au, inclination_deg = (values[column] for column in ELEMENTS[:3])
    _require_ellipses(eccentricity)
    ascending_au, descending_au = node_distances_au(
        axis_au, eccentricity, perihelion_argument_deg=values["perihelion_argument_deg"]
    )
    gap_au = np.maximum(np.minimum(np.abs(ascending_au - 1.0), np.abs(descending_au - 1.0)), MIN_NODE_GAP_AU)
    sine = np.sin(np.radians(np.maximum(inclination_deg, MIN_INCLINATION_DEG)))
    return {
        **values,
        "perihelion_distance_au": axis_au * (1.0 - eccentricity),
        "aphelion_distance_au": axis_au * (1.0 + eccentricity),
        "ascending_node_distance_au": ascending_au,
        "descending_node_distance_au": descending_au,
        "ln_node_gap": np.log(gap_au),
        "ln_node_gap_sin_inclination": np.log(gap_au * sine),
    }
