"""Hartigan's dip test: does a distribution have more than one peak?

The dip is the largest distance between the empirical distribution function and the nearest unimodal one. Under the null
hypothesis it is compared with samples of the uniform distribution, the unimodal one that dips most.

Source: J. A. Hartigan and P. M. Hartigan, "The dip test of unimodality", Annals of Statistics 13 (1985) 70; P. M.
Hartigan, "Computation of the dip statistic", Applied Statistics 34 (1985) 320 (algorithm AS 217).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SIZES = (10, 20, 50, 100, 200, 1_000, 40_000)
_PROBABILITIES = (1.0, 0.9, 0.5, 0.1, 0.05, 0.01, 0.001, 0.0001)
_QUANTILES = (
    (0.0, 0.247, 0.309, 0.413, 0.441, 0.505, 0.571, 0.619),
    (0.0, 0.254, 0.328, 0.435, 0.470, 0.539, 0.620, 0.683),
    (0.0, 0.267, 0.345, 0.459, 0.497, 0.574, 0.665, 0.740),
    (0.0, 0.274, 0.355, 0.472, 0.511, 0.590, 0.684, 0.763),
    (0.0, 0.280, 0.362, 0.481, 0.521, 0.604, 0.703, 0.790),
    (0.0, 0.288, 0.371, 0.494, 0.536, 0.620, 0.723, 0.810),
    (0.0, 0.294, 0.378, 0.502, 0.545, 0.632, 0.739, 0.830),
)
"""The dip times the root of the number of rows, by that number and by the p-value, for uniform samples.

Source: M. Maechler, R package diptest, table qDiptab, from a million samples of each size.
"""


def dip_of(x: Floats, below: Floats, above: Floats) -> float:
    """Return the dip of a distribution function.

    Args:
        x: places, ascending without repeats, shape ``(n,)``.
        below: share of the rows below each place, same shape.
        above: share of the rows up to and including it, same shape; it differs from ``below`` at a jump.
    """
    low, high = 0, x.size - 1
    dip = float(np.min(above - below))
    while low < high:
        inside = slice(low, high + 1)
        minorant, majorant = _hull(x[inside], below[inside], 1.0), _hull(x[inside], above[inside], -1.0)
        minorant, majorant = minorant + low, majorant + low
        lower = np.interp(x[inside], x[minorant], below[minorant])
        upper = np.interp(x[inside], x[majorant], above[majorant])
        gap = upper - lower
        # The largest distance between two broken lines is at a corner of one of them.
        corners = np.union1d(minorant, majorant)
        widest = int(corners[np.argmax(gap[corners - low])])
        if gap[widest - low] <= dip:
            break
        new_low = int(minorant[np.searchsorted(minorant, widest, side="right") - 1])
        new_high = int(majorant[np.searchsorted(majorant, widest)])
        # The modal interval holds the widest place; outside it the function must be convex, then concave.
        convex = (above[low : new_low + 1] - lower[: new_low - low + 1]).max()
        concave = (upper[new_high - low :] - below[new_high : high + 1]).max()
        dip = max(dip, float(convex), float(concave))
        if (new_low, new_high) == (low, high):
            break
        low, high = new_low, new_high
    return dip / 2


def _hull(x: Floats, y: Floats, sign: float) -> NDArray[np.intp]:
    """Return the corners of the greatest convex minorant, or of the least concave majorant for a sign of -1."""
    corners: list[int] = []
    heights, places = (sign * y).tolist(), x.tolist()
    for index in range(len(places)):
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            turn = (heights[b] - heights[a]) * (places[index] - places[b])
            if turn < (heights[index] - heights[b]) * (places[b] - places[a]):
                break
            corners.pop()
        corners.append(index)
    return np.asarray(corners, dtype=np.intp)


def dip_p_value(dip: float, n_rows: int) -> float:
    """Return the p-value of a dip, 0 if it is below 0.0001.

    Args:
        dip: the dip.
        n_rows: number of rows, at least 10.
    """
    scale = np.log(np.clip(n_rows, _SIZES[0], _SIZES[-1]))
    quantiles = [float(np.interp(scale, np.log(_SIZES), column)) for column in zip(*_QUANTILES, strict=True)]
    size = dip * np.sqrt(n_rows)
    return 0.0 if size > quantiles[-1] else float(np.exp(np.interp(size, quantiles, np.log(_PROBABILITIES))))
