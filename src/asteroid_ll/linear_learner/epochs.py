"""The record of an epoch, and the observer of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asteroid_ll.formats.arrays import Float64Array
from asteroid_ll.linear_learner.scaler import Scaler


@dataclass(frozen=True)
class EpochRecord:
    """The results of one epoch.

    Args:
        epoch: counted from 0.
        train_objective: mean loss of each model before its updates, float64, shape ``(n_models,)``; in units of the
            standardised label for a regressor.
        validation_objective: mean loss of each model over the validation channel, in the label's units, or None.
        criterion: the name of the measure that decides about stopping.
        criterion_value: the best model's value of it.
        improved: whether this epoch is the best so far, which is kept.
        misses: epochs in a row without improvement.
        stops: whether training stops after this epoch because patience is exhausted.
        n_records: rows trained on in the epoch.
        n_batches: mini-batches of the epoch.
        started_s: start, in seconds since 1970.
        ended_s: end, in seconds since 1970.
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
    """Receives the events of a training; the methods do nothing until a subclass overrides them."""

    def scaled(self, scaler: Scaler) -> None:
        """Receive the scaling."""

    def resumed(self, epochs: Sequence[EpochRecord]) -> None:
        """Receive the epochs that were done before an interruption."""

    def epoch_ended(self, epoch: EpochRecord) -> None:
        """Receive the epoch that has just ended."""
