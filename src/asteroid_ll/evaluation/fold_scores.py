"""The results of a cross-validation: the mean of each predictor with its interval, and the scores of every fold."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from asteroid_ll.evaluation.intervals import CONFIDENCE, Interval, interval
from asteroid_ll.evaluation.metrics import BinaryScores, interval_metrics
from asteroid_ll.evaluation.ranking import Floats
from asteroid_ll.evaluation.scoreboard import TITLES


@dataclass(frozen=True)
class FoldScores:
    """The scores of one predictor over all folds.

    Attributes:
        name: its name in JSON files, such as ``model``.
        folds: its scores on each fold's test rows.
        means: mean over the folds that have a value, by metric; None if there is none.
        intervals: interval of the mean, by metric; None if there is none.
    """

    name: str
    folds: tuple[BinaryScores, ...]
    means: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]

    def to_json(self) -> dict[str, Any]:
        """Return means, intervals and the scores of every fold as JSON values."""
        return {
            "title": TITLES[self.name],
            "mean": dict(self.means),
            "interval": {key: None if limits is None else asdict(limits) for key, limits in self.intervals.items()},
            "folds": [scores.to_json() for scores in self.folds],
        }


@dataclass(frozen=True)
class CrossValidation:
    """A model and its baselines on the same folds.

    Attributes:
        feature_set: name of the feature set.
        n_features: columns of the model's matrix.
        n_rows: rows, each tested once.
        n_hazardous: hazardous rows among them.
        n_asteroids: asteroids, each in one fold.
        predictors: the model, then its baselines.
    """

    feature_set: str
    n_features: int
    n_rows: int
    n_hazardous: int
    n_asteroids: int
    predictors: tuple[FoldScores, ...]

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.predictors[0].folds)

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        return {
            "n_folds": self.n_folds,
            "grouped_by": "asteroid",
            "feature_set": self.feature_set,
            "n_features": self.n_features,
            "n_rows": self.n_rows,
            "n_hazardous": self.n_hazardous,
            "n_asteroids": self.n_asteroids,
            "confidence": CONFIDENCE,
            "scores": {item.name: item.to_json() for item in self.predictors},
        }


def summarise_folds(
    name: str, *, folds: Sequence[BinaryScores], replicates: Sequence[Mapping[str, Floats]]
) -> FoldScores:
    """Average the scores of a predictor over folds, with intervals of the means.

    Args:
        name: the predictor's name in JSON files.
        folds: its scores on each fold.
        replicates: its part of the result of `bootstrap` in each fold, drawn independently.
    """
    means: dict[str, float | None] = {}
    intervals: dict[str, Interval | None] = {}
    for metric in interval_metrics():
        values = [value for scores in folds if (value := scores[metric.key]) is not None]
        means[metric.key] = float(np.mean(values)) if values else None
        drawn = [by_metric[metric.key] for by_metric in replicates if metric.key in by_metric]
        intervals[metric.key] = interval(_mean_of_known(np.stack(drawn))) if drawn and values else None
    return FoldScores(name, tuple(folds), means, intervals)


def _mean_of_known(values: Floats) -> Floats:
    with warnings.catch_warnings():
        # A replicate without a value in any fold has no mean.
        warnings.simplefilter("ignore", RuntimeWarning)
        means: Floats = np.nanmean(values, axis=0)
    return means
