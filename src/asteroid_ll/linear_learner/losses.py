"""The losses and their gradients.

Arrays are float32 and hold many models at once in the last axis. Scores of regression and binary classification have
the shape ``(..., n_models)`` against targets ``(..., 1)``; scores of multiclass classification
``(..., n_classes, n_models)`` against one-hot targets ``(..., n_classes, 1)``. Formulas: the developer guide's loss
functions. Scale: real logs report a squared loss without the factor 1/2, but its gradient is the plain residual.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from asteroid_ll.formats.arrays import Bools, Float32Array
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters

# Constants are arrays without dimensions: numpy would make one of every scalar, which takes longer than a small batch.
_ONE = np.array(1, np.float32)
_LOG_EPSILON = np.array(1e-8, np.float32)
# A softmax is computed class by class if there are few classes, and many numbers of each.
_FEW_CLASSES, _MANY = 64, 1024


class Loss(ABC):
    """A loss function over arrays of scores.

    Args:
        hyperparameters: the job's.
    """

    objective_name: str
    """The loss's name in the log, as ``train <objective_name> <loss>=``."""

    default_threshold = 0.5
    """The threshold of a model whose threshold is not searched."""

    score_sign = 1
    """The factor, 1 or -1, of the raw scores that ``prepare`` takes: to negate the weights takes less time."""

    value_sign = 1
    """The factor, 1 or -1, of the losses that ``values`` returns: to negate their sums takes less time."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self._hp = hyperparameters

    def targets(self, labels: Float32Array) -> Float32Array:
        """Return the targets of labels of shape ``(n,)``: ``(n, 1)`` or ``(n, n_classes, 1)``."""
        return labels[:, np.newaxis]

    @staticmethod  # noqa: B027 - identity is the right default
    def prepare(scores: Float32Array, scratch: Float32Array | None = None) -> None:
        """Turn raw scores, in place, into the input of ``gradient`` and ``values``.

        Args:
            scores: the raw scores, times ``score_sign``.
            scratch: an array of their shape that may be overwritten, to save its allocation.
        """

    @classmethod
    def respond(cls, scores: Float32Array) -> Float32Array:
        """Return an endpoint's answers for raw scores: values, probabilities, or class probabilities over axis -2."""
        return scores

    @abstractmethod
    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """Write the derivative of the loss by the raw score to ``out``, which has the scores' shape."""

    @abstractmethod
    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """Return the losses, times ``value_sign``.

        Args:
            prepared: what ``prepare`` made of the scores.
            targets: the rows' targets.
            out: is overwritten and may be the result; it has the shape of ``prepared`` and may be the same array.
        """


