"""The optimizers and their learning rates, in MXNet's arithmetic: float32, all models of a group at once.

The gradient that a step receives is the batch mean with L1 and L2 already added. Sources: MXNet 1.3
``sgd_mom_update``, ``adam_update``, ``rmsprop_update`` and ``FactorScheduler``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.arrays import Float32Array, Float64Array, Int64Array
from asteroid_ll.linear_learner.grid import Candidate
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters


class Schedule:
    """Learning rates that decay by a factor after every ``lr_scheduler_step`` updates, down to a minimum.

    The rate of update k (from 1) has decayed ``(k - 1) // step`` times: MXNet counts the update, then reads the rate.

    Args:
        candidates: the models.
        enabled: False keeps every model's initial rate (``use_lr_scheduler=false``).
    """

    def __init__(self, candidates: Sequence[Candidate], *, enabled: bool) -> None:
        self._first = np.array([candidate.learning_rate for candidate in candidates])
        self._factor = np.array([candidate.lr_scheduler_factor for candidate in candidates])
        self._minimum = np.array([candidate.lr_scheduler_minimum_lr for candidate in candidates])
        self._step = np.array([candidate.lr_scheduler_step for candidate in candidates])
        self._enabled = enabled

    def rates(self, updates: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the rates of some updates.

        Args:
            updates: numbers of the updates, counted from 1, shape ``(n,)``.

        Returns:
            Learning rates of shape ``(n, n_models)``.
        """
        if not self._enabled:
            return np.broadcast_to(self._first, (len(updates), len(self._first)))
        decays = (updates[:, np.newaxis] - 1) // self._step
        decayed = np.maximum(self._first * self._factor**decays, self._minimum)
        # An initial rate below the minimum is used until the first decay raises it.
        return np.where(decays == 0, self._first, decayed)


# Constants are arrays without dimensions: numpy would make one of every scalar, which takes longer than a small update.
_ADAM_EPSILON = np.array(1e-8, np.float32)
_RMSPROP_DECAY = np.array(0.9, np.float32)
_RMSPROP_ADD = np.array(np.float32(1) - np.float32(0.9), np.float32)
_RMSPROP_EPSILON = np.array(1e-8, np.float32)
# A factor per array or column is spread over all elements of arrays up to this size: a loop over one long row is faster
# than broadcasting. For larger ones, memory is what counts.
SMALL = 1 << 13


class Optimizer(ABC):
    """A rule that updates weights along a gradient.

    Args:
        shape: of the weights.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.work: Float32Array = np.empty((2, *shape), np.float32)
        """Two arrays of the weights' shape. A step takes the gradient from the first one and overwrites both."""

    @property
    @abstractmethod
    def state(self) -> tuple[Float32Array, ...]:
        """The arrays that a step changes besides the weights, without a copy."""

    def scale_rates(self, rates: Float64Array, updates: Int64Array) -> Float64Array:  # noqa: ARG002 - for Adam
        """Return the rates of some updates, by default the scheduled ones.

        Args:
            rates: scheduled rates, shape ``(..., n, n_columns)``.
            updates: numbers of the updates, counted from 1, shape ``(n,)``.
        """
        return rates

    @abstractmethod
    def step(self, weights: Float32Array, rates: Rates) -> None:
        """Update ``weights`` in place along the gradient in ``work[0]``, which has the same shape."""


class Rates:
    """The learning rates of some updates: one per model's output, and another for its bias.

    Args:
        feature: shape ``(n_updates, n_columns)``.
        bias: the same for the bias row.
        shape: of the weights, ``(n_rows, n_columns)``, with or without a bias row.
        n_features: number of rows before the bias row.
        by_column: whether the arrays to multiply hold one column after the other, as shape ``(n_columns, n_rows)``.
    """

    def __init__(
        self,
        feature: Float32Array,
        bias: Float32Array,
        *,
        shape: tuple[int, int],
        n_features: int,
        by_column: bool,
    ) -> None:
        self.number = 0
        """The current update's number in this object, from 0."""
        self._feature, self._bias, self._n_features, self._by_column = feature, bias, n_features, by_column
        self._full: Float32Array | None = None
        if shape[0] * shape[1] <= SMALL:
            stored = shape[::-1] if by_column else shape
            self._full = np.empty((len(feature), *stored), np.float32)
            full = self._full.transpose(0, 2, 1) if by_column else self._full
            full[:, :n_features] = feature[:, np.newaxis]
            full[:, n_features:] = bias[:, np.newaxis]

    def multiply(self, values: Float32Array, out: Float32Array) -> None:
        """Write ``rate * values`` to ``out``."""
        if self._full is not None:
            np.multiply(values, self._full[self.number], out)
            return
        rows, out_rows = (values.T, out.T) if self._by_column else (values, out)
        n_features = self._n_features
        np.multiply(rows[:n_features], self._feature[self.number], out_rows[:n_features])
        if len(rows) > n_features:
            np.multiply(rows[n_features], self._bias[self.number], out_rows[n_features])


