"""The checkpoint of a job after each epoch, from which an interrupted job continues.

The container's own layout of ``/opt/ml/checkpoints`` is not public. Here it is one file, ``linear-learner.npz``, with
the weights, the optimizers' state, the kept epoch's models and every epoch's record. All are stored bit for bit: a
continued job ends with the same numbers as an undisturbed one.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats import npz
from asteroid_ll.linear_learner.errors import ClientError
from asteroid_ll.run.atomic import atomic_write

FILE = "linear-learner.npz"
_VERSION = 1
_FACTS = "facts"
_PREFIX = "array:"


@dataclass(frozen=True)
class Saved:
    """The state of a job after an epoch.

    Attributes:
        arrays: weights, optimizers' states and kept models, by name.
        epochs: the record of each epoch so far, as JSON values with exact losses.
        kept_model: number of the best model in the kept epoch, None if no epoch is kept yet.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    epochs: Sequence[Mapping[str, Any]]
    kept_model: int | None


class Checkpoint:
    """A checkpoint file of one job.

    Args:
        directory: ``/opt/ml/checkpoints``.
        read_only: True on every host but the first; all hosts continue from the first one's file.
    """

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self.path = directory / FILE
        self._read_only = read_only

    def save(self, saved: Saved, *, job: str) -> None:
        """Replace the file, completely or not at all.

        Args:
            saved: the state to keep.
            job: digest of the job, see `resume.identity`.

        Raises:
            DataError: the file cannot be written; the older file is intact.
        """
        if self._read_only:
            return
        facts = {"version": _VERSION, "job": job, "epochs": list(saved.epochs), "kept_model": saved.kept_model}
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        arrays = {f"{_PREFIX}{name}": array for name, array in saved.arrays.items()}
        atomic_write(self.path, npz.dumps({_FACTS: text, **arrays}))

    def load(self, *, job: str) -> Saved | None:
        """Return the stored state, or None if there is no file.

        Args:
            job: digest of the job that must have stored it.

        Raises:
            ClientError: the file is damaged, or another job's.
        """
        if not self.path.is_file():
            return None
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as content:
                facts = json.loads(content[_FACTS].tobytes())
                arrays = {name.removeprefix(_PREFIX): content[name] for name in content.files if name != _FACTS}
            version, stored_job = facts["version"], facts["job"]
            saved = Saved(arrays, facts["epochs"], facts["kept_model"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ClientError(
                f"The checkpoint {FILE} cannot be read: {error or 'it is truncated'}.",
                hint="Remove it, or use another S3Uri.",
            ) from error
        if version != _VERSION or stored_job != job:
            raise ClientError(
                f"The checkpoint {FILE} belongs to a job with other hyperparameters, other data or another version.",
                hint="Use another S3Uri in CheckpointConfig for every job that does not continue an earlier one.",
            )
        return saved
