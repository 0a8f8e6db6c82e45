"""Bayesian search: a Gaussian process over the results, and the point with the largest expected improvement.

AWS does not publish its own algorithm. This is the method of Snoek, Larochelle and Adams, "Practical Bayesian
Optimization of Machine Learning Algorithms" (NeurIPS 2012), which AWS's developer guide cites:

- a Matérn 5/2 kernel with a length scale per hyperparameter, and noise;
- expected improvement, averaged over the parameters of the kernel. They are drawn from a prior and weighted by their
  likelihood;
- a combination that is being tried counts with the result that the process expects there.

The first combinations are a shifted Halton sequence, which fills the space evenly. Losses enter as normal scores of
their ranks, as in Salinas, Shen and Perrone, "A quantile-based approach for hyperparameter transfer learning" (ICML
2020), so a model that diverges does not hide the differences between good ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.emulator.sagemaker.tuning.ranges import Space
from asteroid_ll.emulator.sagemaker.tuning.trials import FEW, Trial, new_combinations, untried

Array = NDArray[np.float64]

_PRIMES = tuple(number for number in range(2, 114) if all(number % divisor for divisor in range(2, number)))
"""The bases of the Halton sequence, one per range."""

_N_DRAWS, _N_KEPT = 100, 5
"""Kernel parameters that are drawn from the prior, and those with the largest likelihood that are used."""

_N_ANYWHERE, _N_NEAR = 400, 200
"""Candidates from the whole space, and near the best combinations."""

_N_BEST = 3
_MIN_STEP, _MAX_STEP, _MOVED = 0.01, 0.3, 0.5
"""A near candidate differs from one of the best combinations by a normal step in each coordinate with this chance."""

_erf = np.frompyfunc(math.erf, 1, 1)


class _Kernel(NamedTuple):
    """The parameters of a kernel: a length scale per feature, and the noise as a share of the variance."""

    lengths: Array
    noise: float


def suggest(space: Space, trials: Sequence[Trial], *, rng: np.random.Generator, seed: int) -> dict[str, str]:
    """Return the combination to try next.

    Args:
        space: the combinations.
        trials: all combinations before, in order.
        rng: random numbers for this suggestion.
        seed: the tuning job's seed, for the first combinations.
    """
    known = [trial for trial in trials if trial.loss is not None]
    if len(known) < _n_initial(space):
        first = space.values(_halton(len(trials), n=len(space.ranges), seed=seed))
        is_new = all(first != dict(trial.values) for trial in trials)
        return first if is_new else next(new_combinations(space, trials, rng=rng))
    losses = _normal_scores(np.array([trial.loss for trial in known]))
    features = np.array([space.encode(trial.values) for trial in known])
    pending = np.array([space.encode(trial.values) for trial in trials if trial.is_pending]).reshape(
        -1, features.shape[1]
    )
    candidates = _candidates(space, trials, known, rng=rng)
    points = np.array([space.encode(values) for values in candidates])
    improvement = _expected_improvement(points, features, losses, pending=pending, groups=space.feature_groups, rng=rng)
    return candidates[int(np.argmax(improvement))]


def _n_initial(space: Space) -> int:
    """Return how many results the regression needs."""
    return len(space.ranges) + 1


def _halton(index: int, *, n: int, seed: int) -> list[float]:
    """Return a point of the Halton sequence, shifted by a random vector (Cranley and Patterson, 1976)."""
    shift = np.random.default_rng(seed).random(n)

    def radical_inverse(base: int) -> float:
        value, weight, rest = 0.0, 1.0 / base, index
        while rest:
            value += weight * (rest % base)
            rest, weight = rest // base, weight / base
        return value

    return [(radical_inverse(base) + moved) % 1.0 for base, moved in zip(_PRIMES, shift.tolist(), strict=False)]


def _normal_scores(losses: Array) -> Array:
    """Return the standard normal quantiles of the losses' ranks; equal losses have equal scores."""
    _, first, counts = np.unique(losses, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2.0)[first]
    normal = NormalDist()
    return np.array([normal.inv_cdf(share) for share in (middle / len(losses)).tolist()])


