"""What a search knows: the combinations tried before, with their results, and those that are left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asteroid_ll.emulator.sagemaker.tuning.ranges import Space

if TYPE_CHECKING:
    from numpy.random import Generator

BAYESIAN, RANDOM, GRID = "Bayesian", "Random", "Grid"
"""The strategies."""

FEW = 1_000
"""A space with so many combinations is counted out, so none is tried twice."""


@dataclass(frozen=True)
class Trial:
    """A combination that was tried, or is being tried.

    Attributes:
        values: the hyperparameters.
        loss: the result, the smaller the better; None if there is none, or none yet.
        is_pending: whether the result is still to come.
    """

    values: Mapping[str, str]
    loss: float | None = None
    is_pending: bool = False


def new_combinations(space: Space, trials: Sequence[Trial], *, rng: Generator) -> Iterator[dict[str, str]]:
    """Yield random combinations, uniform on the scales of the ranges, that are not among the trials.

    If the space has no other combinations, any are yielded.
    """
    tried = {tuple(trial.values.values()) for trial in trials}
    others = untried(space, trials) if space.n_combinations <= FEW else []
    if others:
        while True:
            yield others[int(rng.integers(len(others)))]
    while True:
        values = space.values(rng.random(len(space.ranges)).tolist())
        if space.n_combinations <= FEW or tuple(values.values()) not in tried:
            yield values


def untried(space: Space, trials: Sequence[Trial]) -> list[dict[str, str]]:
    """Return the combinations of a space without continuous ranges that are not among the trials."""
    tried = {tuple(trial.values.values()) for trial in trials}
    return [values for values in space.combinations() if tuple(values.values()) not in tried]
