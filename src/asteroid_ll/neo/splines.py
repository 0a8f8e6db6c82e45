"""Piecewise-linear functions as features: a ramp that rises from 0 to 1 between each two neighbouring knots.

Every continuous piecewise-linear function that is constant beyond the outer knots is a weighted sum of ramps. A weight
is the difference of the function between two knots.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.errors import ConfigError, DataError

Array = NDArray[np.float64]
Knots = Mapping[str, tuple[float, ...]]


def fit_knots(variables: Mapping[str, Array], *, n_knots: int, fixed: Knots) -> dict[str, tuple[float, ...]]:
    """Place knots at quantiles, and at given values within a variable's range.

    Args:
        variables: values by variable, shape ``(n_rows,)`` each.
        n_knots: knots per variable at quantiles; ties leave fewer.
        fixed: further knots by variable, in the variable's unit; those beyond the outer quantiles are left out.

    Returns:
        Ascending knots by variable, in the variable's unit, at least two each.

    Raises:
        ConfigError: ``n_knots`` is less than 2.
        DataError: a variable has only one value.
    """
    if n_knots < 2:
        raise ConfigError(
            f"A spline needs at least 2 knots, not {n_knots}.",
            hint="The default of features.n_knots suits the feature set.",
        )
    # Half a step inside the extremes: the outer ramps also need rows to learn from.
    shares = (np.arange(n_knots) + 0.5) / n_knots
    knots = {}
    for name, values in variables.items():
        at_quantiles = np.quantile(values, shares)
        further = [knot for knot in fixed.get(name, ()) if at_quantiles[0] < knot < at_quantiles[-1]]
        knots[name] = tuple(np.unique([*at_quantiles, *further]).tolist())
        if len(knots[name]) < 2:
            raise DataError(
                f"The training rows have only one value of {name}, {knots[name][0]:g}: no spline can be fitted.",
                hint="Train on more asteroids, or choose the feature set physics.",
            )
    return knots


def ramp_names(knots: Knots) -> tuple[str, ...]:
    """Return the names of the ramps, in the order of ``ramps``."""
    return tuple(f"{name}_ramp_{i:02d}" for name in knots for i in range(len(knots[name]) - 1))


def ramps(variables: Mapping[str, Array], knots: Knots) -> NDArray[np.float32]:
    """Return each variable's ramps side by side: 0 below a ramp, 1 above it, the fraction of the way within.

    Args:
        variables: values of at least the variables that have knots, shape ``(n_rows,)`` each.
        knots: ascending knots by variable.

    Returns:
        float32 of shape ``(n_rows, number of ramps)``, column after column in memory.
    """
    n_rows = next(iter(variables.values())).size
    columns = np.empty((sum(len(knots[name]) - 1 for name in knots), n_rows), dtype=np.float32)
    start = 0
    for name in knots:
        edges = np.asarray(knots[name])[:, np.newaxis]
        fractions = np.clip(variables[name], edges[0], edges[-1]) - edges[:-1]
        fractions /= np.diff(edges, axis=0)
        columns[start : start + len(fractions)] = np.clip(fractions, 0.0, 1.0, out=fractions)
        start += len(fractions)
    return columns.T
