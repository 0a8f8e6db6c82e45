"""The evaluation of whole channels: of every model after an epoch, and of the exported one at the end.

The end scores have the container's names and formulas. Precision, recall and F score are 0 if they are undefined, but
macro precision is NaN if a class is never predicted, as in the container's log. Some newer scores are oddities of the
container: ``binary_log_loss`` and ``binary_balanced_accuracy`` treat a probability as the raw score of a classifier,
and ``multiclass_log_loss`` applies the softmax twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.arrays import Bools, Float32Array, Float64Array
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner.ensemble import Parameters, sum_rows
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters
from asteroid_ll.linear_learner.losses import Absolute, Loss, RowWeights, Squared
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.rows import Rows
from asteroid_ll.linear_learner.selection import Cut, Ranking, best_cuts, search_cuts


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


_BLOCK_ELEMENTS = 1 << 19
_SEARCH_ELEMENTS = 1 << 20


def sum_losses(
    loss: Loss,
    scores: Float32Array,
    labels: Float32Array,
    *,
    mini_batch_size: int,
    row_weights: RowWeights | None,
) -> Float64Array:
    """Return the sum of the losses over rows: float32 sums of mini-batches, added in float64.

    Args:
        loss: the loss.
        scores: raw scores, shape ``(n, n_models)`` or ``(n, n_classes, n_models)``; overwritten.
        labels: shape ``(n,)``.
        mini_batch_size: rows per float32 sum; the last one may have fewer.
        row_weights: weights of rows; None if all are 1.

    Returns:
        Shape ``(n_models,)``.
    """
    n_rows = len(labels)
    n_full = n_rows // mini_batch_size * mini_batch_size
    with np.errstate(over="ignore", invalid="ignore"):
        if loss.score_sign < 0:
            np.negative(scores, scores)
        loss.prepare(scores)
        losses = loss.values(scores, loss.targets(labels), scores)
        if row_weights is not None:
            losses = losses * row_weights.of(labels)
        total = np.zeros(losses.shape[1])
        if n_full:
            sums = sum_rows(losses[:n_full].reshape(-1, mini_batch_size, losses.shape[1]))
            total += loss.value_sign * sums.sum(axis=0, dtype=np.float64)
        if n_full < n_rows:
            total += loss.value_sign * sum_rows(losses[np.newaxis, n_full:])[0]
    return total


@dataclass(frozen=True)
class Evaluator:
    """The evaluation of a channel with every model of the grid, in the label's units.

    Args:
        rows: the channel.
        loss: the job's loss.
        hyperparameters: the job's.
        row_weights: weights of rows; None if all are 1.
    """

    rows: Rows
    loss: Loss
    hyperparameters: Hyperparameters
    row_weights: RowWeights | None

    def objective(self, parameters: Parameters) -> Float64Array:
        """Return the mean loss of each model over all rows, shape ``(n_models,)``."""
        total = np.zeros(parameters.weight.shape[-1] + 1)
        total[-1] = len(self.rows)

        def add(scores: Float32Array, labels: Float32Array) -> None:
            total[:-1] += sum_losses(
                self.loss,
                scores,
                labels,
                mini_batch_size=self.hyperparameters.mini_batch_size,
                row_weights=self.row_weights,
            )

        self._each_block(parameters, add)
        self.rows.hosts.sum(total)
        mean: Float64Array = total[:-1] / total[-1]
        return mean

    def cuts(self, parameters: Parameters, *, near: float) -> tuple[Cut | None, ...]:
        """Return each binary classifier's best threshold on this channel.

        Args:
            parameters: the models' weights.
            near: among equally good thresholds, the nearest to this one wins.

        Returns:
            A threshold per model; None for a model that diverged.
        """
        n_models = parameters.bias.shape[-1]
        labels = self.rows.hosts.collect(self.rows.labels)
        at_once = max(1, _SEARCH_ELEMENTS // len(labels))
        cuts: list[Cut | None] = []
        for start in range(0, n_models, at_once):
            models = slice(start, start + at_once)
            responses = self._responses(Parameters(parameters.weight[:, :, models], parameters.bias[:, models]))
            finite: Bools = np.logical_and.reduce(np.isfinite(responses), axis=0)
            best = search_cuts(np.where(finite, responses, 0), labels, hyperparameters=self.hyperparameters, near=near)
            cuts += [cut if usable else None for cut, usable in zip(best, finite, strict=True)]
        return tuple(cuts)

    def _responses(self, parameters: Parameters) -> Float32Array:
        """Return the scores that each model's endpoint would return, shape ``(n, n_models)``."""
        answers: list[Float32Array] = []
        self._each_block(parameters, lambda scores, _: answers.append(self.loss.respond(scores)))
        return self.rows.hosts.collect(np.concatenate(answers))

    def _each_block(self, parameters: Parameters, use: Callable[[Float32Array, Float32Array], None]) -> None:
        n_features, n_outputs, n_models = parameters.weight.shape
        weight = parameters.weight.reshape(n_features, -1)
        bias = parameters.bias.reshape(-1)
        size = self.hyperparameters.mini_batch_size
        size *= max(1, _BLOCK_ELEMENTS // (size * max(n_features, n_outputs * n_models)))
        for start in range(0, len(self.rows), size):
            stop = min(start + size, len(self.rows))
            with np.errstate(over="ignore", invalid="ignore"):
                scores = self.rows.block(start, stop) @ weight + bias
            if n_outputs > 1:
                scores = scores.reshape(-1, n_outputs, n_models)
            use(scores, self.rows.labels[start:stop])


class Scored:
    """A channel with the scores of the exported model, which are computed and sorted once.

    Args:
        model: the exported model; its threshold does not matter.
        rows: the channel.
    """

    def __init__(self, model: Model, rows: Rows) -> None:
        if isinstance(rows.features, CsrMatrix):
            scores = model.raw_scores(rows.features)
        else:
            scores = np.concatenate([model.raw_scores(rows.block(start, stop)) for start, stop in rows.blocks()])
        self.raw: Float32Array = rows.hosts.collect(scores)
        """Weighted sums in the endpoint's arithmetic, shape ``(n, k)``."""
        self.labels: Float32Array = rows.hosts.collect(rows.labels)
        """Shape ``(n,)``."""
        self.answer: Float32Array = model.answer(self.raw).score
        """The endpoint's scores, shape ``(n,)`` or, of a multiclass model, ``(n, k)``."""

    @functools.cached_property
    def ranking(self) -> Ranking:
        """A binary classifier's scores in their order."""
        return Ranking.of(self.answer[:, np.newaxis], self.labels)


def best_cut(scored: Scored, *, hyperparameters: Hyperparameters, near: float) -> Cut:
    """Return the best threshold for the exported model's scores of a channel.

    Args:
        scored: a channel, scored by a binary classifier.
        hyperparameters: the job's.
        near: among equally good thresholds, the nearest to this one wins.
    """
    limit = hyperparameters.num_calibration_samples
    if limit is None or limit >= len(scored.labels):
        return best_cuts(scored.ranking, hyperparameters=hyperparameters, near=near)[0]
    return search_cuts(scored.answer[:, np.newaxis], scored.labels, hyperparameters=hyperparameters, near=near)[0]


def end_scores(
    model: Model, scored: Scored, *, loss: Loss, hyperparameters: Hyperparameters, row_weights: RowWeights | None
) -> tuple[Score, ...]:
    """Return the end scores of the exported model over all rows of a channel, in the log's order.

    Args:
        model: the exported model.
        scored: the channel with the model's scores.
        loss: the job's loss.
        hyperparameters: the job's.
        row_weights: weights of rows in the objective; None if all are 1.
    """
    raw, labels, answer = scored.raw, scored.labels, scored.answer
    size = hyperparameters.mini_batch_size

    def mean(of: Loss, weights: RowWeights | None = None) -> float:
        scores = raw[:, :, np.newaxis].copy() if model.n_outputs > 1 else raw.copy()
        return float(sum_losses(of, scores, labels, mini_batch_size=size, row_weights=weights)[0] / len(labels))

    objective = Score(loss.objective_name, mean(loss, row_weights), "loss")
    if model.predictor_type == "regressor":
        mse, absolute_loss = mean(Squared(hyperparameters)), mean(Absolute(hyperparameters))
        return regressor_scores(labels, answer, objective=objective, mse=mse, absolute_loss=absolute_loss)
    f_beta = hyperparameters.f_beta
    if model.predictor_type == "binary_classifier":
        return binary_scores(
            labels,
            answer,
            threshold=model.threshold,
            objective=objective,
            f_beta=f_beta,
            area=scored.ranking.roc_auc(),
        )
    top_k = hyperparameters.accuracy_top_k
    return multiclass_scores(labels, answer, objective=objective, f_beta=f_beta, top_k=top_k)
