"""The optimizers, in MXNet's arithmetic: float32 on preallocated arrays, all models of a group at once.

The gradient that a step receives is the batch mean with L1 and L2 already added. Sources: MXNet 1.3
``sgd_mom_update``, ``adam_update`` and ``rmsprop_update``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from asteroid_ll.formats.arrays import Float32Array, Float64Array, Int64Array
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters

_ADAM_EPSILON = np.float32(1e-8)
_RMSPROP_DECAY = np.float32(0.9)
_RMSPROP_EPSILON = np.float32(1e-8)


class Optimizer(ABC):
    """A rule that updates weights along a gradient."""

    @property
    @abstractmethod
    def state(self) -> tuple[Float32Array, ...]:
        """The arrays that a step changes besides the weights, without a copy."""

    def scale_rates(self, rates: Float64Array, updates: Int64Array) -> Float64Array:  # noqa: ARG002 - for Adam
        """Return the rates of some updates, by default the scheduled ones.

        Args:
            rates: scheduled rates, shape ``(n, n_columns)``.
            updates: numbers of the updates, counted from 1, shape ``(n,)``.
        """
        return rates

    @abstractmethod
    def step(self, weights: Float32Array, gradient: Float32Array, rates: Rates) -> None:
        """Update ``weights`` in place, shape ``(n_rows, n_columns)``; ``gradient`` is overwritten."""


class Rates:
    """The learning rates of a weight array: one per column, and another for the bias row.

    Args:
        n_features: number of rows before the bias row, if there is one.
    """

    def __init__(self, n_features: int) -> None:
        self._n_features = n_features
        self.feature: Float32Array = np.zeros(0, np.float32)
        self.bias: Float32Array = np.zeros(0, np.float32)

    def multiply(self, values: Float32Array, out: Float32Array) -> None:
        """Write ``rate * values`` to ``out``."""
        n_features = self._n_features
        np.multiply(values[:n_features], self.feature, out=out[:n_features])
        if len(values) > n_features:
            np.multiply(values[n_features], self.bias, out=out[n_features])


class Adam(Optimizer):
    """Adam with bias correction in the rate: ``m = b1 m + (1 - b1) g``, ``w -= rate m / (sqrt(v) + 1e-8)``.

    Args:
        shape: of the weights.
        beta_1: decay of the mean of gradients.
        beta_2: decay of the mean of their squares.
    """

    def __init__(self, shape: tuple[int, int], *, beta_1: float, beta_2: float) -> None:
        self._beta_1, self._beta_2 = beta_1, beta_2
        self._keep_mean, self._keep_square = np.float32(beta_1), np.float32(beta_2)
        self._add_mean, self._add_square = np.float32(1) - self._keep_mean, np.float32(1) - self._keep_square
        self._mean = np.zeros(shape, np.float32)
        self._square = np.zeros(shape, np.float32)
        self._scratch = np.empty(shape, np.float32)

    @property
    def state(self) -> tuple[Float32Array, ...]:
        """The means of gradients and of their squares."""
        return self._mean, self._square

    def scale_rates(self, rates: Float64Array, updates: Int64Array) -> Float64Array:
        """Multiply the rates by both bias corrections, as MXNet does."""
        correction = np.sqrt(1.0 - self._beta_2**updates) / (1.0 - self._beta_1**updates)
        scaled: Float64Array = rates * correction[:, np.newaxis]
        return scaled

    def step(self, weights: Float32Array, gradient: Float32Array, rates: Rates) -> None:
        """Update the weights in place; the gradient is overwritten."""
        mean, square, scratch = self._mean, self._square, self._scratch
        np.multiply(mean, self._keep_mean, out=mean)
        np.multiply(gradient, self._add_mean, out=scratch)
        np.add(mean, scratch, out=mean)
        np.multiply(gradient, gradient, out=gradient)
        np.multiply(gradient, self._add_square, out=gradient)
        np.multiply(square, self._keep_square, out=square)
        np.add(square, gradient, out=square)
        np.sqrt(square, out=gradient)
        np.add(gradient, _ADAM_EPSILON, out=gradient)
        rates.multiply(mean, scratch)
        np.divide(scratch, gradient, out=scratch)
        np.subtract(weights, scratch, out=weights)


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum: ``u = momentum u - rate g``, ``w += u``.

    Args:
        shape: of the weights.
        momentum: 0 for plain descent.
    """

    def __init__(self, shape: tuple[int, int], *, momentum: float) -> None:
        self._momentum = np.float32(momentum)
        self._velocity = np.zeros(shape, np.float32)

    @property
    def state(self) -> tuple[Float32Array, ...]:
        """The velocity."""
        return (self._velocity,)

    def step(self, weights: Float32Array, gradient: Float32Array, rates: Rates) -> None:
        """Update the weights in place; the gradient is overwritten."""
        velocity = self._velocity
        rates.multiply(gradient, gradient)
        np.multiply(velocity, self._momentum, out=velocity)
        np.subtract(velocity, gradient, out=velocity)
        np.add(weights, velocity, out=weights)


class RmsProp(Optimizer):
    """RMSProp after Tieleman and Hinton: ``n = 0.9 n + 0.1 g^2``, ``w -= rate g / sqrt(n + 1e-8)``.

    Args:
        shape: of the weights.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._add = np.float32(1) - _RMSPROP_DECAY
        self._square = np.zeros(shape, np.float32)
        self._scratch = np.empty(shape, np.float32)

    @property
    def state(self) -> tuple[Float32Array, ...]:
        """The mean of the squared gradients."""
        return (self._square,)

    def step(self, weights: Float32Array, gradient: Float32Array, rates: Rates) -> None:
        """Update the weights in place; the gradient is overwritten."""
        square, scratch = self._square, self._scratch
        np.multiply(gradient, gradient, out=scratch)
        np.multiply(scratch, self._add, out=scratch)
        np.multiply(square, _RMSPROP_DECAY, out=square)
        np.add(square, scratch, out=square)
        np.add(square, _RMSPROP_EPSILON, out=scratch)
        np.sqrt(scratch, out=scratch)
        rates.multiply(gradient, gradient)
        np.divide(gradient, scratch, out=gradient)
        np.subtract(weights, gradient, out=weights)


def make(name: str, shape: tuple[int, int], hyperparameters: Hyperparameters) -> Optimizer:
    """Return the optimizer of a name: ``adam``, ``sgd`` or ``rmsprop``."""
    if name == "sgd":
        return Sgd(shape, momentum=hyperparameters.momentum)
    if name == "rmsprop":
        return RmsProp(shape)
    return Adam(shape, beta_1=hyperparameters.beta_1, beta_2=hyperparameters.beta_2)
