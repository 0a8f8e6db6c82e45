"""The model scored beside the baselines that it has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.ranking import as_labels
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.scoreboard import Scoreboard
from asteroid_ll.evaluation.thresholds import DEFAULT_THRESHOLD


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
