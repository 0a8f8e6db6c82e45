"""The training of all models of a job, one epoch at a time, and their weights in the features' units.

Models with the same optimizer are the columns of one matrix, so a mini-batch costs two matrix products. All arrays are
float32 and preallocated. No Python code runs per model and mini-batch, and the losses of many mini-batches are summed
at once on another core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from asteroid_ll.formats.arrays import Float32Array, Float64Array
from asteroid_ll.linear_learner import optimizers
from asteroid_ll.linear_learner.grid import Candidate, initial_weights
from asteroid_ll.linear_learner.hosts import Hosts
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters
from asteroid_ll.linear_learner.losses import Loss, RowWeights
from asteroid_ll.linear_learner.optimizers import Schedule
from asteroid_ll.linear_learner.rows import Rows, Standardised
from asteroid_ll.linear_learner.scaler import Scaler

_FEW_ROWS = 32
# The rates of this many numbers are computed at once: a dozen calls per block of mini-batches would take longer.
_RATES_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Parameters:
    """The weights of all models in raw feature units.

    Args:
        weight: float32, shape ``(feature_dim, n_outputs, n_models)``.
        bias: float32, shape ``(n_outputs, n_models)``.
    """

    weight: Float32Array
    bias: Float32Array


def sum_rows(values: Float32Array) -> Float32Array:
    """Sum over axis 1 in float32, pairwise; ``values`` is overwritten.

    Args:
        values: shape ``(n_batches, n_rows, n_models)``, at least one row.

    Returns:
        Sums of shape ``(n_batches, n_models)``.
    """
    n_rows = values.shape[1]
    while n_rows > 1:
        half = n_rows // 2
        np.add(values[:, :half], values[:, n_rows - half : n_rows], out=values[:, :half])
        n_rows -= half
    return values[:, 0]


class ModelGroup:
    """Some models of the grid, with their weights and the state of their optimizer.

    Args:
        numbers: the models' numbers in the grid, all with the same optimizer.
        candidates: the whole grid.
        weights: initial weights of the whole grid, shape ``(n_models, feature_dim, n_outputs)``.
        loss: the loss to minimise.
        hyperparameters: the job's.
        batches_at_once: maximum number of mini-batches per call of ``train``.
        hosts: the hosts whose gradients are added in every step.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        *,
        candidates: Sequence[Candidate],
        weights: Float32Array,
        loss: Loss,
        hyperparameters: Hyperparameters,
        batches_at_once: int,
        hosts: Hosts,
    ) -> None:
        hp = hyperparameters
        self._hosts = hosts
        self.numbers = list(numbers)
        members = [candidates[number] for number in self.numbers]
        self._loss = loss
        self._n_features, self._n_outputs = weights.shape[1:]
        self._n_models = len(members)
        # Columns are ordered by class, then by model: a softmax runs over long rows of models.
        columns = weights[self.numbers].transpose(1, 2, 0).reshape(self._n_features, -1)
        self._use_bias = hp.use_bias
        bias = np.full((int(hp.use_bias), columns.shape[1]), hp.init_bias, np.float32)
        # Some BLAS kernels add in another order if the columns are stored in another one; these orders are kept.
        self._by_column = self._n_outputs == 1 and hp.use_bias
        rows = np.concatenate([columns, bias])
        stored = rows.T if self._by_column else rows
        # The gradient and the weights are side by side, because one call multiplies both.
        self._terms: Float32Array = np.empty((2, *stored.shape), np.float32)
        self._gradient, self._weights = self._terms
        self._weights[:] = stored
        self._negated = np.empty_like(self._weights) if loss.score_sign < 0 else None
        self._l2 = self._strengths([candidate.wd for candidate in members], bias_mult=hp.bias_wd_mult)
        self._l1 = self._strengths([candidate.l1 for candidate in members], bias_mult=0.0)
        self._has_l1 = any(candidate.l1 > 0 for candidate in members)
        self._rescale = np.array(1 / (hp.mini_batch_size * len(hosts)), np.float32)
        is_small = self._weights.size <= optimizers.SMALL
        self._factors = np.stack([np.full_like(self._l2, self._rescale), self._l2]) if is_small else None
        self._schedule = Schedule(members, enabled=hp.use_lr_scheduler)
        self._rates: Float32Array = np.empty((2, 0, 0), np.float32)
        self._first_rate = 0
        self._bias_mult = np.array([candidate.bias_lr_mult for candidate in members])
        self._optimizer = optimizers.make(members[0].optimizer, self._weights.shape, hp)
        outputs = () if self._n_outputs == 1 else (self._n_outputs,)
        batch = (hp.mini_batch_size, *outputs, self._n_models)
        # Two sets of scores: training fills one while another core sums the losses of the other.
        self._scores = np.empty((2, batches_at_once, *batch), np.float32)
        self._pending: list[Future[Float64Array] | None] = [None, None]
        self._turn = 0
        self._residual = np.empty(batch, np.float32)
        self._residual_matrix = self._residual.reshape(hp.mini_batch_size, -1)
        # Targets of a few rows are repeated for all models once per call: broadcasting has a price per row and call.
        self._targets = np.empty_like(self._scores) if hp.mini_batch_size <= _FEW_ROWS else None
        self._are_matrices = min(*self._weights.shape, hp.mini_batch_size) > 1

    def _strengths(self, strengths: Sequence[float], *, bias_mult: float) -> Float32Array:
        per_column = np.tile(np.array(strengths, np.float64), self._n_outputs)
        full = np.tile(per_column, (len(self.weights), 1))
        full[self._n_features :] *= bias_mult
        return np.ascontiguousarray(full.T if self._by_column else full, np.float32)

    def train(
        self,
        batches: Float32Array,
        targets: Float32Array,
        *,
        row_weights: Float32Array | None,
        first_update: int,
        loss_executor: Executor,
    ) -> Future[Float64Array]:
        """Update the weights with some mini-batches, in order.

        Args:
            batches: standardised rows with their column of ones, shape ``(n_batches, mini_batch_size, width)``.
            targets: targets of the loss, shape ``(n_batches, mini_batch_size, ..., 1)``.
            row_weights: a weight per row, shape ``(n_batches, mini_batch_size, 1 or n_models)``; None if all are 1.
            first_update: number of the first batch's update, from 1.
            loss_executor: single-thread executor that sums losses in the background.

        Returns:
            The sum of the losses before each update, shape ``(n_models,)``.
        """
        n_batches = len(batches)
        turn, self._turn = self._turn, 1 - self._turn
        earlier = self._pending[turn]
        if earlier is not None:
            earlier.result()
        scores = self._scores[turn, :n_batches]
        if self._targets is not None:
            spread = self._targets[turn, :n_batches]
            np.copyto(spread, targets)
            targets = spread
        self._train_each(batches, targets, scores=scores, row_weights=row_weights, first_update=first_update)
        self._pending[turn] = losses = loss_executor.submit(self._sum_losses, scores, targets, row_weights)
        return losses

    def _train_each(
        self,
        batches: Float32Array,
        targets: Float32Array,
        *,
        scores: Float32Array,
        row_weights: Float32Array | None,
        first_update: int,
    ) -> None:
        """Update the weights batch by batch; ``scores`` receives the input of the loss's ``values``."""
        score_matrices = scores.reshape(len(batches), batches.shape[1], -1)
        update = self._updater(first_update, len(batches))
        residual_weights = self._residual_weights(row_weights)
        loss, residual = self._loss, self._residual
        stored = self._weights if self._negated is None else self._negated
        factors = stored.T if self._by_column else stored
        # numpy.dot needs half the time of a call of matmul and has the same bits, but only for matrices.
        product = np.dot if self._are_matrices else np.matmul
        is_alone = len(self._hosts) == 1
        for i, (batch, score, matrix, target) in enumerate(zip(batches, scores, score_matrices, targets, strict=True)):
            if self._negated is not None:
                np.negative(self._weights, stored)
            product(batch, factors, matrix)
            loss.prepare(score, residual)
            loss.gradient(score, target, residual)
            if residual_weights is not None:
                np.multiply(residual, residual_weights[i], residual)
            self._differentiate(batch)
            if not is_alone:
                self._hosts.sum(self._gradient)
            update(i)

    def _updater(self, first_update: int, n_updates: int) -> Callable[[int], None]:
        """Return a function that updates the weights with the rates of the update of a number, from 0."""
        feature, bias = self._scheduled(first_update, n_updates)
        optimizer, weights = self._optimizer, self._weights
        shape, by_column = self.weights.shape, self._by_column
        rates = optimizers.Rates(feature, bias, shape=shape, n_features=self._n_features, by_column=by_column)

        def update(number: int) -> None:
            self._regularise()
            rates.number = number
            optimizer.step(weights, rates)

        return update

    def _differentiate(self, batch: Float32Array) -> None:
        """Write the sum of a batch's gradients."""
        if not self._are_matrices:
            gradient = self._gradient.T if self._by_column else self._gradient
            np.matmul(batch.T, self._residual_matrix, gradient)
        elif self._by_column:
            np.dot(self._residual_matrix.T, batch, self._gradient)
        else:
            np.dot(batch.T, self._residual_matrix, self._gradient)

    def _sum_losses(
        self, scores: Float32Array, targets: Float32Array, row_weights: Float32Array | None
    ) -> Float64Array:
        # A thread has its own error settings; here too a model that diverges is left to selection.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            losses = self._loss.values(scores, targets, scores)
            if row_weights is not None:
                losses = np.multiply(losses, row_weights, out=losses)
            total: Float64Array = sum_rows(losses).sum(axis=0, dtype=np.float64)
        return total * self._loss.value_sign

    def _scheduled(self, first_update: int, n_updates: int) -> tuple[Float32Array, Float32Array]:
        """Return the rates of features and of biases, each of shape ``(n_updates, n_columns)``."""
        start = first_update - self._first_rate
        if not 0 <= start <= self._rates.shape[1] - n_updates:
            n_rates = max(n_updates, _RATES_AT_ONCE // self.weights.shape[1])
            updates = np.arange(first_update, first_update + n_rates)
            rates = self._schedule.rates(updates)
            both = self._optimizer.scale_rates(np.stack([rates, rates * self._bias_mult]), updates)
            self._first_rate, start = first_update, 0
            self._rates = np.tile(both, (1, 1, self._n_outputs)).astype(np.float32)
        feature, bias = self._rates[:, start : start + n_updates]
        return feature, bias

    def _residual_weights(self, row_weights: Float32Array | None) -> Float32Array | None:
        if row_weights is None or self._n_outputs == 1:
            return row_weights
        return row_weights[:, :, np.newaxis, :]

    def _regularise(self) -> None:
        """Give the optimizer the mean gradient of a batch; L1 is part of the batch's sum, L2 is added to its mean."""
        gradient, weights, work = self._gradient, self._weights, self._optimizer.work
        mean, penalty = work
        if self._has_l1:
            np.sign(weights, penalty)
            np.multiply(penalty, self._l1, penalty)
            np.add(gradient, penalty, gradient)
        if self._factors is None:
            np.multiply(gradient, self._rescale, mean)
            np.multiply(weights, self._l2, penalty)
        else:
            np.multiply(self._terms, self._factors, work)
        np.add(mean, penalty, mean)

    @property
    def weights(self) -> Float32Array:
        """The weights without a copy, shape ``(feature_dim + 1, n_outputs * n_models)``; the last row is the bias."""
        weights: Float32Array = self._weights.T if self._by_column else self._weights
        return weights

    @property
    def state(self) -> tuple[Float32Array, ...]:
        """The arrays that training changes, in the weights' shape, without a copy: these and the optimizer's state."""
        state = self._optimizer.state
        return (self.weights, *(array.T if self._by_column else array for array in state))

    def parameters(self) -> tuple[Float32Array, Float32Array]:
        """Return weights ``(feature_dim, n_outputs, n_models)`` and biases ``(n_outputs, n_models)``, still scaled."""
        shape = (self._n_outputs, self._n_models)
        weight = self.weights[: self._n_features].reshape(self._n_features, *shape).copy()
        bias = self.weights[self._n_features].reshape(shape).copy() if self._use_bias else np.zeros(shape, np.float32)
        return weight, bias


# Numbers per task of the thread that sums losses: enough to be worth a task, few enough for the cache.
_SCORES_AT_ONCE = 1 << 19
# Wide rows are read about one mini-batch at a time, because a block of sparse rows is dense.
_BLOCK_ELEMENTS = 1 << 26


class Ensemble:
    """The grid in training.

    Args:
        candidates: the grid.
        rows: the training channel.
        scaler: the means and standard deviations of the channel.
        loss: the loss to minimise.
        row_weights: weights of rows; None if all are 1.
        hp: the job's hyperparameters.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        rows: Rows,
        scaler: Scaler,
        loss: Loss,
        row_weights: RowWeights | None,
        hp: Hyperparameters,
    ) -> None:
        self._hp = hp
        self._hosts = rows.hosts
        self._loss = loss
        self._row_weights = row_weights
        self._labels = rows.labels
        self._feature_dim = rows.feature_dim
        self._n_models = len(candidates)
        unbias_data = hp.unbias_data if hp.unbias_data is not None else not rows.is_sparse
        self._mean = scaler.mean_features if unbias_data else None
        self._std = scaler.std_features if hp.normalize_data else None
        self._label_mean = scaler.mean_label if hp.unbias_label else None
        self._label_std = scaler.std_label if hp.normalize_label else None
        # Hosts train in step: the one with the fewest mini-batches ends the epoch.
        self.n_batches = rows.hosts.fewest(len(rows) // hp.mini_batch_size)
        self.n_records = self.n_batches * hp.mini_batch_size
        batch_scores = hp.mini_batch_size * len(candidates) * hp.n_outputs
        batch_elements = hp.mini_batch_size * (rows.feature_dim + 1)
        self._batches_at_once = max(
            1, min(self.n_batches, _SCORES_AT_ONCE // batch_scores, _BLOCK_ELEMENTS // batch_elements)
        )
        self._data = Standardised(
            rows,
            n_rows=self.n_records,
            mean=self._mean,
            std=self._std,
            with_ones=hp.use_bias,
            block_rows=self._batches_at_once * hp.mini_batch_size,
        )
        weights = initial_weights(hp, n_models=len(candidates), feature_dim=rows.feature_dim)
        names = [candidate.optimizer for candidate in candidates]
        self._groups = [
            ModelGroup(
                [number for number, name in enumerate(names) if name == optimizer],
                candidates=candidates,
                weights=weights,
                loss=loss,
                hyperparameters=hp,
                batches_at_once=self._batches_at_once,
                hosts=rows.hosts,
            )
            for optimizer in sorted(set(names))
        ]
        self._updates = 0
        self._loss_executor = ThreadPoolExecutor(1)

    def train_epoch(self) -> Float64Array:
        """Train on the full mini-batches once, in order.

        Returns:
            The mean loss of each model over the rows, each scored before its update, shape ``(n_models,)``.
        """
        size = self._hp.mini_batch_size
        sums: list[tuple[list[int], Future[Float64Array]]] = []
        # A model that diverges overflows; selection skips it.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for first in range(0, self.n_batches, self._batches_at_once):
                n_batches = min(self._batches_at_once, self.n_batches - first)
                start, stop = first * size, (first + n_batches) * size
                batches = self._data.block(start, stop).reshape(n_batches, size, -1)
                targets = self._targets(start, stop, n_batches)
                for group in self._groups:
                    losses = group.train(
                        batches,
                        targets,
                        row_weights=self._weights(group, start, stop, n_batches),
                        first_update=self._updates + 1,
                        loss_executor=self._loss_executor,
                    )
                    sums.append((group.numbers, losses))
                self._updates += n_batches
        total = np.zeros(self._n_models)
        for numbers, losses in sums:
            total[numbers] += losses.result()
        self._hosts.sum(total)
        return total / (self.n_records * len(self._hosts))

    def _targets(self, start: int, stop: int, n_batches: int) -> Float32Array:
        labels = self._labels[start:stop]
        if self._label_mean is not None:
            labels = labels - self._label_mean
        if self._label_std is not None:
            labels = labels / self._label_std
        targets = self._loss.targets(labels)
        return targets.reshape(n_batches, -1, *targets.shape[1:])

    def _weights(self, group: ModelGroup, start: int, stop: int, n_batches: int) -> Float32Array | None:
        if self._row_weights is None:
            return None
        weights = self._row_weights.select(group.numbers).of(self._labels[start:stop])
        return weights.reshape(n_batches, -1, weights.shape[1])

    def state(self) -> dict[str, Float32Array]:
        """Return the arrays that an epoch changes, by name, without a copy."""
        return {
            f"group{number}.{part}": array
            for number, group in enumerate(self._groups)
            for part, array in enumerate(group.state)
        }

    def restore(self, state: Mapping[str, Float32Array], *, n_epochs: int) -> None:
        """Continue from the state after some epochs."""
        for name, array in self.state().items():
            np.copyto(array, state[name])
        self._updates = n_epochs * self.n_batches

    def parameters(self) -> Parameters:
        """Return all models' weights in raw units: ``w = w' ystd / std``, ``b = b' ystd + ymean - w mean``."""
        n_outputs = self._hp.n_outputs
        weight = np.empty((self._feature_dim, n_outputs, self._n_models), np.float32)
        bias = np.empty((n_outputs, self._n_models), np.float32)
        for group in self._groups:
            weight[:, :, group.numbers], bias[:, group.numbers] = group.parameters()
        with np.errstate(over="ignore", invalid="ignore"):
            if self._std is not None:
                weight /= self._std[:, np.newaxis, np.newaxis]
            if self._label_std is not None:
                weight *= self._label_std
                bias *= self._label_std
            if self._label_mean is not None:
                bias += self._label_mean
            if self._mean is not None:
                bias -= (weight * self._mean[:, np.newaxis, np.newaxis]).sum(axis=0)
        return Parameters(weight, bias)
