"""The weights of a linear model in the features' own units, and their effects on the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.report.tables import Rows, format_number


@dataclass(frozen=True)
class Weight:
    """One feature's weight.

    Attributes:
        feature: name of the matrix's column.
        step: meaning of a step of 1 in the feature, such as ``1 km`` or ``from 21.9 to 22.1 mag``.
        weight: change of the raw score per step (of the log-odds, for a logistic model).
        spread: standard deviation of the feature over the given rows.
    """

    feature: str
    step: str
    weight: float
    spread: float

    @property
    def effect(self) -> float:
        """Change of the raw score per standard deviation of the feature: comparable between features."""
        return self.weight * self.spread

    def to_json(self) -> dict[str, Any]:
        """Return everything by name."""
        return {**asdict(self), "effect": self.effect}


@dataclass(frozen=True)
class LearnedFunction:
    """A piecewise-linear function of one variable that a model has learned.

    Attributes:
        variable: its name.
        knots: ascending, in the variable's unit, shape ``(n,)``.
        values: contribution to the raw score at each knot, 0 at the first, shape ``(n,)``.
    """

    variable: str
    knots: NDArray[np.float64]
    values: NDArray[np.float64]


def weigh(
    columns: Sequence[str], weights: ArrayLike, *, steps: Sequence[str], features: ArrayLike
) -> tuple[Weight, ...]:
    """Return the weights with their names, in the order of the matrix's columns.

    Args:
        columns: names of the columns, shape ``(d,)``.
        weights: in the features' own units, shape ``(d,)``.
        steps: meaning of a step of 1 in each feature, shape ``(d,)``.
        features: rows over which the spread is computed, shape ``(n, d)``.
    """
    spread = np.asarray(features, dtype=np.float64).std(axis=0)
    values = np.asarray(weights, dtype=np.float64)
    return tuple(
        Weight(str(name), step, float(weight), float(one))
        for name, step, weight, one in zip(columns, steps, values, spread, strict=True)
    )


def learned_functions(knots: Mapping[str, Sequence[float]], weights: ArrayLike) -> tuple[LearnedFunction, ...]:
    """Sum the weights of each variable's ramps to the function that they form.

    Args:
        knots: ascending knots per variable; n knots give n - 1 ramps, in the order of ``weights``.
        weights: weights of the ramps, shape ``(number of ramps,)``.
    """
    steps = np.asarray(weights, dtype=np.float64)
    functions, start = [], 0
    for variable, edges in knots.items():
        stop = start + len(edges) - 1
        values = np.concatenate(([0.0], np.cumsum(steps[start:stop])))
        functions.append(LearnedFunction(variable, np.asarray(edges, dtype=np.float64), values))
        start = stop
    return tuple(functions)


def by_effect(weights: Sequence[Weight]) -> list[Weight]:
    """Sort weights by the size of their effect, largest first, then by name."""
    return sorted(weights, key=lambda item: (-abs(item.effect), item.feature))


def weight_rows(weights: Sequence[Weight], *, limit: int) -> Rows:
    """Return a table of the weights of largest effect, at most ``limit`` of them."""
    rows: Rows = [("Feature", "A step of 1 is", "Weight", "Spread of the feature", "Weight × spread")]
    for item in by_effect(weights)[:limit]:
        numbers = (item.weight, item.spread, item.effect)
        rows.append((item.feature, item.step, *(format_number(value) for value in numbers)))
    return rows
