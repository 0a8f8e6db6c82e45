"""Nearly equal orbits among many, in linear time: only orbits that share a cell of a grid are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.columns import repeated

TOLERANCES = (1e-3, 1e-3, 0.1, 1.0, 1.0)
"""Largest differences between two fits of an orbit: e; a, relative; i, node and argument of perihelion in degrees.

In the 40-column export, a tenth of these limits loses four pairs, and ten times the limits adds four pairs, whose
magnitudes differ by up to 1.2. The probability that two of its 3,692 asteroids agree by chance is 2e-5."""

MAX_MAGNITUDE_DIFFERENCE_MAG = 0.3
"""Largest difference of the absolute magnitudes of one asteroid listed twice."""

_CELL_WIDTH = 10.0
"""Width of a cell in tolerances. A narrower one puts more orbits into two cells, a wider one has more orbits."""

_EDGE_WIDTH = 1.001
"""Width of a cell's edge in tolerances; the excess is far more than the rounding errors of the coordinates."""

_MIXERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F], np.uint64
)
"""Odd numbers with random bits, one per element."""


def distinct_orbits(orbits: NDArray[np.float64], magnitude_mag: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the distinct orbits.

    Args:
        orbits: e, a, i, node and argument of perihelion per asteroid, au and degrees, shape ``(n, 5)``.
        magnitude_mag: absolute magnitude per asteroid.

    Returns:
        Per asteroid the first asteroid with exactly its orbit and magnitude; -1 if a value is not finite or ``a`` is
        not positive.
    """
    columns = [*orbits.T, magnitude_mag]
    usable = orbits[:, 1] > 0.0
    key = np.zeros(len(orbits), np.uint64)
    for column in columns:
        usable &= np.isfinite(column)
        key = mixed(key ^ np.ascontiguousarray(column).view(np.uint64))
    leader = np.arange(len(orbits))
    shared = repeated(key)
    starts = np.flatnonzero(np.diff(key[shared], prepend=~key[shared[:1]]))
    candidate = np.repeat(shared[starts], np.diff(starts, append=len(shared)))
    is_copy = np.ones(len(shared), dtype=np.bool_)  # two orbits can have one key
    for column in columns:
        is_copy &= column[shared] == column[candidate]
    leader[shared[is_copy]] = candidate[is_copy]
    leader[~usable] = -1
    return leader


def near_pairs(orbits: NDArray[np.float64], magnitude_mag: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the pairs of orbits that are equal within the tolerances.

    Args:
        orbits: finite elements with a positive ``a``, as in `distinct_orbits`.
        magnitude_mag: absolute magnitude per orbit.

    Returns:
        Pairs of row numbers, the smaller first, in ascending order, shape ``(n_pairs, 2)``.
    """
    keys, rows = _cells(orbits)
    order = np.argsort(keys)
    keys, rows = keys[order], rows[order]
    found = [np.empty(0, np.int64)]
    first = np.flatnonzero(keys[1:] == keys[:-1])
    step = 1
    while len(first):
        pairs = np.sort(np.column_stack([rows[first], rows[first + step]]), axis=1)
        pairs = pairs[_are_equal(orbits, magnitude_mag, pairs)]
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]  # two cells of one orbit can have one key
        found.append(pairs[:, 0] * len(orbits) + pairs[:, 1])
        step += 1
        first = first[first + step < len(keys)]
        first = first[keys[first] == keys[first + step]]
    codes = np.unique(np.concatenate(found))  # two orbits can share several cells
    return np.column_stack(np.divmod(codes, max(1, len(orbits))))


def _cells(orbits: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the key of a cell and a row number for each cell that an orbit is in.

    An orbit that is within a tolerance of a cell's upper edge is in the next cell as well, in any combination of the
    elements. Two orbits within the tolerances therefore share a cell.
    """
    keys, rows = np.zeros(len(orbits), np.uint64), np.arange(len(orbits))
    edge = 1.0 - _EDGE_WIDTH / _CELL_WIDTH
    for element, (tolerance, mixer) in enumerate(zip(TOLERANCES, _MIXERS, strict=True)):
        values, width = orbits[:, element], _CELL_WIDTH * tolerance
        if element == 1:
            values, width = np.log(values), _CELL_WIDTH * float(np.log1p(tolerance))
        is_angle = element >= 3
        position = (values % 360.0 if is_angle else values) / width
        cell = np.floor(position)
        n_cells = round(360.0 / width) if is_angle else 0
        in_next = np.flatnonzero((position - cell > edge)[rows])
        cells = np.concatenate([cell[rows], cell[rows[in_next]] + 1.0])
        if is_angle:
            cells %= n_cells
        keys, rows = np.concatenate([keys, keys[in_next]]), np.concatenate([rows, rows[in_next]])
        cells += 0.0  # -0.0 becomes 0.0
        keys = mixed(keys ^ (cells.view(np.uint64) * mixer))  # as an integer, a large number would be cut
    return keys, rows


def mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return keys whose bits are scrambled; different keys stay different."""
    scrambled: NDArray[np.uint64] = (keys ^ (keys >> np.uint64(32))) * _MIXERS[0]
    return scrambled ^ (scrambled >> np.uint64(29))


def _are_equal(
    orbits: NDArray[np.float64], magnitude_mag: NDArray[np.float64], pairs: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether the two orbits of each pair are equal within the tolerances."""
    one, other = orbits[pairs[:, 0]], orbits[pairs[:, 1]]
    difference = np.abs(one - other)
    difference[:, 1] /= np.minimum(one[:, 1], other[:, 1])
    around = difference[:, 3:] % 360.0
    difference[:, 3:] = np.minimum(around, 360.0 - around)
    same = (difference <= np.array(TOLERANCES)).all(axis=1)
    magnitude_difference_mag = np.abs(magnitude_mag[pairs[:, 0]] - magnitude_mag[pairs[:, 1]])
    return np.asarray(same & (magnitude_difference_mag <= MAX_MAGNITUDE_DIFFERENCE_MAG))
