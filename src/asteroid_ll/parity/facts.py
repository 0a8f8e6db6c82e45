"""The decisions that a job's log shows, beside ours: models, epochs, stop, kept epoch, best model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asteroid_ll.linear_learner.artifact import Artifact
from asteroid_ll.linear_learner.log_reader import JobHistory
from asteroid_ll.parity.noise import DRIFT, Verdict

_NONE = "-"
_CAN_DRIFT = ("epochs", "stop", "improved epochs", "kept epoch", "best model")


@dataclass(frozen=True)
class Fact:
    """A decision in the log beside ours, as text."""

    name: str
    theirs: str
    ours: str
    verdict: Verdict

    @property
    def can_drift(self) -> bool:
        """Whether rounding can change the decision."""
        return self.name in _CAN_DRIFT


def is_complete(history: JobHistory) -> bool:
    """Return whether a log reaches the end of the job, where it names the best model."""
    return bool(history.best_hyperparameters)


def compare_facts(theirs: JobHistory, ours: JobHistory, *, nudged: Sequence[JobHistory] = ()) -> tuple[Fact, ...]:
    """Judge the decisions; one that a change of the last place in our initial weights changes too is drifted.

    Args:
        theirs: the job's history.
        ours: that of our run.
        nudged: those of our runs with changed initial weights.
    """
    has_number = theirs.best_index is not None
    decisions, own, *others = (_decisions(history, has_number=has_number) for history in (theirs, ours, *nudged))
    facts = []
    for name, value in decisions.items():
        is_equal = value == own.get(name)
        is_drift = any(other.get(name) != own.get(name) for other in others)
        if name == "best model":
            is_drift = is_drift or _is_tie(theirs, ours, nudged)
        verdict: Verdict = "equal" if is_equal else "drifted" if is_drift else "different"
        facts.append(Fact(name, value, own.get(name, _NONE), verdict))
    return tuple(facts)


def compare_shapes(theirs: Artifact, ours: Artifact) -> Fact:
    """Judge the number of features and outputs of the artifact."""
    shapes = [" x ".join(map(str, item.arrays["fc0_weight"].shape)) for item in (theirs, ours)]
    return Fact("shape of the artifact", shapes[0], shapes[1], "equal" if shapes[0] == shapes[1] else "different")


def _decisions(history: JobHistory, *, has_number: bool) -> Mapping[str, str]:
    """Return the decisions by name; the best model by its number, or by its settings if the log's have no number."""
    decisions = {
        "models": str(history.n_models),
        "loss": history.objective_name,
        "criterion": history.criterion or _NONE,
    }
    if not is_complete(history):
        return {**decisions, "end": f"cut after epoch {history.n_epochs - 1}"}
    return {
        **decisions,
        "end": "complete",
        "epochs": str(history.n_epochs),
        "stop": "early" if history.stopped_early else "after the last epoch",
        "improved epochs": _ranges(history.improved_epochs),
        "kept epoch": _NONE if history.kept_epoch is None else str(history.kept_epoch),
        "best model": str(history.best_index) if has_number else _settings(history),
    }


def _settings(history: JobHistory) -> str:
    settings = dict(sorted(history.best_hyperparameters.items()))
    return json.dumps({name: float(value) if isinstance(value, int) else value for name, value in settings.items()})


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as text, such as ``0-6, 9``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts) or _NONE


def _is_tie(theirs: JobHistory, ours: JobHistory, nudged: Sequence[JobHistory]) -> bool:
    """Return whether our losses of the two best models differ by less than they drift."""
    if theirs.best_index is None or ours.best_index is None or ours.kept_epoch is None:
        return False
    judged = _judged(ours)
    models = [theirs.best_index, ours.best_index]
    if max(models) >= judged.shape[1]:
        return False
    losses = judged[ours.kept_epoch, models]
    runs = [_judged(history) for history in nudged]
    drift = [
        float(np.abs(run[ours.kept_epoch, models] - losses).max())
        for run in runs
        if run.shape[0] > ours.kept_epoch and run.shape[1] > max(models)
    ]
    return bool(drift) and float(losses[0] - losses[1]) <= DRIFT * max(drift)


def _judged(history: JobHistory) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return history.train_objective if history.validation_objective is None else history.validation_objective