class Adam(Optimizer):
    """Adam with bias correction in the rate: ``m = b1 m + (1 - b1) g``, ``w -= rate m / (sqrt(v) + 1e-8)``.

    Args:
        shape: of the weights.
        beta_1: decay of the mean of gradients.
        beta_2: decay of the mean of their squares.
    """

    def __init__(self, shape: tuple[int, int], *, beta_1: float, beta_2: float) -> None:
        super().__init__(shape)
        self._beta_1, self._beta_2 = beta_1, beta_2
        keep = np.array([beta_1, beta_2], np.float32)
        self._factors = _spread(np.concatenate([np.float32(1) - keep, keep]), shape)
        # Both new terms and both moments are side by side, because one call multiplies all four.
        self._terms = np.zeros((4, *shape), np.float32)
        self.work, self._moments = self._terms[:2], self._terms[2:]

    @property
    def state(self) -> tuple[Float32Array, ...]:
        """The means of gradients and of their squares."""
        return self._moments[0], self._moments[1]

    def scale_rates(self, rates: Float64Array, updates: Int64Array) -> Float64Array:
        """Multiply the rates by both bias corrections, as MXNet does."""
        correction = np.sqrt(1.0 - self._beta_2**updates) / (1.0 - self._beta_1**updates)
        scaled: Float64Array = rates * correction[:, np.newaxis]
        return scaled

    def step(self, weights: Float32Array, rates: Rates) -> None:
        """Update the weights in place."""
        work, moments = self.work, self._moments
        change, root = work
        np.multiply(change, change, root)
        np.multiply(self._terms, self._factors, self._terms)
        np.add(moments, work, moments)
        mean, square = moments
        np.sqrt(square, root)
        np.add(root, _ADAM_EPSILON, root)
        rates.multiply(mean, change)
        np.divide(change, root, change)
        np.subtract(weights, change, weights)


def _spread(factors: Float32Array, shape: tuple[int, int]) -> Float32Array:
    """Return factors of shape ``(n,)`` for arrays of shape ``(n, *shape)``."""
    spread = np.broadcast_to(factors[:, np.newaxis, np.newaxis], (len(factors), *shape))
    return spread.copy() if shape[0] * shape[1] <= SMALL else spread


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum: ``u = momentum u - rate g``, ``w += u``.

    Args:
        shape: of the weights.
        momentum: 0 for plain descent.
    """

    def __init__(self, shape: tuple[int, int], *, momentum: float) -> None:
        super().__init__(shape)
        self._momentum = np.array(momentum, np.float32)
        self._velocity = np.zeros(shape, np.float32)

    @property
    def state(self) -> tuple[Float32Array, ...]:
        """The velocity."""
        return (self._velocity,)

    def step(self, weights: Float32Array, rates: Rates) -> None:
        """Update the weights in place."""
        velocity, change = self._velocity, self.work[0]
        rates.multiply(change, change)
        np.multiply(velocity, self._momentum, velocity)
        np.subtract(velocity, change, velocity)
        np.add(weights, velocity, weights)


class RmsProp(Optimizer):
    """RMSProp after Tieleman and Hinton: ``n = 0.9 n + 0.1 g^2``, ``w -= rate g / sqrt(n + 1e-8)``.

    Args:
        shape: of the weights.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__(shape)
        self._square = np.zeros(shape, np.float32)

    @property
    def state(self) -> tuple[Float32Array, ...]:
        """The mean of the squared gradients."""
        return (self._square,)

    def step(self, weights: Float32Array, rates: Rates) -> None:
        """Update the weights in place."""
        square = self._square
        change, root = self.work
        np.multiply(change, change, root)
        np.multiply(root, _RMSPROP_ADD, root)
        np.multiply(square, _RMSPROP_DECAY, square)
        np.add(square, root, square)
        np.add(square, _RMSPROP_EPSILON, root)
        np.sqrt(root, root)
        rates.multiply(change, change)
        np.divide(change, root, change)
        np.subtract(weights, change, weights)


def make(name: str, shape: tuple[int, int], hyperparameters: Hyperparameters) -> Optimizer:
    """Return the optimizer of a name: ``adam``, ``sgd`` or ``rmsprop``."""
    if name == "sgd":
        return Sgd(shape, momentum=hyperparameters.momentum)
    if name == "rmsprop":
        return RmsProp(shape)
    return Adam(shape, beta_1=hyperparameters.beta_1, beta_2=hyperparameters.beta_2)
