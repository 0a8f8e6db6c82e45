"""Decisions by threshold, and their cost: a missed hazardous asteroid against false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.metrics import BinaryScores
from asteroid_ll.evaluation.ranking import Floats, as_labels, as_scores, cumulate
from asteroid_ll.formats.payload import Scores

DEFAULT_THRESHOLD = 0.5
"""Threshold of a regressor if the configuration has none, as in the tutorial."""

THRESHOLDS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
FALSE_ALARMS = (10, 30, 100, 300, 1000)
"""Counts of false alarms at which recall is shown."""

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
        threshold: rows with a higher score are predicted hazardous.
        scores: the counts and the metrics of these predictions.
    """

    threshold: float
    scores: BinaryScores

    def cost(self, cost_ratio: float) -> float:
        """Return the cost in false alarms if a missed row costs ``cost_ratio`` of them."""
        return cost_ratio * self.scores.fn + self.scores.fp

    def to_json(self) -> dict[str, Any]:
        """Return the threshold, the counts and the metrics that depend on it as JSON values."""
        return {
            "threshold": self.threshold,
            "found": self.scores.tp,
            "missed": self.scores.fn,
            "false_alarms": self.scores.fp,
            **{key: self.scores[key] for key in ("precision", "recall", "f1")},
        }


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
    """Score the predictions at each of the thresholds, in their order.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: numbers that grow with the belief in 1, same shape.
        thresholds: rows with a higher score are predicted hazardous.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.
    """
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)
    return tuple(ThresholdRow(threshold, binary_scores(truth, values > threshold)) for threshold in thresholds)


@dataclass(frozen=True)
class RecallAtAlarms:
    """What a list with a fixed number of false alarms finds.

    Attributes:
        false_alarms: the largest number of false alarms.
        found: hazardous rows that can be found with at most as many.
        recall: their share of the hazardous rows; None if there are none.
    """

    false_alarms: int
    found: int
    recall: float | None

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        return {"false_alarms": self.false_alarms, "found": self.found, "recall": self.recall}


def recall_at_false_alarms(
    labels: ArrayLike, scores: ArrayLike, *, counts: Sequence[int] = FALSE_ALARMS
) -> tuple[RecallAtAlarms, ...]:
    """Return the recall of the loosest threshold with at most a given number of false alarms, for each number.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: numbers that grow with the belief in 1, same shape. Rows with equal scores are found together.
        counts: numbers of false alarms, each at least 0.

    Raises:
        DataError: see `threshold_table`.
    """
    truth = as_labels(labels)
    hits, alarms = cumulate(truth, as_scores(scores, truth.size))
    found = hits[np.searchsorted(alarms, counts, side="right") - 1].tolist()
    n_positive = int(hits[-1])
    return tuple(
        RecallAtAlarms(count, hit, hit / n_positive if n_positive else None)
        for count, hit in zip(counts, found, strict=True)
    )


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
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    # A cut is the number of rows at or below the threshold.
    cuts = np.concatenate(([0], np.flatnonzero(np.diff(ordered)) + 1, [ordered.size]))
    missed = np.concatenate(([0], np.cumsum(truth[order])))[cuts]
    alarms = (ordered.size - cuts) - (missed[-1] - missed)
    thresholds = [_between(ordered, int(cuts[np.argmin(ratio * missed + alarms)])) for ratio in COST_RATIOS]
    rows = threshold_table(truth, values, thresholds=thresholds)
    return tuple(Cheapest(ratio, row.cost(ratio), row) for ratio, row in zip(COST_RATIOS, rows, strict=True))


def to_json(rows: Sequence[ThresholdRow], cheapest: Sequence[Cheapest]) -> dict[str, Any]:
    """Return both tables as JSON values."""
    return {
        "thresholds": [row.to_json() for row in rows],
        "cheapest": [
            {"cost_ratio": item.cost_ratio, "cost": item.cost, "row": item.row.to_json()} for item in cheapest
        ],
    }


def _between(ordered: Floats, cut: int) -> float:
    """Return a threshold with ``cut`` of the ascending scores at or below it."""
    if cut == 0:
        return float(np.nextafter(ordered[0], -np.inf))
    if cut == ordered.size:
        return float(ordered[-1])
    middle = (ordered[cut - 1] + ordered[cut]) / 2
    return float(middle if middle < ordered[cut] else ordered[cut - 1])
