"""ROC and precision-recall curves: the errors of a ranking by score at every threshold.

A curve has one point for each distinct score. Rows with equal scores are counted together, so their order does not
matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A curve over all thresholds, from the strictest, at which no row is positive, to the loosest.

    Attributes:
        x: false positive rate (ROC) or recall (precision-recall), ascending, in [0, 1].
        y: true positive rate (ROC) or precision (precision-recall), in [0, 1].
    """

    x: Floats
    y: Floats


def as_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    """Check a label column and return it as booleans, shape ``(n_rows,)``.

    Raises:
        DataError: not one-dimensional, empty, or a value other than 0 and 1 (False and True).
    """
    values = np.asarray(labels)
    if values.ndim != 1 or values.size == 0:
        raise DataError(
            f"Scores need one label per row, but the labels have shape {values.shape}.",
            hint="asteroid-ll run-all --force split   splits the table again.",
        )
    truth: NDArray[np.bool_] = values == 1
    stray = ~(truth | (values == 0))
    if stray.any():
        row = int(stray.argmax())
        raise DataError(
            f"The label of row {row} is {values[row]}, which is neither 0 nor 1.",
            hint="asteroid-ll run-all --force clean   cleans the table again.",
        )
    return truth


def as_scores(scores: ArrayLike, n_rows: int) -> Floats:
    """Check a score column and return it as float64, shape ``(n_rows,)``.

    Raises:
        DataError: another length than the labels, or a score that is NaN or infinite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (n_rows,):
        raise DataError(
            f"There are {n_rows} labels, but scores of shape {values.shape}.",
            hint="asteroid-ll run-all --force predict   scores the test part again.",
        )
    if not np.isfinite(values).all():
        row = int(np.isfinite(values).argmin())
        raise DataError(
            f"The score of row {row} is {values[row]}, which is not a finite number.",
            hint="Train again; a smaller learning_rate keeps the model from diverging.",
        )
    return values


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> Curve | None:
    """Return the receiver operating characteristic: true positive rate against false positive rate.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: higher means more likely positive, shape ``(n_rows,)``.

    Returns:
        The curve from (0, 0) to (1, 1), or None if all labels are equal.

    Raises:
        DataError: see `as_labels` and `as_scores`.
    """
    truth = as_labels(labels)
    hits, alarms = cumulate(truth, as_scores(scores, truth.size))
    n_positive, n_negative = int(hits[-1]), int(alarms[-1])
    if n_positive == 0 or n_negative == 0:
        return None
    return Curve(alarms / n_negative, hits / n_positive)


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> Curve | None:
    """Return precision against recall.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: higher means more likely positive, shape ``(n_rows,)``.

    Returns:
        The curve from recall 0 to recall 1, or None if no label is positive. Its first point, at which precision is
        undefined, repeats the precision of the second.

    Raises:
        DataError: see `as_labels` and `as_scores`.
    """
    truth = as_labels(labels)
    hits, alarms = cumulate(truth, as_scores(scores, truth.size))
    n_positive = int(hits[-1])
    if n_positive == 0:
        return None
    precision = hits[1:] / (hits[1:] + alarms[1:])
    return Curve(hits / n_positive, np.concatenate((precision[:1], precision)))


def cumulate(truth: NDArray[np.bool_], scores: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count true and false positives at each distinct score, descending, after a first point with none."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_its_score = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    hits = np.cumsum(truth[order], dtype=np.int64)[last_of_its_score]
    alarms = last_of_its_score + 1 - hits
    zero = np.zeros(1, dtype=np.int64)
    return np.concatenate((zero, hits)), np.concatenate((zero, alarms))
