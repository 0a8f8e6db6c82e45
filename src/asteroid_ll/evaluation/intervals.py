"""How sure a score is: bootstrap intervals that resample asteroids, not rows.

Rows of one asteroid share its magnitude and its orbit, so that resampling rows would count the same evidence several
times. A replicate draws as many asteroids as there are, with replacement, and gives each row the number of times that
its asteroid was drawn; every score of a replicate follows from these counts by matrix products and cumulative sums.

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
from asteroid_ll.evaluation.ranking import as_labels, as_scores

CONFIDENCE = 0.95
N_REPLICATES = 1000
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision")

# Counts of this many numbers stay in a core's cache while they are summed.
_ELEMENTS_AT_ONCE = 1 << 17

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]


@dataclass(frozen=True)
class Interval:
    """A percentile interval of `CONFIDENCE`; the score itself need not lie in its middle."""

    low: float
    high: float


@dataclass(frozen=True)
class Answers:
    """One predictor's answers for the rows of a part.

    Attributes:
        predicted: 0 or 1 a row, shape ``(n_rows,)``.
        scores: a number that grows with the belief in 1, shape ``(n_rows,)``; None for a hard rule.
    """

    predicted: ArrayLike
    scores: ArrayLike | None = None


def bootstrap(
    labels: ArrayLike,
    answers: Mapping[str, Answers],
    *,
    groups: ArrayLike,
    n_replicates: int = N_REPLICATES,
    seed: int = 0,
) -> dict[str, dict[str, Floats]]:
    """Score resampled asteroids; all predictors see the same resamples, so that their scores can be subtracted.

    Args:
        labels: 0 or 1 a row, shape ``(n_rows,)``.
        answers: the predictors by name.
        groups: identity of each row's asteroid, shape ``(n_rows,)``, texts or numbers.
        n_replicates: number of resamples.
        seed: the same seed, rows and identities give the same replicates on every machine.

    Returns:
        For each predictor and each of `METRICS` its replicates, shape ``(n_replicates,)``, NaN where a replicate has
        no denominator. A predictor without scores has no ranking metrics.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.
    """
    truth = as_labels(labels)
    group, n_groups = _group_numbers(groups, truth.size)
    predictors = {name: _Predictor(truth, answer, group=group, n_groups=n_groups) for name, answer in answers.items()}
    parts: dict[str, list[dict[str, Floats]]] = {name: [] for name in answers}
    for counts in _resamples(n_groups, n_replicates=n_replicates, n_rows=truth.size, seed=seed):
        for name, predictor in predictors.items():
            parts[name].append(predictor.replicate(counts))
    return {
        name: {metric: np.concatenate([part[metric] for part in found]) for metric in found[0]}
        for name, found in parts.items()
    }


def interval(replicates: Floats) -> Interval | None:
    """The percentile interval of the replicates that have a value; None where none has."""
    known = replicates[np.isfinite(replicates)]
    if known.size == 0:
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(known, (tail, 100 - tail))
    return Interval(float(low), float(high))


def to_json(replicates: Mapping[str, Mapping[str, Floats]], *, against: str = "rule") -> dict[str, Any]:
    """The intervals of each predictor and metric, and those of the differences between the first and another one.

    Args:
        replicates: what `bootstrap` returned; the first predictor is the model.
        against: the predictor that the model is compared with, row by row; left out where it is not there.

    Returns:
        ``scores`` by predictor and metric, each ``{"low": ..., "high": ...}`` or None; ``model_minus_rule`` by metric;
        and how they were made.
    """
    names = list(replicates)
    result: dict[str, Any] = {
        "confidence": CONFIDENCE,
        "method": "percentile bootstrap over asteroids",
        "n_replicates": next(iter(replicates[names[0]].values())).size,
        "scores": {
            name: {metric: _plain(interval(values)) for metric, values in found.items()}
            for name, found in replicates.items()
        },
    }
    if against in names[1:]:
        first, other = replicates[names[0]], replicates[against]
        result[f"{names[0]}_minus_{against}"] = {
            metric: _plain(interval(first[metric] - other[metric])) for metric in first if metric in other
        }
    return result


def _plain(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else asdict(found)


def _group_numbers(groups: ArrayLike, n_rows: int) -> tuple[NDArray[np.intp], int]:
    """Number the asteroids by their first row, so that renaming one changes no replicate."""
    names = np.asarray(groups)
    if names.shape != (n_rows,):
        raise DataError(
            f"There are {n_rows} labels, and identities of shape {names.shape}.",
            hint="Predict again: asteroid-ll predict --force.",
        )
    unique, first, numbers = np.unique(names, return_index=True, return_inverse=True)
    rank = np.empty(unique.size, dtype=np.intp)
    rank[np.argsort(first)] = np.arange(unique.size)
    return rank[numbers.reshape(-1)], int(unique.size)


def _resamples(n_groups: int, *, n_replicates: int, n_rows: int, seed: int) -> Iterator[Counts]:
    """How often each asteroid was drawn: blocks of shape ``(n_groups, n)`` that together have all replicates.

    float32 holds sums of these counts exactly up to 16 million rows.
    """
    generator = np.random.default_rng(seed)
    at_once = max(1, _ELEMENTS_AT_ONCE // n_rows)
    for start in range(0, n_replicates, at_once):
        n = min(at_once, n_replicates - start)
        drawn = generator.integers(0, n_groups, size=(n, n_groups), dtype=np.int64)
        drawn *= n
        drawn += np.arange(n)[:, np.newaxis]
        yield np.bincount(drawn.reshape(-1), minlength=n_groups * n).reshape(n_groups, n).astype(np.float32)


class _Predictor:
    """What does not change from replicate to replicate."""

    def __init__(self, truth: NDArray[np.bool_], answer: Answers, *, group: NDArray[np.intp], n_groups: int) -> None:
        predicted = as_labels(answer.predicted)
        if predicted.size != truth.size:
            raise DataError(
                f"There are {truth.size} labels and {predicted.size} predictions.",
                hint="Predict again: asteroid-ll predict --force.",
            )
        cells = (truth & predicted, ~truth & predicted, truth & ~predicted, ~truth & ~predicted)
        self._cells = np.stack([np.bincount(group, weights=cell, minlength=n_groups) for cell in cells])
        self._ranking = None
        if answer.scores is not None:
            self._ranking = _Ranking(truth, as_scores(answer.scores, truth.size), group=group)

    def replicate(self, counts: Counts) -> dict[str, Floats]:
        tp, fp, fn, tn = (self._cells.astype(np.float32) @ counts).astype(np.float64)
        found = {
            "accuracy": _ratio(tp + tn, tp + fp + fn + tn),
            "precision": _ratio(tp, tp + fp),
            "recall": _ratio(tp, tp + fn),
            "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        }
        if self._ranking is not None:
            found["roc_auc"], found["average_precision"] = self._ranking.replicate(counts)
        return found


class _Ranking:
    """The rows by descending score, cut where a score that positives have begins and ends.

    Between two cuts lie negatives only, or rows of one score: sums over these pieces are all that ROC AUC and average
    precision need, ties included.
    """

    def __init__(self, truth: NDArray[np.bool_], scores: Floats, *, group: NDArray[np.intp]) -> None:
        order = np.argsort(-scores, kind="stable")
        ranked, positive = scores[order], np.flatnonzero(truth[order])
        self._rows = group[order]
        self._positive_rows = self._rows[positive]
        levels, self._first_positive = np.unique(-ranked[positive], return_index=True)
        begins, ends = np.searchsorted(-ranked, levels, side="left"), np.searchsorted(-ranked, levels, side="right")
        self._cuts = np.unique(np.concatenate(([0], begins, ends[ends < ranked.size])))
        self._begins = np.searchsorted(self._cuts, begins)
        self._ends = np.searchsorted(self._cuts, ends)

    def replicate(self, counts: Counts) -> tuple[Floats, Floats]:
        n = counts.shape[1]
        if self._positive_rows.size == 0:
            return np.full(n, np.nan), np.full(n, np.nan)
        pieces = np.add.reduceat(counts[self._rows], self._cuts, axis=0)
        above = np.zeros((self._cuts.size + 1, n))
        np.cumsum(pieces, axis=0, out=above[1:])
        hits = np.add.reduceat(counts[self._positive_rows], self._first_positive, axis=0).astype(np.float64)
        found = np.cumsum(hits, axis=0)
        n_positive, n_rows = found[-1], above[-1]
        predicted = above[self._ends]
        alarms_before, alarms_after = above[self._begins] - (found - hits), predicted - found
        n_negative = n_rows - n_positive
        better = hits * (2 * n_negative - alarms_before - alarms_after)
        precision = np.divide(found, predicted, out=np.zeros_like(found), where=predicted > 0)
        return (
            _ratio(better.sum(axis=0), 2 * n_positive * n_negative),
            _ratio((hits * precision).sum(axis=0), n_positive),
        )


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
