"""The choice of the epoch and of a binary classifier's threshold.

The stopping rule is exact on 44 of 49 public logs. The candidates of the container's threshold search are not fully
known; here every observed score is a candidate, and the best of them is exact.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.arrays import Bools, Float32Array, Float64Array, Int64Array
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters
from asteroid_ll.linear_learner.scaler import Scaler


@dataclass(frozen=True)
class EpochRecord:
    """The results of one epoch.

    Args:
        epoch: counted from 0.
        train_objective: mean loss of each model before its updates, float64, shape ``(n_models,)``; in units of the
            standardised label for a regressor.
        validation_objective: mean loss of each model over the validation channel, in the label's units, or None.
        criterion: the name of the measure that decides about stopping.
        criterion_value: the best model's value of it.
        improved: whether this epoch is the best so far, which is kept.
        misses: epochs in a row without improvement.
        stops: whether training stops after this epoch because patience is exhausted.
        n_records: rows trained on in the epoch.
        n_batches: mini-batches of the epoch.
        started_s: start, in seconds since 1970.
        ended_s: end, in seconds since 1970.
    """

    epoch: int
    train_objective: Float64Array
    validation_objective: Float64Array | None
    criterion: str
    criterion_value: float
    improved: bool
    misses: int
    stops: bool
    n_records: int
    n_batches: int
    started_s: float
    ended_s: float


class Observer:
    """Receives the events of a training; the methods do nothing until a subclass overrides them."""

    def scaled(self, scaler: Scaler) -> None:
        """Receive the scaling."""

    def resumed(self, epochs: Sequence[EpochRecord]) -> None:
        """Receive the epochs that were done before an interruption."""

    def epoch_ended(self, epoch: EpochRecord) -> None:
        """Receive the epoch that has just ended."""


_SIGN = np.uint32(1 << 31)
_NAN = np.uint32(0x7FC00000)
_ONE = np.uint32(1)


@dataclass(frozen=True)
class Ranking:
    """Each model's scores as integers, sorted together with the labels. Among equal scores, label 0 comes first.

    Args:
        keys: the scores as unsigned integers of the same order, shape ``(n_models, n)``.
        positive: whether the row's label is not 0, same shape.
    """

    keys: npt.NDArray[np.uint32]
    positive: Bools

    @classmethod
    def of(cls, scores: Float32Array, labels: npt.NDArray[np.generic]) -> Ranking:
        """Sort scores of shape ``(n, n_models)`` and labels of shape ``(n,)``; NaN is above every number."""
        # Adding 0 turns -0 into 0.
        bits = np.add(scores.T, np.float32(0), order="C").view(np.uint32)
        bits[np.isnan(scores.T)] = _NAN
        keys = np.where(bits & _SIGN, ~bits, bits | _SIGN)
        truth = labels != 0
        lowest = keys.min(initial=~np.uint32(0))
        if keys.max(initial=0) - lowest < _SIGN:
            # The label fits into the key: probabilities sort as 32-bit integers, twice as fast as 64-bit ones.
            keys -= lowest
            keys <<= _ONE
            keys |= truth
            keys.sort(axis=1)
            positive = (keys & _ONE).astype(np.bool_)
            keys >>= _ONE
            keys += lowest
            return cls(keys, positive)
        packed = (keys.astype(np.uint64) << np.uint64(1)) | truth
        packed.sort(axis=1)
        return cls((packed >> np.uint64(1)).astype(np.uint32), (packed & np.uint64(1)).astype(np.bool_))

    def scores(self, start: int, stop: int) -> Float32Array:
        """Return each model's scores of some ranks, shape ``(n_models, stop - start)``."""
        return scores_of(self.keys[:, start:stop])

    def roc_auc(self) -> float:
        """Return the first model's area under the receiver operating characteristic; a tie counts one half.

        Returns:
            The area, in [0, 1]; NaN if only one class occurs.
        """
        keys, positive = self.keys[0], self.positive[0]
        ranks = np.flatnonzero(positive)
        n_positive, n_negative = len(ranks), len(positive) - len(ranks)
        if n_positive == 0 or n_negative == 0:
            return float("nan")
        # A positive row is above the rows before it, apart from other positive ones. Half of each tie is too much.
        above = int(ranks.sum()) - n_positive * (n_positive - 1) // 2
        ties = self._n_ties(np.flatnonzero(keys[1:] == keys[:-1]), ranks)
        return (above - ties / 2) / (n_positive * n_negative)

    @staticmethod
    def _n_ties(equal_to_next: Int64Array, positive_ranks: Int64Array) -> int:
        """Return the number of pairs of a positive and a negative row with equal scores.

        Args:
            equal_to_next: ranks of the rows whose next row has the same score, ascending.
            positive_ranks: ranks of the positive rows, ascending.
        """
        first = np.flatnonzero(np.diff(equal_to_next, prepend=-2) > 1)
        starts = equal_to_next[first]
        ends = equal_to_next[np.append(first, len(equal_to_next))[1:] - 1] + 2
        before = np.searchsorted(positive_ranks, np.stack([starts, ends]))
        positive = before[1] - before[0]
        return int((positive * (ends - starts - positive)).sum())


def scores_of(keys: npt.NDArray[np.uint32]) -> Float32Array:
    """Return the scores of a ranking's keys."""
    return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float32)


# Few enough for the cache.
_CUTS_AT_ONCE = 1 << 15


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
    ranking = Ranking.of(scores[:limit], labels[:limit])
    return best_cuts(ranking, hyperparameters=hyperparameters, near=near)


def best_cuts(ranking: Ranking, *, hyperparameters: Hyperparameters, near: float) -> tuple[Cut, ...]:
    """Return what ``search_cuts`` does, for ranked scores of the rows that take part."""
    keys, positive = ranking.keys, ranking.positive
    n_models, n_rows = keys.shape
    n_positive = np.count_nonzero(positive, axis=1)[:, np.newaxis]
    criterion = functools.partial(_criterion, n_positive=n_positive, n_rows=n_rows, hyperparameters=hyperparameters)
    # The first cut is below all rows, every other one just above a row.
    best = criterion(n_positive, np.array([n_rows]))[:, 0]
    threshold = np.nextafter(ranking.scores(0, 1)[:, 0], np.float32(-np.inf))
    distance = np.abs(threshold - np.float32(near))
    below = np.zeros((n_models, 1), np.int64)
    size = max(1, _CUTS_AT_ONCE // n_models)
    for start in range(0, n_rows, size):
        stop = min(start + size, n_rows)
        counts = below + np.cumsum(positive[:, start:stop], axis=1)
        below = counts[:, -1:]
        value = criterion(n_positive - counts, n_rows - np.arange(start + 1, stop + 1))
        # Rows of equal score are on the same side: only the last of them is a cut.
        following = keys[:, start + 1 : stop + 1]
        value[:, : following.shape[1]][following == keys[:, start : start + following.shape[1]]] = -np.inf
        highest = value.max(axis=1)
        for model in np.flatnonzero(highest >= best):
            scores = scores_of(keys[model, start + np.flatnonzero(value[model] == highest[model])])
            distances = np.abs(scores - np.float32(near))
            nearest = distances.argmin()
            if highest[model] > best[model] or distances[nearest] < distance[model]:
                best[model], threshold[model] = highest[model], scores[nearest]
                distance[model] = distances[nearest]
    return tuple(Cut(float(cut), max(0.0, float(value))) for cut, value in zip(threshold, best, strict=True))


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
