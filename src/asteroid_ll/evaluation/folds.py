"""Grouped k-fold: every asteroid is tested once, by a model that never saw it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from asteroid_ll.neo.split import Split


def grouped_folds(asteroid_ids: Sequence[str], *, n_folds: int, validation: float, seed: int) -> tuple[Split, ...]:
    """Divide the rows into folds, and the rows outside each fold into train and validation.

    Args:
        asteroid_ids: identity a row, shape ``(n_rows,)``; all rows of an asteroid fall in the same part.
        n_folds: how many, at least 2; they have the same number of asteroids, give or take one.
        validation: share of all asteroids that selects each fold's model, in (0, 1).
        seed: the same seed and identities give the same folds on every machine, whatever the order of the rows.

    Returns:
        One split a fold, whose test part is the fold. The test parts are disjoint, and together every row once.

    Raises:
        ConfigError: fewer than 2 folds, or no share for validation.
        DataError: there are too few asteroids for a part.
    """
    from asteroid_ll.errors import ConfigError, DataError
    from asteroid_ll.neo.split import PARTS, Split, training_order

    if n_folds < 2:
        raise ConfigError(f"{n_folds} folds leave nothing to train on.", hint="asteroid-ll evaluate --folds 5")
    share = validation * n_folds / (n_folds - 1)
    if not 0 < share < 1:
        raise ConfigError(
            f"A share of {validation:g} for validation can't be taken from the rows outside one of {n_folds} folds.",
            hint="Set split.validation to 0.15.",
        )
    unique, number = np.unique(np.asarray(asteroid_ids, dtype=str), return_inverse=True)
    place = np.empty(unique.size, dtype=np.int64)
    place[training_order(np.arange(unique.size, dtype=np.int64), seed=seed)] = np.arange(unique.size)
    fold, turn = place % n_folds, place // n_folds
    # Every so many of the asteroids outside a fold, counted along the drawn order, selects.
    selects = np.floor((turn + 1) * share) > np.floor(turn * share)
    splits = []
    for tested in range(n_folds):
        part = np.where(fold == tested, 2, np.where(selects, 1, 0))[number.reshape(-1)]
        split = Split(*(np.flatnonzero(part == kind) for kind in range(3)))
        if any(split.part(name).size == 0 for name in PARTS):
            raise DataError(
                f"{unique.size} asteroids are too few for {n_folds} folds.",
                hint="Use fewer folds or more asteroids.",
            )
        splits.append(split)
    return tuple(splits)
