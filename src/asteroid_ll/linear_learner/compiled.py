"""The loops of training as machine code, made by numba: one pass over the weights per update.

The formulas are those of `asteroid_ll.linear_learner.groups`, `optimizers` and `losses`. A product and a sum may be one
fused operation here, and the sums of small batches are added in another order, so weights differ from numpy's by
float32 rounding. One thread; the bits are the same in every run. Only a training that asks for it imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numba
import numpy as np

from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters

_Function = TypeVar("_Function", bound=Callable[..., Any])
_OPTIMIZERS = {"adam": 0, "sgd": 1, "rmsprop": 2}
# The losses of `_differentiate` in its order; a softmax is left to numpy.
_LOSSES = (
    "squared_loss",
    "absolute_loss",
    "eps_insensitive_squared_loss",
    "eps_insensitive_absolute_loss",
    "quantile_loss",
    "huber_loss",
    "logistic",
    "hinge_loss",
)
# Products of more terms are faster in BLAS, although each of its calls has a price.
_MOST_TERMS = 1 << 14


def _compiled(function: _Function) -> _Function:
    """Compile a function at its first call. It is loaded from numba's cache in later processes."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        compiled: _Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for the cache is writable
        compiled = numba.njit(**options)(function)
    return compiled


def _update(
    optimizer: int,
    gradient: Float32Array,
    weights: Float32Array,
    first: Float32Array,
    second: Float32Array,
    l1: Float32Array,
    l2: Float32Array,
    rates: Float32Array,
    constants: Float32Array,
) -> None:
    """Update the weights along the sum of a batch's gradients.

    Args:
        optimizer: 0 for Adam, 1 for SGD, 2 for RMSProp.
        gradient: shape ``(n_rows, n_columns)``, as all arrays below.
        weights: are updated.
        first: the mean of gradients, or the velocity.
        second: the mean of squared gradients.
        l1: strengths; of shape ``(0, 0)`` if there is none.
        l2: strengths.
        rates: of the features and of the bias, shape ``(2, n_columns)``.
        constants: number of features, factor of the mean, and the decays of ``first`` and ``second``.
    """
    n_features, rescale, keep_1, keep_2 = int(constants[0]), constants[1], constants[2], constants[3]
    one, tiny = np.float32(1), np.float32(1e-8)
    add_1, add_2 = one - keep_1, one - keep_2
    for i in range(len(weights)):
        g, w, m, v, decay, rate = gradient[i], weights[i], first[i], second[i], l2[i], rates[int(i >= n_features)]
        if len(l1):
            strength = l1[i]
            for j in range(len(w)):
                g[j] += np.sign(w[j]) * strength[j]
        if optimizer == 0:
            for j in range(len(w)):
                total = g[j] * rescale + w[j] * decay[j]
                mean = m[j] * keep_1 + total * add_1
                square = v[j] * keep_2 + total * total * add_2
                m[j] = mean
                v[j] = square
                w[j] -= rate[j] * mean / (np.sqrt(square) + tiny)
        elif optimizer == 1:
            for j in range(len(w)):
                velocity = m[j] * keep_1 - rate[j] * (g[j] * rescale + w[j] * decay[j])
                m[j] = velocity
                w[j] += velocity
        else:
            for j in range(len(w)):
                total = g[j] * rescale + w[j] * decay[j]
                square = v[j] * keep_2 + total * total * add_2
                v[j] = square
                w[j] -= rate[j] * total / np.sqrt(square + tiny)


def _add_products(left: Float32Array, right: Float32Array, out: Float32Array) -> None:
    """Write the product of two small matrices; ``left`` may be a transposed view."""
    n_terms = left.shape[1]
    for i in range(len(out)):
        row = out[i]
        for j in range(len(row)):
            row[j] = 0
        for k in range(0, n_terms - 1, 2):
            a, b, first, second = left[i, k], left[i, k + 1], right[k], right[k + 1]
            for j in range(len(row)):
                row[j] += a * first[j] + b * second[j]
        if n_terms % 2:
            a, first = left[i, n_terms - 1], right[n_terms - 1]
            for j in range(len(row)):
                row[j] += a * first[j]


def _differentiate(loss: int, score: Float32Array, target: np.float32, out: Float32Array, p: np.float32) -> None:
    """Turn one row's scores into the input of the loss's ``values``, and write its gradient by the raw score.

    Args:
        loss: its number in ``_LOSSES``.
        score: shape ``(n_models,)``.
        target: the row's.
        out: shape ``(n_models,)``.
        p: the loss's parameter: epsilon, quantile, delta or margin.
    """
    zero, one = np.float32(0), np.float32(1)
    for j in range(len(score)):
        residual = score[j] - target
        if loss == 0:
            out[j] = residual
        elif loss == 1:
            out[j] = np.sign(residual)
        elif loss == 2:
            out[j] = residual if abs(residual) > p else zero
        elif loss == 3:
            out[j] = np.sign(residual) if abs(residual) > p else zero
        elif loss == 4:
            out[j] = (one if score[j] >= target else zero) - p
        elif loss == 5:
            out[j] = min(max(residual, -p), p)
        elif loss == 6:
            probability = one / (one + np.exp(-score[j]))
            score[j] = probability
            out[j] = probability - target
        else:
            out[j] = -target if score[j] * target < p else zero


