"""All metrics of one set of predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from asteroid_ll.evaluation.metrics import METRICS, BinaryScores
from asteroid_ll.evaluation.ranking import as_labels
from asteroid_ll.evaluation.resamples import Predictions, Resamples, ScoredRows

_NO_SCORES = "a hard rule has no scores"


def binary_scores(labels: ArrayLike, predicted: ArrayLike, scores: ArrayLike | None = None) -> BinaryScores:
    """Score predictions against labels.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        predicted: the predicted labels, 0 or 1, same shape.
        scores: probabilities or other numbers that grow with the belief in 1, same shape; None for a hard rule.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.
    """
    one_group = np.zeros(as_labels(labels).size, dtype=np.intp)
    rows = ScoredRows(labels, Predictions(predicted, scores), group=one_group, n_groups=1)
    sample = Resamples(rows, np.ones((1, 1)))
    values: dict[str, float | None] = {}
    undefined: dict[str, str] = {}
    for metric in METRICS:
        lacks_scores = metric.needs_scores and not rows.has_scores
        value = np.nan if lacks_scores else float(metric.formula(sample)[0])
        values[metric.key] = None if np.isnan(value) else value
        if np.isnan(value):
            undefined[metric.key] = _NO_SCORES if lacks_scores else metric.undefined
    tp, fp, fn, tn = (int(count[0]) for count in (sample.tp, sample.fp, sample.fn, sample.tn))
    return BinaryScores(tp, fp, fn, tn, values=values, undefined=undefined)
