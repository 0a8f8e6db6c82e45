"""The checkpoint of a job after each epoch, from which an interrupted job continues.

The container's own layout of ``/opt/ml/checkpoints`` is not public. Here it is one file, ``linear-learner.npz``, with
the weights, the optimizers' state, the kept epoch's models and every epoch's record. All are stored bit for bit: a
continued job ends with the same numbers as an undisturbed one.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from asteroid_ll.formats import npz
from asteroid_ll.linear_learner.ensemble import Ensemble, Parameters
from asteroid_ll.linear_learner.hosts import Hosts
from asteroid_ll.linear_learner.hyperparameters import AlgorithmError, ClientError, merge
from asteroid_ll.linear_learner.rows import Rows
from asteroid_ll.linear_learner.scaler import Scaler
from asteroid_ll.linear_learner.selection import EpochRecord
from asteroid_ll.run.atomic import atomic_write

FILE = "linear-learner.npz"
_VERSION = 1
_FACTS = "facts"
_PREFIX = "array:"
_KEPT_WEIGHT, _KEPT_BIAS = "kept.weight", "kept.bias"

Kept = tuple[Parameters, int]
"""The models of the kept epoch, and the number of the best one."""


def job_digest(hyperparameters: Mapping[str, str], rows: Rows, scaler: Scaler) -> str:
    """Return a digest of a job: its hyperparameters, hosts, and the shape, moments and labels of its data."""
    checksum = np.array([zlib.crc32(rows.labels.tobytes())])
    facts = {"hyperparameters": merge(hyperparameters), "feature_dim": rows.feature_dim, "n_hosts": len(rows.hosts)}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    moments = (scaler.mean_features, scaler.std_features, scaler.mean_label, scaler.std_label)
    for array in (*moments, rows.hosts.collect(checksum)):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class Checkpoint:
    """A checkpoint file of one job.

    Args:
        directory: ``/opt/ml/checkpoints``.
        read_only: True on every host but the first; all hosts continue from the first one's file.
    """

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self._path = directory / FILE
        self._read_only = read_only

    def store(self, ensemble: Ensemble, epochs: Sequence[EpochRecord], *, kept: Kept | None, job: str) -> None:
        """Replace the file by the state after an epoch, completely or not at all.

        Args:
            ensemble: the models in training.
            epochs: the records of all epochs so far.
            kept: the models of the kept epoch; None if no epoch is kept yet.
            job: digest of the job, see `job_digest`.

        Raises:
            DataError: the file cannot be written; the older file is intact.
        """
        if self._read_only:
            return
        records = [
            {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(epoch).items()}
            for epoch in epochs
        ]
        facts = {"version": _VERSION, "job": job, "epochs": records, "kept_model": kept[1] if kept else None}
        arrays: dict[str, Any] = dict(ensemble.state())
        if kept is not None:
            arrays |= {_KEPT_WEIGHT: kept[0].weight, _KEPT_BIAS: kept[0].bias}
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        prefixed = {f"{_PREFIX}{name}": array for name, array in arrays.items()}
        atomic_write(self._path, npz.dumps({_FACTS: text, **prefixed}))

    def restore(self, ensemble: Ensemble, *, hosts: Hosts, job: str) -> tuple[list[EpochRecord], Kept | None]:
        """Restore the ensemble to its stored state, if there is any.

        Args:
            ensemble: the models in training.
            hosts: the job's hosts, which all continue from the same epoch.
            job: digest of the job that must have stored the file.

        Returns:
            The records of the epochs so far, and the models of the kept epoch, if one is kept.

        Raises:
            ClientError: the file is damaged, or another job's.
            AlgorithmError: the hosts have checkpoints of different epochs.
        """
        arrays, records, kept_model = self._load(job) if self._path.is_file() else ({}, [], None)
        epochs = [_record(values) for values in records]
        if hosts.fewest(len(epochs)) != -hosts.fewest(-len(epochs)):
            raise AlgorithmError(f"The hosts have checkpoints of different epochs; {hosts.name} has {len(epochs)}.")
        if epochs:
            ensemble.restore(arrays, n_epochs=len(epochs))
        if kept_model is None:
            return epochs, None
        return epochs, (Parameters(arrays[_KEPT_WEIGHT], arrays[_KEPT_BIAS]), kept_model)

    def _load(self, job: str) -> tuple[dict[str, Any], list[dict[str, Any]], int | None]:
        """Return the arrays, the epochs' records, and the number of the best model of the kept epoch."""
        try:
            with np.load(io.BytesIO(self._path.read_bytes()), allow_pickle=False) as content:
                facts = json.loads(content[_FACTS].tobytes())
                arrays = {name.removeprefix(_PREFIX): content[name] for name in content.files if name != _FACTS}
            records, kept_model = facts["epochs"], facts["kept_model"]
            is_same_job = facts["version"] == _VERSION and facts["job"] == job
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ClientError(
                f"The checkpoint {FILE} cannot be read: {error or 'it is truncated'}.",
                hint="Remove it, or use another S3Uri.",
            ) from error
        if not is_same_job:
            raise ClientError(
                f"The checkpoint {FILE} belongs to a job with other hyperparameters, other data or another version.",
                hint="Use another S3Uri in CheckpointConfig for every job that does not continue an earlier one.",
            )
        return arrays, records, kept_model


def _record(values: Mapping[str, Any]) -> EpochRecord:
    validation = values["validation_objective"]
    return EpochRecord(
        **{
            **values,
            "train_objective": np.array(values["train_objective"], np.float64),
            "validation_objective": None if validation is None else np.array(validation, np.float64),
        }
    )
