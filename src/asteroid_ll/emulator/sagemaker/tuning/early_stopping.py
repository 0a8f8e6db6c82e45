"""AWS's median rule, which stops training jobs that are unlikely to become the best.

After an epoch, a training job is stopped if its objective is worse than the median of the running averages of the
earlier training jobs up to the same epoch (developer guide, "Stop Training Jobs Early"). Linear Learner logs an
objective after each epoch only for ``objective_loss``, so other objectives never stop a training job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median


def is_worse_than_median(losses: Sequence[float], earlier: Iterable[Sequence[float]]) -> bool:
    """Return whether the median rule stops a training job.

    Args:
        losses: its objective after each epoch so far, the smaller the better.
        earlier: the objectives of the training jobs before that have ended, after each epoch.
    """
    if not losses:
        return False
    averages = [fmean(other[: len(losses)]) for other in earlier if len(other) >= len(losses)]
    return bool(averages) and losses[-1] > median(averages)
