"""The evaluation of whole channels: of every model after an epoch, and of the exported one at the end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asteroid_ll.formats.arrays import Bools, Float32Array, Float64Array
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner import metrics
from asteroid_ll.linear_learner.groups import sum_rows
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters
from asteroid_ll.linear_learner.losses import Absolute, Loss, Squared
from asteroid_ll.linear_learner.metrics import Score
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.ranking import Ranking
from asteroid_ll.linear_learner.rows import Rows
from asteroid_ll.linear_learner.selection import Cut, best_cuts, search_cuts
from asteroid_ll.linear_learner.weighting import RowWeights

_BLOCK_ELEMENTS = 1 << 19
_SEARCH_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class Parameters:
    """The weights of all models in raw feature units.

    Args:
        weight: float32, shape ``(feature_dim, n_outputs, n_models)``.
        bias: float32, shape ``(n_outputs, n_models)``.
    """

    weight: Float32Array
    bias: Float32Array


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
        return metrics.regressor_scores(labels, answer, objective=objective, mse=mse, absolute_loss=absolute_loss)
    f_beta = hyperparameters.f_beta
    if model.predictor_type == "binary_classifier":
        return metrics.binary_scores(
            labels,
            answer,
            threshold=model.threshold,
            objective=objective,
            f_beta=f_beta,
            area=scored.ranking.roc_auc(),
        )
    top_k = hyperparameters.accuracy_top_k
    return metrics.multiclass_scores(labels, answer, objective=objective, f_beta=f_beta, top_k=top_k)
