"""The training of all models of a job, one epoch at a time, and their weights in the features' units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from asteroid_ll.formats.arrays import Float32Array, Float64Array
from asteroid_ll.linear_learner.evaluation import Parameters
from asteroid_ll.linear_learner.grid import Candidate
from asteroid_ll.linear_learner.groups import ModelGroup
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters
from asteroid_ll.linear_learner.initial import initial_weights
from asteroid_ll.linear_learner.losses import Loss
from asteroid_ll.linear_learner.rows import Rows, Standardised
from asteroid_ll.linear_learner.scaler import Scaler
from asteroid_ll.linear_learner.weighting import RowWeights

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