class Squared(Loss):
    """``(p - y)^2``."""

    objective_name = "mse_objective"

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """``p - y``."""
        np.subtract(prepared, targets, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``(p - y)^2``."""
        np.subtract(prepared, targets, out=out)
        return np.multiply(out, out, out=out)


class Absolute(Loss):
    """``|p - y|``."""

    objective_name = "absolute_loss_objective"

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """``sign(p - y)``."""
        np.subtract(prepared, targets, out=out)
        np.sign(out, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``|p - y|``."""
        np.subtract(prepared, targets, out=out)
        return np.abs(out, out=out)


class EpsilonInsensitiveSquared(Loss):
    """``max(0, (p - y)^2 - eps^2)`` with eps in the scores' units."""

    objective_name = "eps_insensitive_squared_loss_objective"

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """The residual if it is larger than eps, else 0."""
        np.subtract(prepared, targets, out=out)
        np.multiply(out, np.abs(out) > np.float32(self._hp.loss_insensitivity), out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``max(0, (p - y)^2 - eps^2)``."""
        np.subtract(prepared, targets, out=out)
        np.multiply(out, out, out=out)
        np.subtract(out, np.square(np.float32(self._hp.loss_insensitivity)), out=out)
        return np.maximum(out, 0, out=out)


class EpsilonInsensitiveAbsolute(Loss):
    """``max(0, |p - y| - eps)`` with eps in the scores' units."""

    objective_name = "eps_insensitive_absolute_loss_objective"

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """The residual's sign if it is larger than eps, else 0."""
        np.subtract(prepared, targets, out=out)
        np.multiply(np.sign(out), np.abs(out) > np.float32(self._hp.loss_insensitivity), out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``max(0, |p - y| - eps)``."""
        np.subtract(prepared, targets, out=out)
        np.abs(out, out=out)
        np.subtract(out, np.float32(self._hp.loss_insensitivity), out=out)
        return np.maximum(out, 0, out=out)


class Quantile(Loss):
    """``q (y - p)`` below the label, ``(1 - q) (p - y)`` above it."""

    objective_name = "quantile_loss_objective"

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """``-q`` below the label, ``1 - q`` from the label."""
        np.greater_equal(prepared, targets, out=out)
        np.subtract(out, np.float32(self._hp.quantile), out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """The larger of ``-q e`` and ``(1 - q) e`` for the residual e."""
        np.subtract(prepared, targets, out=out)
        quantile = np.float32(self._hp.quantile)
        np.maximum(-quantile * out, (np.float32(1) - quantile) * out, out=out)
        return out


class Huber(Loss):
    """``e^2`` up to delta, beyond it the tangent ``2 delta |e| - delta^2``; delta is in the scores' units."""

    objective_name = "huber_loss_objective"

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """The residual, clipped at delta."""
        np.subtract(prepared, targets, out=out)
        delta = np.float32(self._hp.huber_delta)
        np.clip(out, -delta, delta, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``c (2 |e| - c)`` with ``c = min(|e|, delta)``."""
        np.subtract(prepared, targets, out=out)
        np.abs(out, out=out)
        clipped = np.minimum(out, np.float32(self._hp.huber_delta))
        np.multiply(out, np.float32(2), out=out)
        np.subtract(out, clipped, out=out)
        return np.multiply(out, clipped, out=out)


class Logistic(Loss):
    """``-(t log(p + 1e-8) + (1 - t) log(1 - p + 1e-8))`` with ``p = 1 / (1 + exp(-score))``.

    The 1e-8 is added inside the logarithm: clipping, or a stable softplus, differs measurably from real logs.
    """

    objective_name = "binary_classification_cross_entropy_objective"
    score_sign = value_sign = -1

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        super().__init__(hyperparameters)
        if hyperparameters.positive_example_weight_mult != 1.0:
            self.objective_name = "binary_classification_weighted_cross_entropy_objective"

    @staticmethod
    def prepare(scores: Float32Array, scratch: Float32Array | None = None) -> None:  # noqa: ARG004 - for Softmax
        """Turn negated scores into probabilities."""
        np.exp(scores, scores)
        np.add(scores, _ONE, scores)
        np.divide(_ONE, scores, scores)

    @classmethod
    def respond(cls, scores: Float32Array) -> Float32Array:
        """Return the probabilities of the positive class."""
        probability = np.negative(scores)
        with np.errstate(over="ignore"):
            cls.prepare(probability)
        return probability

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """``p - t``."""
        np.subtract(prepared, targets, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """The logarithm of the probability of the true class; ``|p - (1 - t)|`` is p or 1 - p, exactly."""
        np.subtract(prepared, _ONE - targets, out=out)
        np.abs(out, out=out)
        np.add(out, _LOG_EPSILON, out=out)
        return np.log(out, out=out)


class Hinge(Loss):
    """``max(0, margin - s score)`` with s = 1 for label 1 and -1 for label 0."""

    objective_name = "hinge_loss_objective"
    default_threshold = 0.0

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        super().__init__(hyperparameters)
        if hyperparameters.positive_example_weight_mult != 1.0:
            self.objective_name = "weighted_hinge_loss_objective"

    def targets(self, labels: Float32Array) -> Float32Array:
        """Return -1 for label 0 and 1 for label 1, shape ``(n, 1)``."""
        return (np.float32(2) * labels - np.float32(1))[:, np.newaxis]

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """``-s`` below the margin, else 0."""
        np.multiply(prepared, targets, out=out)
        np.multiply(out < np.float32(self._hp.margin), -targets, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``max(0, margin - s score)``."""
        np.multiply(prepared, targets, out=out)
        np.subtract(np.float32(self._hp.margin), out, out=out)
        return np.maximum(out, 0, out=out)


class Softmax(Loss):
    """``-log`` of the softmax probability of the true class."""

    objective_name = "multiclass_cross_entropy_objective"
    value_sign = -1

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        super().__init__(hyperparameters)
        if hyperparameters.balance_multiclass_weights:
            self.objective_name = "weighted_softmax_loss_objective"

    def targets(self, labels: Float32Array) -> Float32Array:
        """Return one-hot rows, shape ``(n, n_classes, 1)``."""
        hot: Bools = labels[:, np.newaxis] == np.arange(self._hp.num_classes, dtype=np.float32)
        return hot.astype(np.float32)[:, :, np.newaxis]

    @staticmethod
    def prepare(scores: Float32Array, scratch: Float32Array | None = None) -> None:
        """Turn scores into logarithms of probabilities, which do not overflow."""
        n_classes, n_models = scores.shape[-2:]
        is_large = n_classes <= _FEW_CLASSES and scores.size >= _MANY * n_classes
        # Numpy adds the classes of a single model in another order.
        if is_large and n_models > 1 and scores.flags.c_contiguous:
            _prepare_by_class(scores, np.empty_like(scores) if scratch is None else scratch)
            return
        np.subtract(scores, scores.max(axis=-2, keepdims=True), scores)
        powers = np.exp(scores, out=scratch)
        np.subtract(scores, np.log(powers.sum(axis=-2, keepdims=True)), scores)

    @classmethod
    def respond(cls, scores: Float32Array) -> Float32Array:
        """Return the probabilities of the classes, over axis -2."""
        logarithms = scores.copy()
        cls.prepare(logarithms)
        np.exp(logarithms, out=logarithms)
        return logarithms

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """Probabilities minus one-hot targets."""
        np.exp(prepared, out=out)
        if targets.shape == out.shape:
            np.subtract(out, targets, out)
        else:
            out.reshape(-1, out.shape[-1])[np.flatnonzero(targets)] -= _ONE

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:  # noqa: ARG002
        """The logarithm of the true class's probability, shape ``(..., n_models)``."""
        n_models = prepared.shape[-1]
        rows = prepared.reshape(-1, n_models)[np.flatnonzero(targets[..., 0])]
        return rows.reshape(*prepared.shape[:-2], n_models)


def _prepare_by_class(scores: Float32Array, scratch: Float32Array) -> None:
    """Compute logarithms of probabilities with one class after the other in memory: long rows are faster.

    Args:
        scores: contiguous, shape ``(..., n_classes, n_models)``; replaced.
        scratch: contiguous, of the same size; overwritten.
    """
    rows = scores.reshape(-1, *scores.shape[-2:]).transpose(1, 0, 2)
    by_class, powers = scratch.reshape(rows.shape), scores.reshape(rows.shape)
    np.copyto(by_class, rows)
    highest = np.maximum(by_class[0], by_class[1])
    for number in range(2, len(by_class)):
        np.maximum(highest, by_class[number], out=highest)
    np.subtract(by_class, highest, by_class)
    np.exp(by_class, powers)
    total = powers[0] + powers[1]
    for number in range(2, len(powers)):
        np.add(total, powers[number], total)
    np.subtract(by_class, np.log(total), by_class)
    np.copyto(rows, by_class)


CLASSES: dict[str, type[Loss]] = {
    "squared_loss": Squared,
    "absolute_loss": Absolute,
    "eps_insensitive_squared_loss": EpsilonInsensitiveSquared,
    "eps_insensitive_absolute_loss": EpsilonInsensitiveAbsolute,
    "quantile_loss": Quantile,
    "huber_loss": Huber,
    "logistic": Logistic,
    "hinge_loss": Hinge,
    "softmax_loss": Softmax,
}
"""The class of each loss, by the name that ``LOSSES`` has for it."""


def make(hyperparameters: Hyperparameters) -> Loss:
    """Return the loss that a job trains."""
    return CLASSES[hyperparameters.loss](hyperparameters)


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
