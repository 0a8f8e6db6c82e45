"""A job's state after each epoch, stored in and restored from a checkpoint."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from asteroid_ll.linear_learner.checkpoint import Checkpoint, Saved
from asteroid_ll.linear_learner.ensemble import Ensemble
from asteroid_ll.linear_learner.epochs import EpochRecord
from asteroid_ll.linear_learner.errors import AlgorithmError
from asteroid_ll.linear_learner.evaluation import Parameters
from asteroid_ll.linear_learner.hosts import Hosts
from asteroid_ll.linear_learner.hyperparameters import merge
from asteroid_ll.linear_learner.rows import Rows
from asteroid_ll.linear_learner.scaler import Scaler

Kept = tuple[Parameters, int]
_KEPT_WEIGHT, _KEPT_BIAS = "kept.weight", "kept.bias"


def identity(hyperparameters: Mapping[str, str], rows: Rows, scaler: Scaler) -> str:
    """Return a digest of a job: its hyperparameters, hosts, and the shape, moments and labels of its data."""
    checksum = np.array([zlib.crc32(rows.labels.tobytes())])
    facts = {"hyperparameters": merge(hyperparameters), "feature_dim": rows.feature_dim, "n_hosts": len(rows.hosts)}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    moments = (scaler.mean_features, scaler.std_features, scaler.mean_label, scaler.std_label)
    for array in (*moments, rows.hosts.collect(checksum)):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class Memory:
    """The store of a job's state; without a checkpoint it stores nothing.

    Args:
        checkpoint: the job's, or None.
        hosts: the job's hosts, which all continue from the same epoch.
        job: digest of the job, see `identity`.
    """

    def __init__(self, checkpoint: Checkpoint | None, hosts: Hosts, *, job: str) -> None:
        self.hosts = hosts
        self._checkpoint = checkpoint
        self._job = job

    def recall(self, ensemble: Ensemble) -> tuple[list[EpochRecord], Kept | None]:
        """Restore the ensemble to its last stored state; return the epochs so far and the kept models.

        Raises:
            ClientError: the checkpoint is damaged or belongs to another job.
            AlgorithmError: the hosts have checkpoints of different epochs.
        """
        saved = self._checkpoint.load(job=self._job) if self._checkpoint else None
        n_epochs = len(saved.epochs) if saved else 0
        if self.hosts.fewest(n_epochs) != -self.hosts.fewest(-n_epochs):
            raise AlgorithmError(f"The hosts have checkpoints of different epochs; {self.hosts.name} has {n_epochs}.")
        if saved is None:
            return [], None
        ensemble.restore(saved.arrays, n_epochs=n_epochs)
        kept = None
        if saved.kept_model is not None:
            kept = Parameters(saved.arrays[_KEPT_WEIGHT], saved.arrays[_KEPT_BIAS]), saved.kept_model
        return [_record(values) for values in saved.epochs], kept

    def keep(self, ensemble: Ensemble, epochs: Sequence[EpochRecord], *, kept: Kept | None) -> None:
        """Store the state after an epoch.

        Raises:
            DataError: the checkpoint cannot be written.
        """
        if self._checkpoint is None:
            return
        arrays: dict[str, Any] = dict(ensemble.state())
        if kept is not None:
            arrays |= {_KEPT_WEIGHT: kept[0].weight, _KEPT_BIAS: kept[0].bias}
        records = [_values(epoch) for epoch in epochs]
        self._checkpoint.save(Saved(arrays, records, kept[1] if kept else None), job=self._job)


def _values(epoch: EpochRecord) -> dict[str, Any]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(epoch).items()}


def _record(values: Mapping[str, Any]) -> EpochRecord:
    validation = values["validation_objective"]
    return EpochRecord(
        **{
            **values,
            "train_objective": np.array(values["train_objective"], np.float64),
            "validation_objective": None if validation is None else np.array(validation, np.float64),
        }
    )
