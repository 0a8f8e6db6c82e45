"""Weights of rows by their class, which give rare classes more influence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters

_UNSEEN_CLASS = 1_000_000.0
_AUTO_STEPS = 4


@dataclass(frozen=True)
class RowWeights:
    """A weight per class and model.

    Args:
        by_class: float32, shape ``(n_classes, n_models)``, or ``(n_classes, 1)`` for all models.
    """

    by_class: Float32Array

    def of(self, labels: Float32Array) -> Float32Array:
        """Return the weight of each row by its label, shape ``(n, n_models or 1)``."""
        return self.by_class[labels.astype(np.intp)]

    def select(self, models: list[int]) -> RowWeights:
        """Return the weights of some models."""
        return self if self.by_class.shape[1] == 1 else RowWeights(self.by_class[:, models])


def row_weights(hyperparameters: Hyperparameters, sample: Float32Array, *, n_models: int) -> RowWeights | None:
    """Return the weights of rows for the job's hyperparameters.

    Args:
        hyperparameters: the job's.
        sample: labels of the rows that the scaler reads, shape ``(n,)``.
        n_models: models of the grid.

    Returns:
        A negative row weighs 1. A positive row weighs ``positive_example_weight_mult``; ``balanced`` is the number of
        negatives per positive in the sample; with ``auto`` the models use the powers 0, 1/3, 2/3 and 1 of the balanced
        weight in turn. With ``balance_multiclass_weights`` each class weighs the reciprocal of its share, and a class
        that the sample lacks weighs a million. None if every row weighs 1.
    """
    hp = hyperparameters
    if hp.predictor_type == "multiclass_classifier" and hp.balance_multiclass_weights:
        counts = np.bincount(sample.astype(np.intp), minlength=hp.num_classes)
        weights = np.where(counts, len(sample) / np.maximum(counts, 1), _UNSEEN_CLASS)
        return RowWeights(weights.astype(np.float32)[:, np.newaxis])
    if hp.predictor_type != "binary_classifier" or hp.positive_example_weight_mult == 1.0:
        return None
    n_positive = int(np.count_nonzero(sample))
    balanced = (len(sample) - n_positive) / n_positive if 0 < n_positive < len(sample) else 1.0
    if hp.positive_example_weight_mult == "auto":
        steps = np.arange(n_models) % _AUTO_STEPS / (_AUTO_STEPS - 1)
        positive = balanced**steps
    elif hp.positive_example_weight_mult == "balanced":
        positive = np.array([balanced])
    else:
        positive = np.array([hp.positive_example_weight_mult])
    return RowWeights(np.stack([np.ones_like(positive), positive]).astype(np.float32))
