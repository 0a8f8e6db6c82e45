"""How far two runs of the same job may differ, and the verdict on each number.

The container's processor and BLAS library add the terms of a sum in another order than ours, so equal jobs differ by
float32 rounding. A number inside its band is equal. The bands come from measurements (docs/parity.md has them): logs of
real jobs against our losses, and our losses under the different kernels that OpenBLAS has for processors.

A model can amplify rounding, for example with a learning rate of 0.1 on features that are mostly constant. Such a
number is called drifted only after a test: the job is run again with its initial weights changed by one unit in the
last place of float32, up and down, and the number differs by no more than these runs differ among themselves, times a
factor that was measured too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.arrays import Bools, Float64Array
from asteroid_ll.parity.numbers import Numbers

Verdict = Literal["equal", "drifted", "different"]
VERDICTS: tuple[Verdict, ...] = ("equal", "drifted", "different")

TRAIN_LOSS = 2e-6
VALIDATION_LOSS = 1.5e-6
_SMALLEST_VALIDATION_LOSS = 0.2
MOMENT = 4e-7
SCORE = 2e-6
WEIGHT = 2e-6
BIAS = 4e-6
THRESHOLD = 1e-6
_LOGGED = 1e-9

DRIFT_OF_TRAIN = 64.0
"""A train loss may drift this many times the largest drift of its model in our nudged runs, up to the next epoch."""
DRIFT_OF_VALIDATION = 3.0
"""The same for a validation loss, over all epochs of the model."""
DRIFT = 8.0
"""The same for a final score, and for a train loss if no other one of the model is outside its band."""


@dataclass(frozen=True)
class Compared:
    """The numbers of one kind in the log beside ours.

    Attributes:
        kind: the kind, such as ``loss/train``.
        theirs: those of the log or of the artifact, on the places that both runs have; NaN if absent.
        ours: those of our run.
        verdict: the index into `VERDICTS` for each number, -1 if it is absent.
        only_theirs: names that only the log has.
        only_ours: names that only our log has.
    """

    kind: str
    theirs: Numbers
    ours: Numbers
    verdict: npt.NDArray[np.int8]
    only_theirs: tuple[str, ...] = ()
    only_ours: tuple[str, ...] = ()

    def count(self, verdict: Verdict) -> int:
        """Return how many numbers have a verdict."""
        return int(np.count_nonzero(self.verdict == VERDICTS.index(verdict)))

    @property
    def difference(self) -> Float64Array:
        """The absolute differences; infinity if one of the two is not finite, NaN if absent."""
        with np.errstate(invalid="ignore"):
            difference: Float64Array = np.abs(self.theirs.values - self.ours.values)
        return np.where(self.verdict < 0, np.nan, np.where(np.isnan(difference), np.inf, difference))

    def where(self, verdict: Verdict) -> npt.NDArray[np.intp]:
        """Return the indices of the numbers with a verdict, one row for each."""
        return np.argwhere(self.verdict == VERDICTS.index(verdict))


def compare(
    theirs: Mapping[str, Numbers], ours: Mapping[str, Numbers], *, nudged: Sequence[Mapping[str, Numbers]] = ()
) -> dict[str, Compared]:
    """Judge every number that the log and our run both have.

    Args:
        theirs: the numbers of the log and of the artifact.
        ours: those of our run.
        nudged: those of our runs with changed initial weights; without them no number is drifted.
    """
    return {
        kind: _compare(kind, numbers, ours, [run for run in nudged if kind in run])
        for kind, numbers in theirs.items()
        if kind in ours
    }


def _compare(
    kind: str, theirs: Numbers, all_ours: Mapping[str, Numbers], nudged: Sequence[Mapping[str, Numbers]]
) -> Compared:
    ours = all_ours[kind]
    only_theirs: tuple[str, ...] = ()
    only_ours: tuple[str, ...] = ()
    runs = [run[kind] for run in nudged]
    band = _band(kind, all_ours)
    if theirs.has_names or ours.has_names:
        names = [name for name in theirs.axes if name in ours.axes]
        only_theirs = tuple(name for name in theirs.axes if name not in names)
        only_ours = tuple(name for name in ours.axes if name not in names)
        band = band[[ours.axes.index(name) for name in names]]
        theirs, ours, *runs = (_selected(numbers, names) for numbers in (theirs, ours, *runs))
    else:
        shape = tuple(np.min([theirs.values.shape, ours.values.shape], axis=0).tolist())
        band = _cut(band, shape)
        theirs, ours = (Numbers(_cut(numbers.values, shape), numbers.axes) for numbers in (theirs, ours))
        runs = [Numbers(_padded(numbers.values, shape), numbers.axes) for numbers in runs]
    verdict = _verdict(kind, theirs.values, ours.values, band, [numbers.values for numbers in runs])
    return Compared(kind, theirs, ours, verdict, only_theirs, only_ours)


def _verdict(
    kind: str, theirs: Float64Array, ours: Float64Array, band: Float64Array, runs: Sequence[Float64Array]
) -> npt.NDArray[np.int8]:
    with np.errstate(invalid="ignore"):
        difference = np.abs(theirs - ours)
        is_equal = (difference <= band) | (theirs == ours)
        is_drift = np.zeros(ours.shape, np.bool_)
        if runs:
            is_drift = difference <= _drift(kind, ours, runs, outside=difference > band)
    verdict = np.where(is_equal, 0, np.where(is_drift, 1, 2)).astype(np.int8)
    # NaN is a number that the log does not have, or a loss that both runs print as nan.
    verdict[np.isnan(theirs)] = -1
    return verdict


def _drift(kind: str, ours: Float64Array, runs: Sequence[Float64Array], *, outside: Bools) -> Float64Array:
    """Return the largest difference that rounding explains, by the drift of our nudged runs."""
    with np.errstate(invalid="ignore"):
        drift = np.nanmax([np.nan_to_num(np.abs(run - ours), nan=0.0) for run in runs], axis=0)
    if kind in ("loss/train", "loss of model 0/train"):
        so_far = np.maximum.accumulate(drift, axis=0)
        limit: Float64Array = DRIFT_OF_TRAIN * np.concatenate([so_far[1:], so_far[-1:]])
        # Training carries a drift on, so one epoch alone is outside its band only by little.
        is_alone = outside & (outside.sum(axis=0) == 1)
        return np.where(is_alone, np.minimum(DRIFT * drift.max(axis=0), limit), limit)
    if kind in ("loss/validation", "loss of model 0/validation"):
        # Rounding of one evaluation does not reach the next, so the epochs of a model are a sample of it.
        return np.broadcast_to(DRIFT_OF_VALIDATION * drift.max(axis=0), ours.shape)
    by_number = kind.startswith(("score", "threshold")) or not drift.size
    return np.broadcast_to(DRIFT * (drift if by_number else drift.max()), ours.shape)


def _band(kind: str, ours: Mapping[str, Numbers]) -> Float64Array:
    """Return how far each number may differ and still be equal."""
    values = ours[kind].values
    size = np.abs(np.nan_to_num(values, posinf=0.0, neginf=0.0))
    part = "validation" if "loss/validation" in ours else "train"
    is_objective = kind == "criterion" and _is_objective(ours)
    if kind in ("loss/train", "loss of model 0/train") or (is_objective and part == "train"):
        return TRAIN_LOSS * np.maximum(1, size)
    if kind in ("loss/validation", "loss of model 0/validation") or is_objective:
        return VALIDATION_LOSS * np.maximum(_SMALLEST_VALIDATION_LOSS, size)
    if kind in ("mean", "label mean"):
        deviation = ours.get(kind.replace("mean", "deviation"))
        return MOMENT * np.maximum(size, 1 if deviation is None else deviation.values)
    if kind in ("deviation", "label deviation"):
        return MOMENT * size
    if kind.startswith("score"):
        return SCORE * size
    if kind == "weight":
        scale = _moment(ours, "deviation", default=1.0)
        return np.broadcast_to(WEIGHT * (size * scale).max() / scale, values.shape)
    if kind == "bias":
        shifts = ours["weight"].values * _moment(ours, "mean", default=0.0)
        terms: Float64Array = size + np.abs(shifts).sum(axis=0)
        return BIAS * terms
    if kind == "threshold":
        return np.full(values.shape, THRESHOLD)
    return _LOGGED * size


def _is_objective(ours: Mapping[str, Numbers]) -> bool:
    """Return whether the criterion of every epoch is the loss of a model."""
    judged = ours.get("loss/validation", ours["loss/train"]).values
    lowest = np.nanmin(np.where(np.isnan(judged), np.inf, judged), axis=1)
    return bool(np.allclose(ours["criterion"].values, lowest, rtol=_LOGGED, atol=0, equal_nan=True))


def _moment(ours: Mapping[str, Numbers], kind: str, *, default: float) -> Float64Array:
    """Return a moment of each feature as a column, or a default if the log does not have it."""
    return np.full((1, 1), default) if kind not in ours else ours[kind].values[:, np.newaxis]


def _selected(numbers: Numbers, names: Sequence[str]) -> Numbers:
    of = dict(zip(numbers.axes, numbers.values.tolist(), strict=True))
    return Numbers(np.array([of.get(name, np.nan) for name in names], np.float64), tuple(names))


def _cut(values: Float64Array, shape: tuple[int, ...]) -> Float64Array:
    return values[tuple(slice(length) for length in shape)]


def _padded(values: Float64Array, shape: tuple[int, ...]) -> Float64Array:
    """Return an array of a shape: without what is beyond it, and NaN where the array ends before it."""
    whole = np.full(shape, np.nan)
    part = _cut(values, shape)
    whole[tuple(slice(length) for length in part.shape)] = part
    return whole
