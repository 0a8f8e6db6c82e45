"""The choice of the epoch and of a binary classifier's threshold.

The stopping rule is exact on 44 of 49 public logs. The candidates of the container's threshold search are not fully
known; here every observed score is a candidate, and the best of them is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.arrays import Bools, Float32Array, Float64Array, Int64Array
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters

_SIGN = np.uint32(1 << 31)


class EarlyStopping:
    """A counter of epochs that did not improve the criterion.

    An epoch improves if it is below the lowest value so far by the tolerance, as a share of that value; the first one
    always improves. Training stops when the number of misses in a row exceeds the patience.

    Args:
        patience: misses in a row that are tolerated.
        tolerance: smallest relative improvement that counts.
        every_epoch_counts: whether each epoch improves, as with the container's searched criteria such as accuracy.
    """

    def __init__(self, *, patience: int, tolerance: float, every_epoch_counts: bool) -> None:
        self._patience = patience
        self._tolerance = tolerance
        self._every_epoch_counts = every_epoch_counts
        self._lowest = np.inf
        self.misses = 0

    def update(self, value: float) -> bool:
        """Count an epoch by its criterion, and return whether it improved."""
        lowest = self._lowest
        if value < lowest:
            self._lowest = value
        improved = self._every_epoch_counts or self._is_improvement(value, lowest)
        self.misses = 0 if improved else self.misses + 1
        return improved

    @property
    def stops(self) -> bool:
        """Whether the patience is exhausted."""
        return self.misses > self._patience

    def _is_improvement(self, value: float, lowest: float) -> bool:
        if np.isinf(lowest):
            return bool(np.isfinite(value))
        return lowest > 0 and (lowest - value) / lowest >= self._tolerance


@dataclass(frozen=True)
class Cut:
    """A threshold and its value of the criterion.

    Args:
        threshold: rows with a higher score are predicted positive.
        value: the selection criterion, larger is better; 0 if a target cannot be reached.
    """

    threshold: float
    value: float


def search_cuts(
    scores: Float32Array, labels: Float32Array, *, hyperparameters: Hyperparameters, near: float
) -> tuple[Cut, ...]:
    """Return each model's threshold with the best value of the model-selection criterion.

    Args:
        scores: scores of an endpoint, finite, shape ``(n, n_models)``.
        labels: 0 or 1, shape ``(n,)``.
        hyperparameters: the criterion, its targets, and ``num_calibration_samples``, the number of leading rows to use.
        near: among equally good thresholds, the nearest to this one wins.

    Returns:
        A cut per model: an observed score, or just under the lowest if all rows should be positive.
    """
    limit = hyperparameters.num_calibration_samples
    keys, positive = _sort(scores[:limit], labels[:limit])
    n_models, n_rows = keys.shape
    below = np.zeros((n_models, n_rows + 1), np.int64)
    np.cumsum(positive, axis=1, out=below[:, 1:])
    n_positive = below[:, -1:]
    true_positive = n_positive - below
    predicted = n_rows - np.arange(n_rows + 1)
    value = _criterion(true_positive, predicted, n_positive, n_rows=n_rows, hyperparameters=hyperparameters)
    # Rows of equal score are on the same side: only the last of them is a cut.
    value[:, 1:-1][keys[:, 1:] == keys[:, :-1]] = -np.inf
    ordered = _from_keys(keys)
    lowest = np.nextafter(ordered[:, :1], np.float32(-np.inf))
    thresholds = np.concatenate([lowest, ordered], axis=1)
    best = value.max(axis=1, keepdims=True)
    distance = np.where(value == best, np.abs(thresholds - np.float32(near)), np.inf)
    chosen = distance.argmin(axis=1)
    return tuple(
        Cut(float(thresholds[model, chosen[model]]), max(0.0, float(best[model, 0]))) for model in range(n_models)
    )


def _criterion(
    true_positive: Int64Array,
    predicted: Int64Array,
    n_positive: Int64Array,
    *,
    n_rows: int,
    hyperparameters: Hyperparameters,
) -> Float64Array:
    """Return the criterion at each cut; a cut that misses a target ranks below every cut that reaches it."""
    false_positive = predicted - true_positive
    kind = hyperparameters.binary_classifier_model_selection_criteria
    if kind == "f_beta":
        square = hyperparameters.f_beta**2
        weighted = (1 + square) * true_positive
        score: Float64Array = weighted / np.maximum(
            weighted + square * (n_positive - true_positive) + false_positive, 1
        )
        return score
    precision = true_positive / np.maximum(predicted, 1)
    recall = true_positive / np.maximum(n_positive, 1)
    if kind == "precision_at_target_recall":
        return np.where(recall >= hyperparameters.target_recall, precision, recall - 2)
    if kind == "recall_at_target_precision":
        return np.where(precision >= hyperparameters.target_precision, recall, precision - 2)
    accuracy: Float64Array = (n_rows - n_positive - false_positive + true_positive) / n_rows
    return accuracy


def _sort(scores: Float32Array, labels: Float32Array) -> tuple[npt.NDArray[np.uint32], Bools]:
    """Sort each model's scores, as integer keys, together with their labels in one integer sort."""
    # Adding 0 turns -0 into 0.
    bits = np.add(scores.T, np.float32(0), order="C").view(np.uint32)
    keys = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    packed = (keys.astype(np.uint64) << np.uint64(1)) | (labels != 0)
    packed.sort(axis=1)
    return (packed >> np.uint64(1)).astype(np.uint32), (packed & np.uint64(1)).astype(np.bool_)


def _from_keys(keys: npt.NDArray[np.uint32]) -> Float32Array:
    return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float32)
