"""What the decision plane shows of a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DecisionGrid:
    """A model's decision over the plane of magnitude and MOID.

    Attributes:
        magnitude: absolute magnitudes H of the columns, mag, ascending, shape ``(n,)``.
        moid_au: Earth MOIDs of the rows, au, ascending, shape ``(m,)``.
        margin: raw score minus its value at the threshold, shape ``(m, n)``; positive if predicted hazardous.
    """

    magnitude: NDArray[np.float64]
    moid_au: NDArray[np.float64]
    margin: NDArray[np.float64]
