"""The number of positive rows that a log's final scores imply."""

from __future__ import annotations

import numpy as np

from asteroid_ll.parity.numbers import Numbers

_TOLERANCE = 1e-5


def positive_rows(scores: Numbers, *, n_rows: int) -> set[int]:
    """Return the numbers of positive rows that agree with a binary classifier's accuracy, precision and recall.

    With P positive rows, recall times P is the number TP of true positives, TP / precision - TP that of false ones,
    and both are integers; accuracy times the number of rows is then n - (P - TP) - FP.

    Args:
        scores: the final scores of a channel by name.
        n_rows: number of rows of the channel.

    Returns:
        Empty if a score is missing or the precision is 0.
    """
    of = dict(zip(scores.axes, scores.values.tolist(), strict=True))
    names = ("binary_classification_accuracy", "precision", "recall")
    accuracy, precision, recall = (of.get(name, np.nan) for name in names)
    if not precision > 0 or not np.isfinite(accuracy + recall):
        return set()
    positive = np.arange(1, n_rows + 1)
    true = recall * positive
    false = np.rint(true) * (1 / precision - 1)
    right = n_rows - (positive - np.rint(true)) - np.rint(false)
    agrees = (np.abs(true - np.rint(true)) < _TOLERANCE * np.maximum(1, true / n_rows)) & (
        np.abs(false - np.rint(false)) < _TOLERANCE * np.maximum(1, false)
    )
    agrees &= np.abs(right - accuracy * n_rows) < _TOLERANCE * n_rows**0.5
    return {int(number) for number in positive[agrees]}
