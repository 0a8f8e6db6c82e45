"""What is known of a job and of our run, and a cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asteroid_ll.linear_learner.log_reader import JobHistory
from asteroid_ll.parity.facts import Fact
from asteroid_ll.parity.noise import Compared
from asteroid_ll.parity.numbers import OF_ARTIFACT, Numbers, bytes_per_pass, rows_per_epoch

LOSSES = ("loss/train", "loss/validation")
MOMENTS = ("mean", "deviation", "label mean", "label deviation")


@dataclass(frozen=True)
class Cause:
    """Why a job differs.

    Attributes:
        kind: ``hyperparameter``, ``container``, ``rows``, ``features``, ``labels``, ``order``, ``validation``,
            ``files``, ``contradiction``, ``threshold``, ``artifact``, ``cut`` or ``failure``.
        text: one or two sentences.
        is_proven: whether the figures allow no other cause.
    """

    kind: str
    text: str
    is_proven: bool


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of a job and of our run.

    Attributes:
        described: the hyperparameters of the job's description; None if there is none.
        theirs: the job's history.
        ours: that of our run.
        their_numbers: the numbers of the log, by kind.
        our_numbers: ours.
        compared: both, judged.
        facts: the decisions, judged.
        hyperparameters: those of our run.
        matches: trains with other hyperparameters and returns whether the losses are the log's.
    """

    described: Mapping[str, str] | None
    theirs: JobHistory
    ours: JobHistory
    their_numbers: Mapping[str, Numbers]
    our_numbers: Mapping[str, Numbers]
    compared: Mapping[str, Compared]
    facts: tuple[Fact, ...]
    hyperparameters: Mapping[str, str]
    matches: Callable[[Mapping[str, str]], bool]

    def n_different(self, *kinds: str) -> int:
        """Return how many numbers of some kinds are different, or of all kinds."""
        return sum(item.count("different") for kind, item in self.compared.items() if not kinds or kind in kinds)

    @property
    def different_facts(self) -> set[str]:
        """The names of the decisions that differ."""
        return {fact.name for fact in self.facts if fact.verdict == "different"}


def same_setting(one: str, other: str) -> bool:
    """Return whether two texts are the same value of a hyperparameter."""
    if one.strip().lower() == other.strip().lower():
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def has_counts(e: Evidence) -> bool:
    """Return whether the log shows how many mini-batches the job read."""
    return any(count(e.their_numbers) is not None for count in (rows_per_epoch, bytes_per_pass))


def largest(item: Compared) -> str:
    """Return the largest difference of one kind, in words."""
    index = tuple(int(number) for number in max(item.where("different"), key=lambda at: item.difference[tuple(at)]))
    theirs, ours = float(item.theirs.values[index]), float(item.ours.values[index])
    place = ", ".join(filter(None, [item.kind.replace("/", " "), item.theirs.place(index)]))
    source = "artifact" if item.kind in OF_ARTIFACT else "log"
    return f"{place}: {theirs:.9g} in the {source}, {ours:.9g} here"
