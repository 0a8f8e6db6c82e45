"""The learning rate of every model at every update: MXNet's FactorScheduler."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asteroid_ll.linear_learner.grid import Candidate


class Schedule:
    """Learning rates that decay by a factor after every ``lr_scheduler_step`` updates, down to a minimum.

    The rate of update k (from 1) has decayed ``(k - 1) // step`` times: MXNet counts the update, then reads the rate.

    Args:
        candidates: the models.
        enabled: False keeps every model's initial rate (``use_lr_scheduler=false``).
    """

    def __init__(self, candidates: Sequence[Candidate], *, enabled: bool) -> None:
        self._first = np.array([candidate.learning_rate for candidate in candidates])
        self._factor = np.array([candidate.lr_scheduler_factor for candidate in candidates])
        self._minimum = np.array([candidate.lr_scheduler_minimum_lr for candidate in candidates])
        self._step = np.array([candidate.lr_scheduler_step for candidate in candidates])
        self._enabled = enabled

    def rates(self, updates: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the rates of some updates.

        Args:
            updates: numbers of the updates, counted from 1, shape ``(n,)``.

        Returns:
            Learning rates of shape ``(n, n_models)``.
        """
        if not self._enabled:
            return np.broadcast_to(self._first, (len(updates), len(self._first)))
        decays = (updates[:, np.newaxis] - 1) // self._step
        decayed = np.maximum(self._first * self._factor**decays, self._minimum)
        # An initial rate below the minimum is used until the first decay raises it.
        return np.where(decays == 0, self._first, decayed)