_update = _compiled(_update)
_add_products = _compiled(_add_products)
_differentiate = _compiled(_differentiate)


def _train(
    optimizer: int,
    loss: int,
    parameter: np.float32,
    batches: Float32Array,
    targets: Float32Array,
    row_weights: Float32Array,
    scores: Float32Array,
    gradient: Float32Array,
    weights: Float32Array,
    first: Float32Array,
    second: Float32Array,
    l1: Float32Array,
    l2: Float32Array,
    rates: Float32Array,
    constants: Float32Array,
) -> None:
    """Update the weights batch by batch; arguments as in ``_update``, with a first axis of batches."""
    residual = np.empty_like(scores[0])
    for number in range(len(batches)):
        batch, score = batches[number], scores[number]
        _add_products(batch, weights, score)
        for row in range(len(batch)):
            _differentiate(loss, score[row], targets[number, row, 0], residual[row], parameter)
            if len(row_weights):
                weight = row_weights[number, row]
                for j in range(residual.shape[1]):
                    residual[row, j] *= weight[j % len(weight)]
        _add_products(batch.T, residual, gradient)
        _update(optimizer, gradient, weights, first, second, l1, l2, rates[number], constants)


_train = _compiled(_train)


class Compiled:
    """The compiled training of a group of models. Its weights have the shape ``(n_rows, n_columns)``.

    Args:
        optimizer: the name of the group's optimizer.
        weights: the group's weights, and below arrays of their shape; all are read or updated in place.
        gradient: receives the sum of a batch's gradients.
        state: the state of the optimizer.
        l1: strengths; None if all are 0.
        l2: strengths.
        n_features: number of rows before the bias row.
        rescale: factor of the gradient's sum.
        hyperparameters: the job's.
    """

    def __init__(
        self,
        optimizer: str,
        *,
        weights: Float32Array,
        gradient: Float32Array,
        state: Sequence[Float32Array],
        l1: Float32Array | None,
        l2: Float32Array,
        n_features: int,
        rescale: float,
        hyperparameters: Hyperparameters,
    ) -> None:
        hp = hyperparameters
        self._optimizer = _OPTIMIZERS[optimizer]
        keep_1 = hp.momentum if optimizer == "sgd" else hp.beta_1
        keep_2 = 0.9 if optimizer == "rmsprop" else hp.beta_2
        self._arrays = (gradient, weights, state[0], state[-1], np.empty((0, 0), np.float32) if l1 is None else l1, l2)
        self._constants = np.array([n_features, rescale, keep_1, keep_2], np.float32)
        self.takes_batches = hp.loss in _LOSSES and weights.size * hp.mini_batch_size <= _MOST_TERMS
        """Whether ``train`` is faster than numpy's products followed by ``update``."""
        self._loss = _LOSSES.index(hp.loss) if self.takes_batches else 0
        self._parameter = np.float32(
            {
                "quantile_loss": hp.quantile,
                "huber_loss": hp.huber_delta,
                "hinge_loss": hp.margin,
            }.get(hp.loss, hp.loss_insensitivity)
        )

    def update(self, rates: Float32Array) -> None:
        """Update the weights along the gradient's sum; ``rates`` of features and bias, shape ``(2, n_columns)``."""
        _update(self._optimizer, *self._arrays, rates, self._constants)

    def train(
        self,
        batches: Float32Array,
        targets: Float32Array,
        *,
        row_weights: Float32Array | None,
        scores: Float32Array,
        rates: Float32Array,
    ) -> None:
        """Update the weights with some mini-batches, in order.

        Args:
            batches: shape ``(n_batches, mini_batch_size, n_rows)``.
            targets: shape ``(n_batches, mini_batch_size, 1)``.
            row_weights: shape ``(n_batches, mini_batch_size, 1 or n_columns)``; None if all are 1.
            scores: receives the input of the loss's ``values``, shape ``(n_batches, mini_batch_size, n_columns)``.
            rates: of features and bias, shape ``(n_batches, 2, n_columns)``.
        """
        weights = np.empty((0, 0, 0), np.float32) if row_weights is None else row_weights
        # Arrays in two layouts would be compiled twice.
        targets, weights = np.ascontiguousarray(targets), np.ascontiguousarray(weights)
        _train(
            self._optimizer,
            self._loss,
            self._parameter,
            batches,
            targets,
            weights,
            scores,
            *self._arrays,
            rates,
            self._constants,
        )
