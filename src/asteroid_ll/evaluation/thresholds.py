"""What a threshold costs: a missed hazardous asteroid against a false alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.evaluation.ranking import Floats, as_labels, as_scores

THRESHOLDS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
COST_RATIOS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""How many false alarms a missed hazardous asteroid is worth."""


@dataclass(frozen=True)
class ThresholdRow:
    """What is predicted above one threshold.

    Attributes:
        threshold: rows with a higher score count as hazardous.
        found: hazardous rows above it.
        missed: hazardous rows at or below it.
        false_alarms: other rows above it.
        precision: share of the rows above it that are hazardous; None where there are none.
        recall: share of the hazardous rows that are above it; None where there are none.
        f1: harmonic mean of the two; None where neither a row is hazardous nor one is above it.
    """

    threshold: float
    found: int
    missed: int
    false_alarms: int
    precision: float | None
    recall: float | None
    f1: float | None

    def cost(self, cost_ratio: float) -> float:
        """Its cost in false alarms, each missed row counting as ``cost_ratio`` of them."""
        return cost_ratio * self.missed + self.false_alarms


@dataclass(frozen=True)
class Cheapest:
    """The threshold of least cost at one cost ratio.

    Attributes:
        cost_ratio: how many false alarms a missed hazardous row is worth.
        cost: the least cost, in false alarms.
        row: the threshold and what it does.
    """

    cost_ratio: float
    cost: float
    row: ThresholdRow


def threshold_table(
    labels: ArrayLike, scores: ArrayLike, *, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[ThresholdRow, ...]:
    """What each of some thresholds does, in their order.

    Args:
        labels: 0 or 1 a row, shape ``(n_rows,)``.
        scores: a number that grows with the belief in 1, shape ``(n_rows,)``.
        thresholds: rows with a higher score count as hazardous.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.
    """
    ordered, below = _cumulate(labels, scores)
    cuts = np.searchsorted(ordered, np.asarray(thresholds, dtype=np.float64), side="right")
    return tuple(_row(float(t), int(cut), below) for t, cut in zip(thresholds, cuts, strict=True))


def cheapest_thresholds(
    labels: ArrayLike, scores: ArrayLike, *, cost_ratios: Sequence[float] = COST_RATIOS
) -> tuple[Cheapest, ...]:
    """The threshold of least cost for each cost ratio: exact, since every observed score is tried.

    Chosen on the rows that it is scored on, it flatters: on new rows the cost is higher.

    Args:
        labels: 0 or 1 a row, shape ``(n_rows,)``.
        scores: a number that grows with the belief in 1, shape ``(n_rows,)``.
        cost_ratios: how many false alarms a missed hazardous row is worth.

    Returns:
        One a ratio, in their order. Of equally cheap thresholds the lowest; it lies midway between two neighbouring
        scores, or just outside all of them.

    Raises:
        DataError: see `threshold_table`.
    """
    ordered, below = _cumulate(labels, scores)
    cuts = np.concatenate(([0], np.flatnonzero(np.diff(ordered)) + 1, [ordered.size]))
    missed = below[cuts]
    alarms = (ordered.size - cuts) - (below[-1] - missed)
    found = []
    for ratio in cost_ratios:
        cut = int(cuts[np.argmin(ratio * missed + alarms)])
        row = _row(_between(ordered, cut), cut, below)
        found.append(Cheapest(float(ratio), row.cost(ratio), row))
    return tuple(found)


def to_json(rows: Sequence[ThresholdRow], cheapest: Sequence[Cheapest]) -> dict[str, Any]:
    """Both tables, plain enough for JSON."""
    return {"thresholds": [asdict(row) for row in rows], "cheapest": [asdict(item) for item in cheapest]}


def _cumulate(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """The scores ascending, and how many positives are among the first 0, 1, 2, ... of them."""
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)
    order = np.argsort(values, kind="stable")
    below = np.zeros(truth.size + 1, dtype=np.int64)
    np.cumsum(truth[order], out=below[1:])
    return values[order], below


def _row(threshold: float, cut: int, below: NDArray[np.int64]) -> ThresholdRow:
    n_positive, n_above = int(below[-1]), below.size - 1 - cut
    missed = int(below[cut])
    found = n_positive - missed
    return ThresholdRow(
        threshold,
        found=found,
        missed=missed,
        false_alarms=n_above - found,
        precision=found / n_above if n_above else None,
        recall=found / n_positive if n_positive else None,
        f1=2 * found / (n_above + n_positive) if n_above + n_positive else None,
    )


def _between(ordered: Floats, cut: int) -> float:
    if cut == 0:
        return float(np.nextafter(ordered[0], -np.inf))
    if cut == ordered.size:
        return float(ordered[-1])
    middle = (ordered[cut - 1] + ordered[cut]) / 2
    return float(middle if middle < ordered[cut] else ordered[cut - 1])
