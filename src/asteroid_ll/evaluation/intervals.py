"""Bootstrap intervals of scores, which resample asteroids instead of rows.

Rows of one asteroid share its magnitude and its orbit, so resampling rows would count the same evidence several times.
A replicate draws as many asteroids as there are, with replacement, and weights each row by the number of times that
its asteroid was drawn.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile intervals); Field and
Welsh, "Bootstrapping clustered data", J. R. Statist. Soc. B 69 (2007) 369 (resampling whole clusters).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.metrics import interval_metrics
from asteroid_ll.evaluation.ranking import Floats, as_labels
from asteroid_ll.evaluation.resamples import Predictions, Resamples, ScoredRows

CONFIDENCE = 0.95
N_REPLICATES = 1000

# Weights of this many numbers stay in a core's cache while they are summed.
_ELEMENTS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Interval:
    """A percentile interval of `CONFIDENCE`; the score need not lie in its middle."""

    low: float
    high: float


def bootstrap(
    labels: ArrayLike,
    predictors: Mapping[str, Predictions],
    *,
    groups: ArrayLike,
    n_replicates: int = N_REPLICATES,
    seed: int = 0,
) -> dict[str, dict[str, Floats]]:
    """Score resampled asteroids. All predictors see the same resamples, so their scores can be subtracted.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        predictors: the predictions by predictor.
        groups: identity of each row's asteroid, shape ``(n_rows,)``, texts or numbers.
        n_replicates: number of resamples.
        seed: the same seed, rows and identities give the same replicates on every machine.

    Returns:
        The replicates of each predictor and metric that has an interval, shape ``(n_replicates,)``, NaN if a replicate
        has no denominator. A predictor without scores lacks the metrics that need them.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.
    """
    n_rows = as_labels(labels).size
    group, n_groups = _group_numbers(groups, n_rows)
    rows = {name: ScoredRows(labels, item, group=group, n_groups=n_groups) for name, item in predictors.items()}
    blocks: dict[str, dict[str, list[Floats]]] = {
        name: {metric.key: [] for metric in interval_metrics() if item.has_scores or not metric.needs_scores}
        for name, item in rows.items()
    }
    for weights in _resamples(n_groups, n_replicates=n_replicates, n_rows=n_rows, seed=seed):
        for name, item in rows.items():
            sample = Resamples(item, weights)
            for metric in interval_metrics():
                if metric.key in blocks[name]:
                    blocks[name][metric.key].append(metric.formula(sample))
    return {
        name: {key: np.concatenate(values) for key, values in by_metric.items()} for name, by_metric in blocks.items()
    }


def interval(replicates: Floats) -> Interval | None:
    """Return the percentile interval of the replicates that have a value, None if there is none."""
    known = replicates[np.isfinite(replicates)]
    if known.size == 0:
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(known, (tail, 100 - tail))
    return Interval(float(low), float(high))


def interval_json(replicates: Floats) -> dict[str, float] | None:
    """Return the interval of the replicates as a JSON value."""
    limits = interval(replicates)
    return None if limits is None else asdict(limits)


def to_json(replicates: Mapping[str, Mapping[str, Floats]]) -> dict[str, Any]:
    """Return the intervals as JSON values.

    Args:
        replicates: the result of `bootstrap`.

    Returns:
        ``scores`` by predictor and metric, each ``{"low": ..., "high": ...}`` or None; ``model_minus_rule`` by metric
        if both were scored; and the method.
    """
    first = next(iter(replicates.values()))
    result: dict[str, Any] = {
        "confidence": CONFIDENCE,
        "method": "percentile bootstrap over asteroids",
        "n_replicates": next(iter(first.values())).size,
        "scores": {
            name: {key: interval_json(values) for key, values in by_metric.items()}
            for name, by_metric in replicates.items()
        },
    }
    if "rule" in replicates:
        model, rule = replicates["model"], replicates["rule"]
        result["model_minus_rule"] = {
            key: interval_json(values - rule[key]) for key, values in model.items() if key in rule
        }
    return result


def _group_numbers(groups: ArrayLike, n_rows: int) -> tuple[NDArray[np.intp], int]:
    """Number the asteroids by their first row, so the replicates do not depend on their names."""
    names = np.asarray(groups)
    if names.shape != (n_rows,):
        raise DataError(
            f"There are {n_rows} labels, and identities of shape {names.shape}.",
            hint="asteroid-ll run-all --force predict   scores the test part again.",
        )
    unique, first, numbers = np.unique(names, return_index=True, return_inverse=True)
    rank = np.empty(unique.size, dtype=np.intp)
    rank[np.argsort(first)] = np.arange(unique.size)
    return rank[numbers.reshape(-1)], int(unique.size)


def _resamples(n_groups: int, *, n_replicates: int, n_rows: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Yield the number of times that each asteroid was drawn, in blocks of replicates of shape ``(n_groups, n)``.

    float32 represents sums of these counts exactly up to 16 million rows.
    """
    generator = np.random.default_rng(seed)
    at_once = max(1, _ELEMENTS_AT_ONCE // n_rows)
    for start in range(0, n_replicates, at_once):
        n = min(at_once, n_replicates - start)
        drawn = generator.integers(0, n_groups, size=(n, n_groups), dtype=np.int64)
        drawn *= n
        drawn += np.arange(n)[:, np.newaxis]
        yield np.bincount(drawn.reshape(-1), minlength=n_groups * n).reshape(n_groups, n).astype(np.float32)
