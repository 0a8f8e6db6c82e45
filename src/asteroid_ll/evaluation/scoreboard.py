"""The model's scores beside those of the baselines that it has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.metrics import METRICS, BinaryScores, binary_scores, interval_metrics
from asteroid_ll.evaluation.ranking import as_labels
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.thresholds import DEFAULT_THRESHOLD
from asteroid_ll.run.files import read_json

TITLES = {
    "model": "Linear Learner",
    "boosting": "Gradient boosting",
    "rule": "CNEOS rule (H, MOID)",
    "majority": "Majority class",
    "median": "Median train label",
}
"""Names of the predictors in tables, by their names in JSON files."""


@dataclass(frozen=True)
class Scoreboard:
    """The model and its baselines, scored on the same rows.

    Attributes:
        scores: by predictor (``model``, ``majority``, ``median``, ``rule``); the model comes first.
    """

    scores: Mapping[str, BinaryScores]

    @property
    def model(self) -> BinaryScores:
        """The model's scores."""
        return self.scores["model"]

    @property
    def rule(self) -> BinaryScores:
        """The scores of the CNEOS rule."""
        return self.scores["rule"]

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Return the scores by predictor: ``{"model": {"title": ..., "f1": ...}, "majority": ...}``."""
        return {name: {"title": TITLES[name], **scores.to_json()} for name, scores in self.scores.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Any]]) -> Scoreboard:
        """Read what `to_json` wrote, in this version or an earlier one.

        Raises:
            DataError: the counts or the model are missing.
        """
        try:
            board = cls({name: BinaryScores.from_json(scores) for name, scores in data.items() if name in TITLES})
            _ = board.model, board.rule
        except (KeyError, TypeError) as error:
            raise DataError(
                f"The stored metrics have another format: {error!r}.",
                hint="asteroid-ll run-all --force predict   computes them again.",
            ) from error
        return board


def outdated(path: Path) -> str | None:
    """Return a sentence if ``predict/metrics.json`` lacks a metric of this version, or None."""
    try:
        stored = read_json(path)
        scores, intervals = stored["metrics"]["scores"], stored["metrics"]["intervals"]["scores"]
        is_complete = (
            all(metric.key in row for metric in METRICS for row in scores.values())
            and all(metric.key in intervals["model"] for metric in interval_metrics())
            and all("p_hazardous" in item for item in stored["metrics"]["errors"]["listed"])
            and len(stored["findings"]) == len(stored["levels"])
        )
    except (DataError, KeyError, TypeError, AttributeError):
        is_complete = False
    return None if is_complete else "another version wrote its scores: computed from the stored predictions"


def constant_scores(train_labels: ArrayLike) -> dict[str, float]:
    """Return the scores of the predictors without features.

    `majority` is the more frequent class of the train labels, 0 for equal classes. `median` is the median train label,
    0.5 for equal classes, as in the tutorial.
    """
    labels = as_labels(train_labels)
    majority = float(2 * np.count_nonzero(labels) > labels.size)
    return {"majority": majority, "median": float(np.median(labels.astype(np.float64)))}


def scoreboard(
    labels: ArrayLike, predictions: Predictions, *, train_labels: ArrayLike, predicted_by_rule: ArrayLike
) -> Scoreboard:
    """Score the model, the `constant_scores` and the rule on the same rows.

    The rule is the CNEOS definition of a potentially hazardous asteroid, H <= 22.0 mag and Earth MOID <= 0.05 au.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        predictions: the model's predictions.
        train_labels: 0 or 1 per row of the part that the model learned from.
        predicted_by_rule: the rule's answers, 0 or 1, shape ``(n_rows,)``.

    Raises:
        DataError: see `binary_scores`.
    """
    model = binary_scores(labels, predictions.predicted, predictions.scores)
    baselines = {
        name: binary_scores(labels, np.full(model.n, score > DEFAULT_THRESHOLD), np.full(model.n, score))
        for name, score in constant_scores(train_labels).items()
    }
    return Scoreboard({"model": model, **baselines, "rule": binary_scores(labels, predicted_by_rule)})
