"""The grid of models that one job trains side by side, and their initial weights.

Regression and binary classification share a fixed grid of 32. Multiclass models are a base and random variations of
it. Both rules were recovered from the logs of real jobs.

The initial weights are the same in every job because MXNet's generator is never seeded. The CPU sampler has mt19937
generators, each seeded with its own number. Several of them fill an array of more than 64 numbers, and each keeps its
position from one array to the next. Recovered from a real log; checked against MXNet 1.3.1 and 1.9.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters, PredictorType

_WD = (1e-4, 1e-2, 1.0, 100.0)
_LEARNING_RATE = (0.005, 0.1)
_MINIMUM_LR = (1e-5, 1e-4)
_STEP = (10, 100)
_GRID_SIZE = 32


@dataclass(frozen=True)
class Candidate:
    """The optimizer and regularisation of one model of the grid.

    ``wd`` is the strength of L2 (added to the gradient of the batch mean), ``l1`` that of L1 (added to the gradient of
    the batch sum); ``lr_scheduler_step`` counts mini-batches.
    """

    optimizer: str
    learning_rate: float
    wd: float
    l1: float
    lr_scheduler_step: int
    lr_scheduler_factor: float
    lr_scheduler_minimum_lr: float
    bias_lr_mult: float

    def as_logged(self) -> dict[str, object]:
        """Return the content of the log's "Best model found for hyperparameters" line."""
        return {name: value for name, value in asdict(self).items() if name != "bias_lr_mult"}


_MULTICLASS_BASE = Candidate("adam", 0.02, 0.02, 0.02, 10, 0.98, 1e-5, 10.0)


def grid(hyperparameters: Hyperparameters, *, feature_dim: int) -> tuple[Candidate, ...]:
    """Return the models that the job trains.

    Args:
        hyperparameters: the job's; ``num_models`` None means ``auto``.
        feature_dim: features per row, on which the number of multiclass models depends.

    Returns:
        The candidates in the order of the log's model numbers. Number 0 is the base model; it has the values that the
        user fixed, but for ``lr_scheduler_step`` in the grid of 32, which no real job's model takes from the user. The
        others keep the grid's values or, in multiclass jobs, their ratios to the base model's.
    """
    if hyperparameters.predictor_type == "multiclass_classifier":
        return _multiclass(hyperparameters, feature_dim=feature_dim)
    n_models = hyperparameters.num_models or _GRID_SIZE
    models = [_lattice(index, hyperparameters) for index in range(n_models)]
    base = _base(hyperparameters, default=models[0])
    if hyperparameters.num_models is None:
        base = replace(base, lr_scheduler_step=models[0].lr_scheduler_step)
    return (base, *models[1:])


def as_logged(candidates: Sequence[Candidate], index: int, *, predictor_type: PredictorType) -> dict[str, object]:
    """Return the content of the log's "Best model found for hyperparameters" line, in its order.

    The base model and the variations of it list ``l1`` before ``wd``, models of the grid of 32 after it.

    Args:
        candidates: the models of the job.
        index: number of the exported model.
        predictor_type: the job's.
    """
    values = candidates[index].as_logged()
    if index > 0 and predictor_type != "multiclass_classifier":
        return values
    return {"optimizer": values["optimizer"], "learning_rate": values["learning_rate"], "l1": values["l1"], **values}


def auto_multiclass_models(feature_dim: int) -> int:
    """Return the number of models that ``num_models=auto`` means in a multiclass job.

    Args:
        feature_dim: features per row.

    Returns:
        A count from 3 to 32 that grows with the number of features. It fits the five public logs.
    """
    return round(_GRID_SIZE * (1 - math.exp(-feature_dim / 10)))


def _lattice(index: int, hyperparameters: Hyperparameters) -> Candidate:
    """Return model ``8a + 4b + 2c + d`` of the grid; numbers from 32 repeat it with other initial weights."""
    index %= _GRID_SIZE
    return Candidate(
        optimizer=hyperparameters.optimizer or "adam",
        learning_rate=_LEARNING_RATE[index // 4 % 2],
        wd=_WD[index // 8],
        l1=0.0,
        lr_scheduler_step=_STEP[index % 2],
        lr_scheduler_factor=0.99,
        lr_scheduler_minimum_lr=_MINIMUM_LR[index // 2 % 2],
        bias_lr_mult=_fixed(hyperparameters.bias_lr_mult, 10.0),
    )


def _base(hyperparameters: Hyperparameters, *, default: Candidate) -> Candidate:
    """Return the base model: the values that the user fixed, otherwise the default's."""
    return Candidate(
        optimizer=hyperparameters.optimizer or default.optimizer,
        learning_rate=_fixed(hyperparameters.learning_rate, default.learning_rate),
        wd=_fixed(hyperparameters.wd, default.wd),
        l1=_fixed(hyperparameters.l1, default.l1),
        lr_scheduler_step=hyperparameters.lr_scheduler_step or default.lr_scheduler_step,
        lr_scheduler_factor=_fixed(hyperparameters.lr_scheduler_factor, default.lr_scheduler_factor),
        lr_scheduler_minimum_lr=_fixed(hyperparameters.lr_scheduler_minimum_lr, default.lr_scheduler_minimum_lr),
        bias_lr_mult=_fixed(hyperparameters.bias_lr_mult, default.bias_lr_mult),
    )


def _multiclass(hyperparameters: Hyperparameters, *, feature_dim: int) -> tuple[Candidate, ...]:
    n_models = hyperparameters.num_models or auto_multiclass_models(feature_dim)
    base = _base(hyperparameters, default=_MULTICLASS_BASE)
    return (base, *_variations(base, hyperparameters, count=n_models - 1))


def _variations(base: Candidate, hyperparameters: Hyperparameters, *, count: int) -> tuple[Candidate, ...]:
    """Draw random models around the base, as whole vectors from one stream; the order of the draws matters."""
    stream = np.random.RandomState(0)
    learning_rate = base.learning_rate * 8 ** (2 * stream.random_sample(count) - 1)
    l1 = base.l1 * 20 ** (2 * stream.random_sample(count) - 1)
    wd = base.wd * 20 ** (2 * stream.random_sample(count) - 1)
    step = np.round(10 * 100 ** stream.random_sample(count))
    factor = 1 - 0.02 * 5 ** (2 * stream.random_sample(count) - 1)
    stream.random_sample()
    minimum_lr = 1e-6 * 1000 ** stream.random_sample(count)
    stream.random_sample()
    optimizer = np.array(["adam", "rmsprop"])[stream.randint(0, 2, count, dtype=np.int64)]
    bias_lr_mult = np.array([1.0, 10.0])[stream.randint(0, 2, count, dtype=np.int64)]
    return tuple(
        Candidate(
            optimizer=hyperparameters.optimizer or str(optimizer[i]),
            learning_rate=float(learning_rate[i]),
            wd=float(wd[i]),
            l1=float(l1[i]),
            lr_scheduler_step=int(step[i]),
            lr_scheduler_factor=float(factor[i]),
            lr_scheduler_minimum_lr=float(minimum_lr[i]),
            bias_lr_mult=_fixed(hyperparameters.bias_lr_mult, float(bias_lr_mult[i])),
        )
        for i in range(count)
    )


def _fixed(value: float | None, default: float) -> float:
    return default if value is None else value


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
