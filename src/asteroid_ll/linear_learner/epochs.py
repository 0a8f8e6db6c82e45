"""What an epoch of a job ends with, and who is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from asteroid_ll.linear_learner.scaler import Scaler

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EpochRecord:
    """What an epoch ended with.

    Args:
        epoch: counted from 0.
        train_objective: mean loss of each model before its updates, float64, shape ``(n_models,)``; in units of the
            standardised label for a regressor.
        validation_objective: mean loss of each model over the validation channel, in the label's units, or None.
        criterion: the name of what decides about stopping.
        criterion_value: the best model's.
        improved: whether this epoch is now the kept one.
        misses: epochs without improvement so far, in a row.
        stops: whether training stops after this epoch because patience is exhausted.
        n_records: rows trained on in the epoch.
        n_batches: mini-batches of the epoch.
        started_s: when it began, seconds since 1970.
        ended_s: when it ended.
    """

    epoch: int
    train_objective: Float64Array
    validation_objective: Float64Array | None
    criterion: str
    criterion_value: float
    improved: bool
    misses: int
    stops: bool
    n_records: int
    n_batches: int
    started_s: float
    ended_s: float


class Observer:
    """Told what happens during training; does nothing by itself."""

    def scaled(self, scaler: Scaler) -> None:
        """The scaling is known."""

    def resumed(self, epochs: Sequence[EpochRecord]) -> None:
        """These epochs were done before an interruption; the next one follows them."""

    def epoch_ended(self, epoch: EpochRecord) -> None:
        """An epoch has ended."""
