"""The losses: what a score is worth against a label, and which way it should move.

Arrays are float32 and hold many models at once in the last axis. Scores of regression and binary classification have
the shape ``(..., n_models)`` against targets ``(..., 1)``; scores of multiclass classification
``(..., n_classes, n_models)`` against one-hot targets ``(..., n_classes, 1)``. Formulas: the developer guide's loss
functions, and what real logs show of their scale: a squared loss is reported without the factor 1/2, but its gradient
is the plain residual.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from asteroid_ll.linear_learner.hyperparameters import Hyperparameters

Float32Array = npt.NDArray[np.float32]

_LOG_EPSILON = np.float32(1e-8)


class Loss(ABC):
    """A loss function over arrays of scores."""

    objective_name: str
    """The loss's name in the log, as ``train <objective_name> <loss>=``."""

    default_threshold = 0.5
    """The threshold of a model whose threshold is not searched."""

    def targets(self, labels: Float32Array) -> Float32Array:
        """Labels of shape ``(n,)`` in the form that the other methods take: ``(n, 1)`` or ``(n, n_classes, 1)``."""
        return labels[:, np.newaxis]

    def prepare(self, scores: Float32Array) -> None:  # noqa: B027 - identity is the right default
        """Turn raw scores, in place, into what ``gradient`` and ``values`` take."""

    def respond(self, scores: Float32Array) -> Float32Array:
        """What an endpoint answers for raw scores: a value, a probability, or probabilities over axis -2."""
        return scores

    @abstractmethod
    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """The derivative of the loss by the raw score, into ``out`` of the scores' shape."""

    @abstractmethod
    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """The losses; ``out`` of the scores' shape is scratch, and the result is it or a part of it."""


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
    """``max(0, (p - y)^2 - eps^2)``.

    Args:
        epsilon: errors up to this cost nothing, in the label's units of the scores.
    """

    objective_name = "eps_insensitive_squared_loss_objective"

    def __init__(self, epsilon: float) -> None:
        self._epsilon = np.float32(epsilon)

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """The residual where it is larger than eps, else 0."""
        np.subtract(prepared, targets, out=out)
        np.multiply(out, np.abs(out) > self._epsilon, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``max(0, (p - y)^2 - eps^2)``."""
        np.subtract(prepared, targets, out=out)
        np.multiply(out, out, out=out)
        np.subtract(out, self._epsilon * self._epsilon, out=out)
        return np.maximum(out, 0, out=out)


class EpsilonInsensitiveAbsolute(Loss):
    """``max(0, |p - y| - eps)``.

    Args:
        epsilon: errors up to this cost nothing, in the label's units of the scores.
    """

    objective_name = "eps_insensitive_absolute_loss_objective"

    def __init__(self, epsilon: float) -> None:
        self._epsilon = np.float32(epsilon)

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """The residual's sign where it is larger than eps, else 0."""
        np.subtract(prepared, targets, out=out)
        np.multiply(np.sign(out), np.abs(out) > self._epsilon, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``max(0, |p - y| - eps)``."""
        np.subtract(prepared, targets, out=out)
        np.abs(out, out=out)
        np.subtract(out, self._epsilon, out=out)
        return np.maximum(out, 0, out=out)


class Quantile(Loss):
    """``q (y - p)`` below the label, ``(1 - q) (p - y)`` above it.

    Args:
        quantile: the share of labels that should lie below the prediction.
    """

    objective_name = "quantile_loss_objective"

    def __init__(self, quantile: float) -> None:
        self._quantile = np.float32(quantile)

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """``-q`` below the label, ``1 - q`` from it on."""
        np.greater_equal(prepared, targets, out=out)
        np.subtract(out, self._quantile, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """The larger of ``-q e`` and ``(1 - q) e`` for the residual e."""
        np.subtract(prepared, targets, out=out)
        np.maximum(-self._quantile * out, (np.float32(1) - self._quantile) * out, out=out)
        return out


class Huber(Loss):
    """``e^2`` up to delta, beyond it the tangent ``2 delta |e| - delta^2``.

    Args:
        delta: where the loss becomes linear, in the label's units of the scores.
    """

    objective_name = "huber_loss_objective"

    def __init__(self, delta: float) -> None:
        self._delta = np.float32(delta)

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """The residual, clipped at delta."""
        np.subtract(prepared, targets, out=out)
        np.clip(out, -self._delta, self._delta, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``c (2 |e| - c)`` with ``c = min(|e|, delta)``."""
        np.subtract(prepared, targets, out=out)
        np.abs(out, out=out)
        clipped = np.minimum(out, self._delta)
        np.multiply(out, np.float32(2), out=out)
        np.subtract(out, clipped, out=out)
        return np.multiply(out, clipped, out=out)


class Logistic(Loss):
    """``-(t log(p + 1e-8) + (1 - t) log(1 - p + 1e-8))`` with ``p = 1 / (1 + exp(-score))``.

    The 1e-8 is added inside the logarithm: clipping, or a stable softplus, differs measurably from real logs.

    Args:
        weighted: whether rows carry weights, which changes the name alone.
    """

    def __init__(self, *, weighted: bool) -> None:
        weighting = "weighted_" if weighted else ""
        self.objective_name = f"binary_classification_{weighting}cross_entropy_objective"

    def prepare(self, scores: Float32Array) -> None:
        """Scores become probabilities."""
        np.negative(scores, out=scores)
        np.exp(scores, out=scores)
        np.add(scores, np.float32(1), out=scores)
        np.divide(np.float32(1), scores, out=scores)

    def respond(self, scores: Float32Array) -> Float32Array:
        """The probability of the positive class."""
        probability = scores.copy()
        with np.errstate(over="ignore"):
            self.prepare(probability)
        return probability

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """``p - t``."""
        np.subtract(prepared, targets, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``-log`` of the probability of the true class; ``|p - (1 - t)|`` is p or 1 - p, exactly."""
        np.subtract(prepared, np.float32(1) - targets, out=out)
        np.abs(out, out=out)
        np.add(out, _LOG_EPSILON, out=out)
        np.log(out, out=out)
        return np.negative(out, out=out)


class Hinge(Loss):
    """``max(0, margin - s score)`` with s = 1 for label 1 and -1 for label 0.

    Args:
        margin: the score that a positive row must reach to cost nothing.
        weighted: whether rows carry weights, which changes the name alone.
    """

    default_threshold = 0.0

    def __init__(self, margin: float, *, weighted: bool) -> None:
        self._margin = np.float32(margin)
        self.objective_name = "weighted_hinge_loss_objective" if weighted else "hinge_loss_objective"

    def targets(self, labels: Float32Array) -> Float32Array:
        """-1 for label 0 and 1 for label 1, shape ``(n, 1)``."""
        return (np.float32(2) * labels - np.float32(1))[:, np.newaxis]

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """``-s`` where the margin is not reached, else 0."""
        np.multiply(prepared, targets, out=out)
        np.multiply(out < self._margin, -targets, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``max(0, margin - s score)``."""
        np.multiply(prepared, targets, out=out)
        np.subtract(self._margin, out, out=out)
        return np.maximum(out, 0, out=out)


class Softmax(Loss):
    """``-log`` of the softmax probability of the true class.

    Args:
        n_classes: number of classes.
        weighted: whether rows carry weights, which changes the name alone.
    """

    def __init__(self, n_classes: int, *, weighted: bool) -> None:
        self._n_classes = n_classes
        self.objective_name = "weighted_softmax_loss_objective" if weighted else "multiclass_cross_entropy_objective"

    def targets(self, labels: Float32Array) -> Float32Array:
        """One-hot rows, shape ``(n, n_classes, 1)``."""
        hot: npt.NDArray[np.bool_] = labels[:, np.newaxis] == np.arange(self._n_classes, dtype=np.float32)
        return hot.astype(np.float32)[:, :, np.newaxis]

    def prepare(self, scores: Float32Array) -> None:
        """Scores become logarithms of probabilities, which no difference of scores can overflow."""
        np.subtract(scores, scores.max(axis=-2, keepdims=True), out=scores)
        np.subtract(scores, np.log(np.exp(scores).sum(axis=-2, keepdims=True)), out=scores)

    def respond(self, scores: Float32Array) -> Float32Array:
        """The probabilities of the classes, over axis -2."""
        logarithms = scores.copy()
        self.prepare(logarithms)
        np.exp(logarithms, out=logarithms)
        return logarithms

    def gradient(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> None:
        """Probabilities minus one-hot targets."""
        np.exp(prepared, out=out)
        np.subtract(out, targets, out=out)

    def values(self, prepared: Float32Array, targets: Float32Array, out: Float32Array) -> Float32Array:
        """``-log`` of the true class's probability, shape ``(..., n_models)``."""
        # A true class of probability 0 keeps its finite logarithm; the others' must not turn 0 * -inf into NaN.
        np.copyto(out, 0)
        np.copyto(out, prepared, where=targets != 0)
        losses: Float32Array = out.sum(axis=-2)
        return np.negative(losses, out=losses)


def make(hyperparameters: Hyperparameters) -> Loss:
    """Build the loss that a job trains."""
    hp = hyperparameters
    weighted = hp.positive_example_weight_mult != 1.0
    simple: dict[str, Loss] = {
        "squared_loss": Squared(),
        "absolute_loss": Absolute(),
        "eps_insensitive_squared_loss": EpsilonInsensitiveSquared(hp.loss_insensitivity),
        "eps_insensitive_absolute_loss": EpsilonInsensitiveAbsolute(hp.loss_insensitivity),
        "quantile_loss": Quantile(hp.quantile),
        "huber_loss": Huber(hp.huber_delta),
        "logistic": Logistic(weighted=weighted),
        "hinge_loss": Hinge(hp.margin, weighted=weighted),
        "softmax_loss": Softmax(hp.num_classes, weighted=hp.balance_multiclass_weights),
    }
    return simple[hp.loss]
