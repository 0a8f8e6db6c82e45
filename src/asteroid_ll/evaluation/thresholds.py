"""Decisions by threshold, and their cost: a missed hazardous asteroid against false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.evaluation.ranking import Floats, as_labels, as_scores
from asteroid_ll.formats.payload import Scores

DEFAULT_THRESHOLD = 0.5
"""Threshold of a regressor if the configuration has none, as in the tutorial."""

THRESHOLDS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
COST_RATIOS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Cost of a missed hazardous asteroid, in false alarms."""


def decide(answer: Scores, *, threshold: float | None) -> NDArray[np.bool_]:
    """Return the predicted label of each row: by the threshold if there is one, else the model's own decision."""
    if threshold is None and answer.predicted_label is not None:
        return np.asarray(answer.predicted_label == 1)
    return np.asarray(answer.score > (DEFAULT_THRESHOLD if threshold is None else threshold))


@dataclass(frozen=True)
class ThresholdRow:
    """The predictions at one threshold.

    Attributes:
        threshold: rows with a higher score count as hazardous.
        found: hazardous rows above it.
        missed: hazardous rows at or below it.
        false_alarms: other rows above it.
        precision: share of the rows above it that are hazardous; None if there are none.
        recall: share of the hazardous rows that are above it; None if there are none.
        f1: harmonic mean of the two; None if no row is hazardous and none is above it.
    """

    threshold: float
    found: int
    missed: int
    false_alarms: int
    precision: float | None
    recall: float | None
    f1: float | None

    def cost(self, cost_ratio: float) -> float:
        """Return the cost in false alarms if a missed row costs ``cost_ratio`` of them."""
        return cost_ratio * self.missed + self.false_alarms


@dataclass(frozen=True)
class Cheapest:
    """The threshold of least cost at one cost ratio.

    Attributes:
        cost_ratio: cost of a missed hazardous row, in false alarms.
        cost: the least cost, in false alarms.
        row: the predictions at this threshold.
    """

    cost_ratio: float
    cost: float
    row: ThresholdRow


def threshold_table(
    labels: ArrayLike, scores: ArrayLike, *, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[ThresholdRow, ...]:
    """Count the predictions at each of some thresholds, in their order.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: numbers that grow with the belief in 1, same shape.
        thresholds: rows with a higher score count as hazardous.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.
    """
    ordered, below = _cumulate(labels, scores)
    cuts = np.searchsorted(ordered, np.asarray(thresholds, dtype=np.float64), side="right")
    return tuple(_row(float(t), int(cut), below) for t, cut in zip(thresholds, cuts, strict=True))


def cheapest_thresholds(labels: ArrayLike, scores: ArrayLike) -> tuple[Cheapest, ...]:
    """Find the threshold of least cost for each of `COST_RATIOS`, among all observed scores.

    The costs are optimistic, because the threshold is chosen on the rows that it is scored on.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: numbers that grow with the belief in 1, same shape.

    Returns:
        One per ratio, in their order. Of equally cheap thresholds the lowest; it lies midway between two neighbouring
        scores, or just outside all of them.

    Raises:
        DataError: see `threshold_table`.
    """
    ordered, below = _cumulate(labels, scores)
    cuts = np.concatenate(([0], np.flatnonzero(np.diff(ordered)) + 1, [ordered.size]))
    missed = below[cuts]
    alarms = (ordered.size - cuts) - (below[-1] - missed)
    cheapest = []
    for ratio in COST_RATIOS:
        cut = int(cuts[np.argmin(ratio * missed + alarms)])
        row = _row(_between(ordered, cut), cut, below)
        cheapest.append(Cheapest(float(ratio), row.cost(ratio), row))
    return tuple(cheapest)


def to_json(rows: Sequence[ThresholdRow], cheapest: Sequence[Cheapest]) -> dict[str, Any]:
    """Return both tables as JSON values."""
    return {"thresholds": [asdict(row) for row in rows], "cheapest": [asdict(item) for item in cheapest]}


def _cumulate(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Return the scores ascending, and the number of positives among the first 0, 1, 2, ... of them."""
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)
    order = np.argsort(values, kind="stable")
    below = np.zeros(truth.size + 1, dtype=np.int64)
    np.cumsum(truth[order], out=below[1:])
    return values[order], below


def _row(threshold: float, cut: int, below: NDArray[np.int64]) -> ThresholdRow:
    n_positive, n_above = int(below[-1]), below.size - 1 - cut
    missed = int(below[cut])
    hits = n_positive - missed
    return ThresholdRow(
        threshold,
        found=hits,
        missed=missed,
        false_alarms=n_above - hits,
        precision=hits / n_above if n_above else None,
        recall=hits / n_positive if n_positive else None,
        f1=2 * hits / (n_above + n_positive) if n_above + n_positive else None,
    )


def _between(ordered: Floats, cut: int) -> float:
    if cut == 0:
        return float(np.nextafter(ordered[0], -np.inf))
    if cut == ordered.size:
        return float(ordered[-1])
    middle = (ordered[cut - 1] + ordered[cut]) / 2
    return float(middle if middle < ordered[cut] else ordered[cut - 1])
