"""A function that scores a matrix of features with a downloaded artifact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.payload import Scores
from asteroid_ll.linear_learner.model import Model

Scorer: TypeAlias = Callable[[NDArray[np.float32]], Scores]
"""Scores a matrix of features, shape ``(n_rows, n_features)``, row by row."""


def offline_scorer(artifact: Path) -> Scorer:
    """Return a function that scores with the artifact, in this process.

    Raises:
        DataError: the artifact is missing or damaged.
    """
    return Model.load(artifact).predict
