"""Search strategies: the next combination of hyperparameters, from the combinations tried before.

The results depend only on the arguments. Each suggestion has random numbers of its own, so a tuning job that is
interrupted continues in the same way.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from asteroid_ll.emulator.sagemaker.tuning import bayesian
from asteroid_ll.emulator.sagemaker.tuning.ranges import Space
from asteroid_ll.emulator.sagemaker.tuning.trials import BAYESIAN, GRID, Trial, new_combinations


def suggest(space: Space, strategy: str, trials: Sequence[Trial], *, seed: int) -> dict[str, str]:
    """Return the combination to try next, which differs from those before as long as there are others.

    Args:
        space: the combinations.
        strategy: ``Bayesian``, ``Random`` or ``Grid``.
        trials: all combinations before, in order.
        seed: of the random numbers.
    """
    if strategy == GRID:
        return next(itertools.islice(space.combinations(), len(trials), None))
    rng = np.random.default_rng([seed, 1 + len(trials)])  # [seed, 0] would give the numbers of the seed alone
    if strategy == BAYESIAN:
        return bayesian.suggest(space, trials, rng=rng, seed=seed)
    return next(new_combinations(space, trials, rng=rng))
