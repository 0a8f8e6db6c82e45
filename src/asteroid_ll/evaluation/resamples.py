"""A predictor's rows under weights per asteroid: the sums that every metric is made of.

One resample is one column of weights. A single column of ones gives the score itself, so each metric needs only one
formula for its value and for its bootstrap replicates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.ranking import Floats, as_labels, as_scores


@dataclass(frozen=True)
class Predictions:
    """One predictor's answers for the rows of a part.

    Attributes:
        predicted: 0 or 1 per row, shape ``(n_rows,)``.
        scores: numbers that grow with the belief in 1, same shape; None for a hard rule.
    """

    predicted: ArrayLike
    scores: ArrayLike | None = None


class ScoredRows:
    """Labels and predictions, checked and grouped by asteroid.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        predictions: the predictor's answers for the same rows.
        group: number of each row's asteroid, from 0, same shape.
        n_groups: number of asteroids.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.
    """

    def __init__(self, labels: ArrayLike, predictions: Predictions, *, group: NDArray[np.intp], n_groups: int) -> None:
        self.labels, self.predicted = as_labels(labels), as_labels(predictions.predicted)
        if self.predicted.size != self.labels.size:
            raise DataError(
                f"There are {self.labels.size} labels and {self.predicted.size} predictions.",
                hint="asteroid-ll run-all --force predict   scores the test part again.",
            )
        self.has_scores = predictions.scores is not None
        self.scores = as_scores(self.predicted if predictions.scores is None else predictions.scores, self.labels.size)
        self._group, self._n_groups = group, n_groups
        truth, guess = self.labels, self.predicted
        self.cells = np.stack(
            [self.sums(cell) for cell in (truth & guess, ~truth & guess, truth & ~guess, ~(truth | guess))]
        )

    def sums(self, values: NDArray[Any]) -> Floats:
        """Sum values of shape ``(n_rows,)`` per asteroid, shape ``(n_groups,)``."""
        sums: Floats = np.bincount(self._group, weights=values, minlength=self._n_groups).astype(np.float64)
        return sums

    @cached_property
    def ranking(self) -> _Ranking:
        """The rows by descending score."""
        return _Ranking(self.labels, self.scores, group=self._group)


class Resamples:
    """Rows in which each asteroid counts as often as a resample has drawn it.

    Args:
        rows: the rows of one predictor.
        weights: how often each asteroid counts, shape ``(n_groups, n_resamples)``.

    Attributes:
        labels: the labels, shape ``(n_rows,)``.
        scores: the scores, or the predictions of a hard rule, shape ``(n_rows,)``.
        tp: true positives per resample, shape ``(n_resamples,)``.
        fp: false positives, same shape.
        fn: false negatives, same shape.
        tn: true negatives, same shape.
    """

    def __init__(self, rows: ScoredRows, weights: NDArray[np.floating[Any]]) -> None:
        self.labels, self.scores = rows.labels, rows.scores
        self.tp, self.fp, self.fn, self.tn = (rows.cells.astype(weights.dtype) @ weights).astype(np.float64)
        self._rows, self._weights = rows, weights

    def mean(self, values: NDArray[Any]) -> Floats:
        """Return the mean of values of shape ``(n_rows,)`` per resample."""
        return np.asarray((self._rows.sums(values) @ self._weights) / (self.tp + self.fp + self.fn + self.tn))

    @staticmethod
    def ratio(part: Floats, whole: Floats) -> Floats:
        """Divide element by element; NaN if the denominator is 0."""
        return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)

    @property
    def roc_auc(self) -> Floats:
        """Probability that a random positive scores above a random negative; ties count half."""
        return self._ranking_scores[0]

    @property
    def average_precision(self) -> Floats:
        """Precision at each distinct score, weighted by the gain in recall, without interpolation."""
        return self._ranking_scores[1]

    @cached_property
    def _ranking_scores(self) -> tuple[Floats, Floats]:
        return self._rows.ranking.scores(self._weights)


class _Ranking:
    """The rows by descending score, cut where a score of a positive row begins and ends.

    Between two cuts lie negatives only, or rows of one score. Sums over these pieces are all that ROC AUC and average
    precision need, ties included.
    """

    def __init__(self, labels: NDArray[np.bool_], scores: Floats, *, group: NDArray[np.intp]) -> None:
        order = np.argsort(-scores, kind="stable")
        ranked, positive = scores[order], np.flatnonzero(labels[order])
        self._rows = group[order]
        self._positive_rows = self._rows[positive]
        levels, self._first_positive = np.unique(-ranked[positive], return_index=True)
        begins, ends = np.searchsorted(-ranked, levels, side="left"), np.searchsorted(-ranked, levels, side="right")
        self._cuts = np.unique(np.concatenate(([0], begins, ends[ends < ranked.size])))
        self._begins = np.searchsorted(self._cuts, begins)
        self._ends = np.searchsorted(self._cuts, ends)

    def scores(self, weights: NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
        """Return ROC AUC and average precision per resample, NaN when undefined."""
        n = weights.shape[1]
        if self._positive_rows.size == 0:
            return np.full(n, np.nan), np.full(n, np.nan)
        pieces = np.add.reduceat(weights[self._rows], self._cuts, axis=0)
        above = np.zeros((self._cuts.size + 1, n))
        np.cumsum(pieces, axis=0, out=above[1:])
        hits = np.add.reduceat(weights[self._positive_rows], self._first_positive, axis=0).astype(np.float64)
        true_positives = np.cumsum(hits, axis=0)
        n_positive, n_rows = true_positives[-1], above[-1]
        predicted = above[self._ends]
        alarms_before = above[self._begins] - (true_positives - hits)
        alarms_after = predicted - true_positives
        n_negative = n_rows - n_positive
        better = hits * (2 * n_negative - alarms_before - alarms_after)
        precision = np.divide(true_positives, predicted, out=np.zeros_like(predicted), where=predicted > 0)
        return (
            Resamples.ratio(better.sum(axis=0), 2 * n_positive * n_negative),
            Resamples.ratio((hits * precision).sum(axis=0), n_positive),
        )
