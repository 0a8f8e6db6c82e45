"""Calibration: how well scores agree with the shares of hazardous rows."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from asteroid_ll.evaluation.ranking import as_labels, as_scores

N_BINS = 10

_NORMAL_QUANTILE_0_975 = 1.959963984540054


@dataclass(frozen=True)
class Bin:
    """The rows with a score from ``low`` to ``high``.

    Attributes:
        low: lower edge; a row at an edge is in the bin above it.
        high: upper edge; a row at the upper edge of the last bin is in it.
        n: number of rows.
        mean_score: mean of their scores.
        positive_share: share of them whose label is 1.
        positive_share_low: lower end of that share's 95 % Wilson interval.
        positive_share_high: its upper end.
    """

    low: float
    high: float
    n: int
    mean_score: float
    positive_share: float
    positive_share_low: float
    positive_share_high: float


@dataclass(frozen=True)
class Calibration:
    """The agreement of scores with probabilities.

    Attributes:
        bins: the bins of equal width that contain rows, ascending.
        brier: mean squared difference between score and label; 0 is perfect.
        brier_of_share: the Brier score if every score were the share of positives, as in a forecast without features.
        expected_calibration_error: mean absolute difference between a bin's score and its share of positives, weighted
            by rows.
    """

    bins: tuple[Bin, ...]
    brier: float
    brier_of_share: float
    expected_calibration_error: float

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        return asdict(self)


def calibrate(labels: ArrayLike, scores: ArrayLike) -> Calibration | None:
    """Compare scores with the labels, in bins of equal width over [0, 1].

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: probabilities of label 1, shape ``(n_rows,)``.

    Returns:
        The comparison; None if a score is outside [0, 1], as a regressor's can be.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.

    Source: Brier, Monthly Weather Review 78 (1950) 1; Naeini, Cooper and Hauskrecht, AAAI (2015) 2901 (expected
    calibration error).
    """
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)
    if values.min() < 0 or values.max() > 1:
        return None
    number = np.minimum((values * N_BINS).astype(np.intp), N_BINS - 1)
    counts = np.bincount(number, minlength=N_BINS)
    score_sums = np.bincount(number, weights=values, minlength=N_BINS)
    positives = np.bincount(number, weights=truth, minlength=N_BINS)
    share = float(truth.mean())
    return Calibration(
        bins=tuple(
            Bin(
                index / N_BINS,
                (index + 1) / N_BINS,
                int(counts[index]),
                float(score_sums[index] / counts[index]),
                float(positives[index] / counts[index]),
                *wilson_interval(int(positives[index]), int(counts[index])),
            )
            for index in np.flatnonzero(counts).tolist()
        ),
        brier=float(np.mean((values - truth) ** 2)),
        brier_of_share=share * (1 - share),
        expected_calibration_error=float(np.abs(score_sums - positives).sum() / truth.size),
    )


def wilson_interval(n_positive: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, which is also valid for few rows and for a share of 0 or 1.

    Args:
        n_positive: number of positive rows, at most ``n``.
        n: number of rows, at least 1.

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    square = _NORMAL_QUANTILE_0_975**2
    centre = (n_positive + square / 2) / (n + square)
    half = _NORMAL_QUANTILE_0_975 / (n + square) * math.sqrt(n_positive * (n - n_positive) / n + square / 4)
    return (0.0 if n_positive == 0 else centre - half), (1.0 if n_positive == n else centre + half)
