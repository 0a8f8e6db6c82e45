"""The scores that a job prints at its end, under the container's names and by its formulas.

Precision, recall and F score are 0 if they are undefined, but macro precision is NaN if a class is never predicted, as
in the container's log. Some newer scores are oddities of the container: ``binary_log_loss`` and
``binary_balanced_accuracy`` treat a probability as the raw score of a classifier, and ``multiclass_log_loss`` applies
the softmax twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.arrays import Bools, Float32Array, Float64Array
from asteroid_ll.linear_learner.ranking import Ranking


@dataclass(frozen=True)
class Score:
    """A score at the end of the log.

    Args:
        name: the container's name of the metric, such as ``binary_f_1.000``.
        value: the metric.
        tag: the tag of the value in the log.
        is_float32: whether the container computes it in float32, which shortens its printed form.
    """

    name: str
    value: float
    tag: Literal["loss", "score"]
    is_float32: bool = False


def roc_auc(labels: npt.NDArray[np.generic], scores: npt.NDArray[np.generic]) -> float:
    """Return the area under the receiver operating characteristic; a tie counts one half.

    Args:
        labels: 0 or 1, shape ``(n,)``.
        scores: numbers of float32, larger for positive rows, shape ``(n,)``.

    Returns:
        The area, in [0, 1]; NaN if only one class occurs.
    """
    return Ranking.of(np.asarray(scores, np.float32)[:, np.newaxis], labels).roc_auc()


def regressor_scores(
    labels: Float32Array, predictions: Float32Array, *, objective: Score, mse: float, absolute_loss: float
) -> tuple[Score, ...]:
    """Return the end scores of a regressor.

    Args:
        labels: numbers, shape ``(n,)``.
        predictions: the endpoint's answers, shape ``(n,)``.
        objective: the first score.
        mse: the mean squared error, summed by mini-batch.
        absolute_loss: the mean absolute error, summed by mini-batch.
    """
    truth = labels.astype(np.float64)
    error = predictions.astype(np.float64) - truth
    spread = float(np.sum(np.square(truth - truth.mean())))
    # A constant label has no spread to explain; scikit-learn's r2_score has the same two values.
    unexplained = float(np.sum(np.square(error)))
    r2 = 1 - unexplained / spread if spread else float(unexplained == 0)
    return (
        objective,
        Score("mse", mse, "loss"),
        Score("absolute_loss", absolute_loss, "loss"),
        Score("rmse", float(np.sqrt(mse)), "loss"),
        Score("r2", r2, "loss"),
        Score("mae", float(np.mean(np.abs(error))), "loss"),
    )


def binary_scores(
    labels: Float32Array,
    scores: Float32Array,
    *,
    threshold: float,
    objective: Score,
    f_beta: float,
    area: float | None = None,
) -> tuple[Score, ...]:
    """Return the end scores of a binary classifier.

    Args:
        labels: 0 or 1, shape ``(n,)``.
        scores: the endpoint's scores, shape ``(n,)``.
        threshold: rows whose score reaches it count as positive, as in the container's evaluation.
        objective: the first score.
        f_beta: beta of the F score.
        area: ``roc_auc`` of the labels and scores, if it is known.
    """
    truth, positive = labels != 0, scores >= np.float32(threshold)
    true_positive = int(np.count_nonzero(truth & positive))
    n_true, n_positive = int(np.count_nonzero(truth)), int(np.count_nonzero(positive))
    # With beta 1 this form of the F score is digit-exact.
    weighted = (1 + f_beta**2) * true_positive
    f_score = _ratio(weighted, weighted + f_beta**2 * (n_true - true_positive) + (n_positive - true_positive))
    return (
        objective,
        Score("binary_classification_accuracy", float(np.mean(truth == positive)), "score"),
        Score(f"binary_f_{f_beta:.3f}", f_score, "score"),
        Score("precision", _ratio(true_positive, n_positive), "score"),
        Score("recall", _ratio(true_positive, n_true), "score"),
        Score("roc_auc_score", roc_auc(labels, scores) if area is None else area, "score"),
        Score("binary_balanced_accuracy", _balanced_accuracy(truth, scores > 0), "score"),
        Score("binary_log_loss", _log_loss(truth, scores.astype(np.float64)), "score"),
    )


def multiclass_scores(
    labels: Float32Array,
    probabilities: Float32Array,
    *,
    objective: Score,
    f_beta: float,
    top_k: int,
) -> tuple[Score, ...]:
    """Return the end scores of a multiclass classifier.

    Args:
        labels: class numbers from 0, shape ``(n,)``.
        probabilities: the endpoint's scores, shape ``(n, n_classes)``.
        objective: the first score.
        f_beta: beta of the macro F score.
        top_k: a row counts as correct if its class is among this many most probable ones.
    """
    classes = labels.astype(np.int64)
    n_classes = probabilities.shape[1]
    of_true = np.take_along_axis(probabilities, classes[:, np.newaxis], axis=1)
    # Among classes of equal probability the smallest number ranks first, as in argmax.
    before = (probabilities == of_true) & (np.arange(n_classes) < classes[:, np.newaxis])
    rank = 1 + np.count_nonzero((probabilities > of_true) | before, axis=1)
    log_sum = np.log(np.exp(probabilities.astype(np.float64)).sum(axis=1))
    predicted = np.argmax(probabilities, axis=1)
    matrix = np.bincount(classes * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)
    right = np.diagonal(matrix).astype(np.float64)
    of_class, as_class = matrix.sum(axis=1), matrix.sum(axis=0)
    occurs = of_class > 0
    recall = right[occurs] / of_class[occurs]
    with np.errstate(invalid="ignore"):
        precision = right / as_class
    weighted = (1 + f_beta**2) * right
    f_score = weighted / np.maximum(weighted + f_beta**2 * (of_class - right) + (as_class - right), 1)
    return (
        objective,
        Score("multiclass_accuracy", float(np.mean(predicted == classes)), "score"),
        Score(f"multiclass_top_k_accuracy_{top_k}", float(np.mean(rank <= top_k)), "score"),
        Score("dcg", float(np.mean(1 / np.log2(1 + rank))), "score"),
        _float32_score("macro_recall", recall.mean()),
        _float32_score("macro_precision", precision.mean()),
        _float32_score(f"macro_f_{f_beta:.3f}", f_score.mean()),
        Score("multiclass_balanced_accuracy", float(recall.mean()), "score"),
        Score("multiclass_log_loss", float(np.mean(log_sum - of_true[:, 0])), "score"),
    )


def _balanced_accuracy(truth: Bools, positive: Bools) -> float:
    """Return the mean of the recalls of the classes that occur."""
    n_true, n_positive = int(np.count_nonzero(truth)), int(np.count_nonzero(positive))
    true_positive = int(np.count_nonzero(truth & positive))
    n_false = len(truth) - n_true
    true_negative = n_false - (n_positive - true_positive)
    recalls = [right / n for right, n in ((true_negative, n_false), (true_positive, n_true)) if n]
    return float(np.mean(recalls))


def _log_loss(truth: Bools, raw_scores: Float64Array) -> float:
    """Return the mean of ``-log(p)``, p being the probability of the true class by the sigmoid of the raw score."""
    # Products and steps in place: a choice by `where`, logaddexp and new arrays each take twice as long.
    surprise = np.multiply(1 - 2.0 * truth, raw_scores)
    rest = np.abs(surprise)
    np.negative(rest, out=rest)
    np.exp(rest, out=rest)
    np.log1p(rest, out=rest)
    np.maximum(surprise, 0, out=surprise)
    surprise += rest
    return float(surprise.mean())


def _float32_score(name: str, value: np.floating[Any]) -> Score:
    return Score(name, float(np.float32(value)), "score", is_float32=True)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