def _candidates(
    space: Space, trials: Sequence[Trial], known: Sequence[Trial], *, rng: np.random.Generator
) -> list[dict[str, str]]:
    """Return new combinations: anywhere, and near the best ones."""
    if space.n_combinations <= FEW:
        return untried(space, trials) or list(space.combinations())
    tried = {tuple(trial.values.values()) for trial in trials}
    anywhere = list(itertools.islice(new_combinations(space, trials, rng=rng), _N_ANYWHERE))
    best = sorted(known, key=lambda trial: trial.loss or 0.0)[:_N_BEST]
    centers = np.resize([_coordinates(space, trial) for trial in best], (_N_NEAR, len(space.ranges)))
    steps = _MIN_STEP * (_MAX_STEP / _MIN_STEP) ** rng.random((_N_NEAR, 1))
    is_moved = rng.random(centers.shape) < _MOVED
    points = np.clip(centers + is_moved * steps * rng.normal(size=centers.shape), 0.0, 1.0)
    near = (space.values(point) for point in points.tolist())
    return anywhere + [values for values in near if tuple(values.values()) not in tried]


def _coordinates(space: Space, trial: Trial) -> list[float]:
    """Return a combination's point in the unit cube."""
    coordinates = []
    for searched in space.ranges:
        features = searched.encode(trial.values[searched.name])
        is_number = len(features) == 1
        coordinates.append(features[0] if is_number else (int(np.argmax(features)) + 0.5) / len(features))
    return coordinates


def _expected_improvement(
    points: Array,
    features: Array,
    losses: Array,
    *,
    pending: Array,
    groups: Sequence[int],
    rng: np.random.Generator,
) -> Array:
    """Return the expected improvement at each point, averaged over kernels by their likelihood."""
    kernels = [_draw_kernel(groups, rng=rng) for _ in range(_N_DRAWS)]
    likelihoods = np.array([_log_likelihood(kernel, features, losses) for kernel in kernels])
    kept = np.argsort(-likelihoods, kind="stable")[:_N_KEPT]
    weights = np.exp(likelihoods[kept] - likelihoods[kept[0]])
    total = np.zeros(len(points))
    for number, weight in zip(kept.tolist(), weights.tolist(), strict=True):
        kernel, known, results = kernels[number], features, losses
        if len(pending):
            expected, _ = _predict(kernel, known, results, pending)
            known, results = np.vstack([known, pending]), np.append(results, expected)
        mean, deviation = _predict(kernel, known, results, points)
        gain = results.min() - mean
        ratio = gain / deviation
        below = 0.5 * (1.0 + _erf(ratio / math.sqrt(2.0)).astype(float))
        total += weight * (gain * below + deviation * np.exp(-0.5 * ratio**2) / math.sqrt(2.0 * math.pi))
    return total


def _draw_kernel(groups: Sequence[int], *, rng: np.random.Generator) -> _Kernel:
    """Draw a kernel from the prior: log-normal length scales around 0.5, noise between 1e-4 and 1e-1."""
    lengths = 0.5 * np.exp(0.8 * rng.normal(size=max(groups) + 1))
    return _Kernel(lengths[list(groups)], 10.0 ** rng.uniform(-4.0, -1.0))


def _covariance(kernel: _Kernel, left: Array, right: Array) -> Array:
    """Return the Matérn 5/2 kernel of two sets of points, with variance 1."""
    squares = (((left[:, None, :] - right[None, :, :]) / kernel.lengths) ** 2).sum(axis=2)
    scaled = np.sqrt(5.0 * squares)
    covariance: Array = (1.0 + scaled + 5.0 / 3.0 * squares) * np.exp(-scaled)
    return covariance


def _factor(kernel: _Kernel, features: Array) -> Array:
    """Return the Cholesky factor of the covariance of the results."""
    noise = kernel.noise * np.eye(len(features))
    return np.linalg.cholesky(_covariance(kernel, features, features) + noise).astype(np.float64)


def _log_likelihood(kernel: _Kernel, features: Array, losses: Array) -> float:
    """Return the log marginal likelihood, without its constant; the scores have variance 1 already."""
    factor = _factor(kernel, features)
    whitened = np.linalg.solve(factor, losses)
    return float(-0.5 * whitened @ whitened - np.log(np.diag(factor)).sum())


def _predict(kernel: _Kernel, features: Array, losses: Array, points: Array) -> tuple[Array, Array]:
    """Return the mean and the standard deviation of the process at points, without the noise."""
    factor = _factor(kernel, features)
    across = np.linalg.solve(factor, _covariance(kernel, features, points))
    mean = across.T @ np.linalg.solve(factor, losses)
    return mean, np.sqrt(np.maximum(1.0 - (across**2).sum(axis=0), 1e-12))
