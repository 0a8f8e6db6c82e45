"""Scores over folds: each predictor's mean with its interval, and every fold beside it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from asteroid_ll.evaluation.intervals import CONFIDENCE, METRICS, Floats, Interval, interval
from asteroid_ll.evaluation.metrics import BinaryScores
from asteroid_ll.report.tables import NOTHING, Rows, format_score


@dataclass(frozen=True)
class FoldScores:
    """One predictor over all folds.

    Attributes:
        name: key for machines, such as ``model``.
        title: the name for people.
        folds: its scores on each fold's test rows.
        means: mean over the folds that have a value, by metric; None where none has.
        intervals: interval of the mean, by metric; None where it has none.
    """

    name: str
    title: str
    folds: tuple[BinaryScores, ...]
    means: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]

    def to_json(self) -> dict[str, Any]:
        """Everything by name, plain enough for JSON."""
        return {
            "title": self.title,
            "mean": dict(self.means),
            "interval": {name: None if found is None else asdict(found) for name, found in self.intervals.items()},
            "folds": [scores.to_json() for scores in self.folds],
        }


@dataclass(frozen=True)
class CrossValidation:
    """A model and its baselines over the same folds; the model comes first.

    Attributes:
        feature_set: name of the feature set.
        n_features: columns of the model's matrix, in the first fold.
        n_rows: rows, each tested once.
        n_hazardous: how many of them are hazardous.
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
        """How many folds."""
        return len(self.predictors[0].folds)

    def to_json(self) -> dict[str, Any]:
        """Everything by name, plain enough for JSON."""
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
    name: str,
    title: str,
    *,
    folds: Sequence[BinaryScores],
    replicates: Sequence[Mapping[str, Floats]],
) -> FoldScores:
    """The means over folds, and their intervals: asteroids are resampled within each fold, and the folds averaged.

    Args:
        name: key for machines.
        title: the name for people.
        folds: scores of each fold.
        replicates: what `bootstrap` returned for the predictor in each fold, drawn independently.
    """
    means: dict[str, float | None] = {}
    intervals: dict[str, Interval | None] = {}
    for metric in METRICS:
        known = [value for scores in folds if (value := getattr(scores, metric)) is not None]
        means[metric] = float(np.mean(known)) if known else None
        drawn = [found[metric] for found in replicates if metric in found]
        intervals[metric] = None if not drawn or not known else interval(_mean_of_known(np.stack(drawn)))
    return FoldScores(name, title, tuple(folds), means, intervals)


def cross_validation_rows(result: CrossValidation) -> Rows:
    """The means, a row a predictor, with the interval in the row below where there is one."""
    rows: Rows = [("", "Accuracy", "Precision", "Recall", "F1", "ROC AUC", "Avg. precision")]
    for item in result.predictors:
        rows.append((item.title, *(format_score(item.means[metric]) for metric in METRICS)))
        if any(item.intervals.values()):
            said = (item.intervals[metric] for metric in METRICS)
            cells = (NOTHING if found is None else f"{found.low:.4f} to {found.high:.4f}" for found in said)
            rows.append((f"  {100 * CONFIDENCE:.0f} % interval", *cells))
    return rows


def _mean_of_known(values: Floats) -> Floats:
    with warnings.catch_warnings():
        # A replicate that no fold has a value for has none itself.
        warnings.simplefilter("ignore", RuntimeWarning)
        means: Floats = np.nanmean(values, axis=0)
    return means
