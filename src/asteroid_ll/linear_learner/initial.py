"""The initial weights, the same in every job because MXNet's generator is never seeded.

The CPU sampler has mt19937 generators, each seeded with its own number. Several of them fill an array of more than 64
numbers, and each keeps its position from one array to the next. Recovered from a real log; checked against MXNet 1.3.1
and 1.9.1.
"""

from __future__ import annotations

import numpy as np

from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters

_NUMBERS_PER_GENERATOR = 64
_MAX_GENERATORS = 1024
_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))


def initial_weights(hyperparameters: Hyperparameters, *, n_models: int, feature_dim: int) -> Float32Array:
    """Return the initial weights of all models, shape ``(n_models, feature_dim, n_outputs)``."""
    hp = hyperparameters
    size = feature_dim * hp.n_outputs
    n_generators = min(-(-size // _NUMBERS_PER_GENERATOR), _MAX_GENERATORS)
    step = -(-size // n_generators)
    order = initialisation_order(n_models)
    weights = np.empty((n_models, size), np.float32)
    for seed in range(n_generators):
        start, stop = seed * step, min((seed + 1) * step, size)
        if start >= stop:
            break
        numbers = _draw(np.random.RandomState(seed), n_models * (stop - start), hyperparameters=hp)
        weights[order, start:stop] = numbers.reshape(n_models, stop - start)
    return weights.reshape(n_models, feature_dim, hp.n_outputs)


def initialisation_order(n_models: int) -> list[int]:
    """Return the model numbers in the order of initialisation: that of their names as strings."""
    return sorted(range(n_models), key=lambda model: f"{model}_")


def _draw(stream: np.random.RandomState, count: int, *, hyperparameters: Hyperparameters) -> Float32Array:
    if hyperparameters.init_method == "normal":
        return np.float32(hyperparameters.init_sigma) * _polar(stream, count)
    low, high = np.float32(-hyperparameters.init_scale), np.float32(hyperparameters.init_scale)
    return low + (high - low) * _unit(stream, count)


def _unit(stream: np.random.RandomState, count: int) -> Float32Array:
    """Draw uniform float32 numbers in [0, 1): 32-bit outputs times 2**-32, as libstdc++ computes them."""
    words = stream.randint(0, 2**32, size=count, dtype=np.uint32)
    unit: Float32Array = np.minimum(words.astype(np.float32) * np.float32(2**-32), _BELOW_ONE)
    return unit


def _polar(stream: np.random.RandomState, count: int) -> Float32Array:
    """Draw standard normal float32 numbers by Marsaglia's polar method, without the second number of each pair."""
    accepted: list[Float32Array] = []
    missing = count
    while missing > 0:
        pairs = np.float32(2) * _unit(stream, 2 * (missing + missing // 2 + 8)).reshape(-1, 2) - np.float32(1)
        x, y = pairs[:, 0], pairs[:, 1]
        r = x * x + y * y
        inside = (r <= 1) & (r != 0)
        x, y, r = x[inside], y[inside], r[inside]
        accepted.append((y * np.sqrt(np.float32(-2) * np.log(r) / r))[:missing])
        missing -= len(accepted[-1])
    return np.concatenate(accepted) if accepted else np.empty(0, np.float32)
