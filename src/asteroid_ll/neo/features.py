"""Feature sets: from a canonical table to the float32 matrix that a linear model sees.

``raw``
    Every numeric column of the table that is neither identity, date nor label, in the table's order, as it is.
``physics``
    Absolute magnitude H, MOID, ln MOID and the two hinges ``max(0, 22 - H)`` and ``max(0, 0.05 - MOID)``.
``spline``
    H, MOID and ln MOID as piecewise-linear functions: between two neighbouring knots a ramp that rises from 0 to 1.
    A weighted sum of ramps is any continuous piecewise-linear function that is constant beyond the outer knots, and a
    weight is the step that the function takes between two knots. Knots are quantiles of the rows it was fitted on.

A fitted set is a value: it is stored as JSON and gives the same matrix for the same rows, whoever applies it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
from asteroid_ll.neo.table import Role, locate, lookup

if TYPE_CHECKING:
    import pandas as pd

NAMES = ("raw", "physics", "spline")
DEFAULT_NAME = "spline"
DEFAULT_N_KNOTS = 64

MIN_MOID_AU = 1e-7
"""MOIDs are raised to this (15 km) before the logarithm: orbits are not known better."""

_FORMAT_VERSION = 1
_INPUTS = ("absolute_magnitude_mag", "moid_au")
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
    """A feature set with everything it learned from the training rows.

    Attributes:
        name: ``raw``, ``physics`` or ``spline``.
        inputs: canonical names of the columns that a table must have.
        columns: names of the matrix's columns, shape ``(d,)``.
        knots: ascending knots a spline variable, in the variable's unit; empty for the other sets.
    """

    name: str
    inputs: tuple[str, ...]
    columns: tuple[str, ...]
    knots: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def transform(self, table: pd.DataFrame) -> Matrix:
        """Return the features of each row, float32 of shape ``(n_rows, d)``, C-contiguous.

        Computed in float64 and rounded once.

        Raises:
            DataError: the table lacks an input column, or a value is not a finite number.
        """
        values = _values(table, self.inputs)
        if self.name == "raw":
            return np.column_stack(list(values.values())).astype(np.float32)
        if self.name == "physics":
            return _physics(values)
        return _ramps(_spline_variables(values), self.knots)

    def to_json(self) -> dict[str, Any]:
        """Return the set as JSON data; ``from_json`` takes it back."""
        return {
            "version": _FORMAT_VERSION,
            "name": self.name,
            "inputs": list(self.inputs),
            "columns": list(self.columns),
            "knots": {name: list(knots) for name, knots in self.knots.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FittedFeatures:
        """Return the set that ``to_json`` wrote.

        Raises:
            DataError: the data is of another version, or not a feature set.
        """
        hint = "Run the encode stage again to write it afresh."
        if data.get("version") != _FORMAT_VERSION or data.get("name") not in NAMES:
            raise DataError(
                f"The stored feature set has version {data.get('version')!r} and name {data.get('name')!r}; "
                f"this release reads version {_FORMAT_VERSION} of {', '.join(NAMES)}.",
                hint=hint,
            )
        try:
            knots = {str(name): tuple(float(knot) for knot in knots) for name, knots in data["knots"].items()}
            return cls(data["name"], tuple(data["inputs"]), tuple(data["columns"]), knots)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"The stored feature set is damaged: {error!r}.", hint=hint) from error


def fit(name: str, table: pd.DataFrame, *, n_knots: int = DEFAULT_N_KNOTS) -> FittedFeatures:
    """Fit a feature set on the training rows.

    Args:
        name: ``raw``, ``physics`` or ``spline``.
        table: training rows only, canonical or the tutorial's column names.
        n_knots: knots a variable of ``spline``; ties can leave fewer.

    Raises:
        ConfigError: there is no such set, or fewer than 2 knots.
        DataError: the table lacks a column, has a value that is not a finite number, or a variable does not vary.
    """
    fitters: dict[str, Callable[[], FittedFeatures]] = {
        "raw": lambda: _fit_raw(table),
        "physics": lambda: FittedFeatures("physics", _INPUTS, _PHYSICS_COLUMNS),
        "spline": lambda: _fit_spline(table, n_knots),
    }
    if name not in fitters:
        raise ConfigError(f"There is no feature set {name!r}.", hint=f"Choose one of {', '.join(NAMES)}.", name=name)
    return fitters[name]()


def _fit_raw(table: pd.DataFrame) -> FittedFeatures:
    found = [(column.name, name) for name in table.columns if (column := lookup(name)) and column.role is Role.FEATURE]
    if not found:
        raise DataError(
            "The table has no numeric column to make features of.", hint="Check the source and its columns."
        )
    inputs, columns = zip(*found, strict=True)
    return FittedFeatures("raw", inputs, columns)


def _fit_spline(table: pd.DataFrame, n_knots: int) -> FittedFeatures:
    if n_knots < 2:
        raise ConfigError(f"A spline needs at least 2 knots, not {n_knots}.", hint=f"The default is {DEFAULT_N_KNOTS}.")
    knots: dict[str, tuple[float, ...]] = {}
    for name, values in _spline_variables(_values(table, _INPUTS)).items():
        # Half a step inside the extremes, so that the outer ramps too have rows to learn from.
        knots[name] = tuple(np.unique(np.quantile(values, (np.arange(n_knots) + 0.5) / n_knots)).tolist())
        if len(knots[name]) < 2:
            raise DataError(
                f"The training rows have one value of {name} only, {knots[name][0]:g}: no spline can be fitted.",
                hint="Train on more asteroids, or choose the feature set physics.",
            )
    columns = tuple(f"{name}_ramp_{i:02d}" for name in knots for i in range(len(knots[name]) - 1))
    return FittedFeatures("spline", _INPUTS, columns, knots)


def _values(table: pd.DataFrame, inputs: tuple[str, ...]) -> dict[str, Array]:
    """Return the input columns as float64, every value finite."""
    values = {}
    for name, spelled in locate(table.columns, inputs).items():
        values[name] = table[spelled].to_numpy(dtype=np.float64, na_value=np.nan)
        bad = np.flatnonzero(~np.isfinite(values[name]))
        if bad.size:
            raise DataError(
                f"Column {spelled} has {bad.size} values that are no finite numbers, first in data row {bad[0] + 1}.",
                hint="Remove those rows from the input.",
                column=spelled,
                row=int(bad[0]) + 1,
            )
    return values


def _ln_moid(moid_au: Array) -> Array:
    return np.asarray(np.log(np.maximum(moid_au, MIN_MOID_AU)))


def _physics(values: Mapping[str, Array]) -> Matrix:
    magnitude_mag, moid_au = (values[name] for name in _INPUTS)
    matrix = np.empty((magnitude_mag.size, len(_PHYSICS_COLUMNS)), dtype=np.float32)
    matrix[:, 0] = magnitude_mag
    matrix[:, 1] = moid_au
    matrix[:, 2] = _ln_moid(moid_au)
    matrix[:, 3] = np.maximum(0.0, MAX_ABSOLUTE_MAGNITUDE_MAG - magnitude_mag)
    matrix[:, 4] = np.maximum(0.0, MAX_MOID_AU - moid_au)
    return matrix


def _spline_variables(values: Mapping[str, Array]) -> dict[str, Array]:
    magnitude_mag, moid_au = (values[name] for name in _INPUTS)
    return {"absolute_magnitude_mag": magnitude_mag, "moid_au": moid_au, "ln_moid": _ln_moid(moid_au)}


def _ramps(variables: Mapping[str, Array], knots: Mapping[str, tuple[float, ...]]) -> Matrix:
    """Return each variable's ramps side by side: 0 below the ramp, 1 above, the fraction of the way within."""
    widths = [len(knots[name]) - 1 for name in knots]
    n_rows = next(iter(variables.values())).size
    matrix = np.empty((n_rows, sum(widths)), dtype=np.float32)
    rows = np.arange(n_rows)
    start = 0
    for name, width in zip(knots, widths, strict=True):
        edges = np.asarray(knots[name])
        value = np.clip(variables[name], edges[0], edges[-1])
        interval = np.clip(np.searchsorted(edges, value, side="right") - 1, 0, width - 1)
        block = matrix[:, start : start + width]
        block[...] = np.arange(width) < interval[:, None]
        block[rows, interval] = (value - edges[interval]) / (edges[interval + 1] - edges[interval])
        start += width
    return matrix
