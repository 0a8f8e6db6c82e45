"""Scores in ascending order with their labels: the base of the threshold search and of the area under the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.arrays import Bools, Float32Array, Int64Array

_SIGN = np.uint32(1 << 31)
_NAN = np.uint32(0x7FC00000)
_ONE = np.uint32(1)


@dataclass(frozen=True)
class Ranking:
    """Each model's scores as integers, sorted together with the labels. Among equal scores, label 0 comes first.

    Args:
        keys: the scores as unsigned integers of the same order, shape ``(n_models, n)``.
        positive: whether the row's label is not 0, same shape.
    """

    keys: npt.NDArray[np.uint32]
    positive: Bools

    @classmethod
    def of(cls, scores: Float32Array, labels: npt.NDArray[np.generic]) -> Ranking:
        """Sort scores of shape ``(n, n_models)`` and labels of shape ``(n,)``; NaN is above every number."""
        # Adding 0 turns -0 into 0.
        bits = np.add(scores.T, np.float32(0), order="C").view(np.uint32)
        bits[np.isnan(scores.T)] = _NAN
        keys = np.where(bits & _SIGN, ~bits, bits | _SIGN)
        truth = labels != 0
        lowest = keys.min(initial=~np.uint32(0))
        if keys.max(initial=0) - lowest < _SIGN:
            # The label fits into the key: probabilities sort as 32-bit integers, twice as fast as 64-bit ones.
            keys -= lowest
            keys <<= _ONE
            keys |= truth
            keys.sort(axis=1)
            positive = (keys & _ONE).astype(np.bool_)
            keys >>= _ONE
            keys += lowest
            return cls(keys, positive)
        packed = (keys.astype(np.uint64) << np.uint64(1)) | truth
        packed.sort(axis=1)
        return cls((packed >> np.uint64(1)).astype(np.uint32), (packed & np.uint64(1)).astype(np.bool_))

    def scores(self, start: int, stop: int) -> Float32Array:
        """Return each model's scores of some ranks, shape ``(n_models, stop - start)``."""
        return scores_of(self.keys[:, start:stop])

    def roc_auc(self) -> float:
        """Return the first model's area under the receiver operating characteristic; a tie counts one half.

        Returns:
            The area, in [0, 1]; NaN if only one class occurs.
        """
        keys, positive = self.keys[0], self.positive[0]
        ranks = np.flatnonzero(positive)
        n_positive, n_negative = len(ranks), len(positive) - len(ranks)
        if n_positive == 0 or n_negative == 0:
            return float("nan")
        # A positive row is above the rows before it, apart from other positive ones. Half of each tie is too much.
        above = int(ranks.sum()) - n_positive * (n_positive - 1) // 2
        ties = self._n_ties(np.flatnonzero(keys[1:] == keys[:-1]), ranks)
        return (above - ties / 2) / (n_positive * n_negative)

    @staticmethod
    def _n_ties(equal_to_next: Int64Array, positive_ranks: Int64Array) -> int:
        """Return the number of pairs of a positive and a negative row with equal scores.

        Args:
            equal_to_next: ranks of the rows whose next row has the same score, ascending.
            positive_ranks: ranks of the positive rows, ascending.
        """
        first = np.flatnonzero(np.diff(equal_to_next, prepend=-2) > 1)
        starts = equal_to_next[first]
        ends = equal_to_next[np.append(first, len(equal_to_next))[1:] - 1] + 2
        before = np.searchsorted(positive_ranks, np.stack([starts, ends]))
        positive = before[1] - before[0]
        return int((positive * (ends - starts - positive)).sum())


def scores_of(keys: npt.NDArray[np.uint32]) -> Float32Array:
    """Return the scores of a ranking's keys."""
    return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float32)
