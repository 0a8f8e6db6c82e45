"""Asteroids that a table lists under two identities, detected by their orbits.

An asteroid gets a permanent number when its orbit is well known. A list that was collected over months has it under
its provisional SPK-ID (3xxxxxx or 54xxxxxx) before that day, and under the permanent one (2xxxxxx or 20xxxxxx) with a
new fit of the orbit after it. The two orbits differ only in the last digits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.neo.feature_sets import ELEMENTS
from asteroid_ll.neo.table import IDENTITY

if TYPE_CHECKING:
    import pandas as pd

TOLERANCES = (1e-3, 1e-3, 0.1, 1.0, 1.0)
"""Largest differences between two fits of an orbit: e; a, relative; i, node and argument of perihelion in degrees.

In the 40-column export, a tenth of these limits loses four pairs, and ten times the limits adds four pairs, whose
magnitudes differ by up to 1.2. The probability that two of its 3,692 asteroids agree by chance is 2e-5."""

MAX_MAGNITUDE_DIFFERENCE_MAG = 0.3
"""Largest difference of the absolute magnitudes of one asteroid listed twice."""

MAX_MISS_DISTANCE_DIFFERENCE = 0.01
"""Largest relative difference between the miss distances of one approach from two fits; 0.0002 in the export."""

_SPK_ID = re.compile(r"[0-9]{7,8}")
_PERMANENT_SPK_ID = re.compile(r"2[0-9]{6}|20[0-9]{6}")

Pair = tuple[str, str]


def is_permanent(asteroid_id: str) -> bool | None:
    """Return whether an identity belongs to a numbered asteroid; None if it cannot be determined.

    Args:
        asteroid_id: an SPK-ID, a number, or a provisional designation such as ``2010 PK9``.
    """
    if _SPK_ID.fullmatch(asteroid_id):
        return bool(_PERMANENT_SPK_ID.fullmatch(asteroid_id))
    if asteroid_id.isdigit():
        return True
    return False if " " in asteroid_id else None


def equal_orbits(table: pd.DataFrame) -> tuple[Pair, ...]:
    """Return pairs of identities with the same orbit within ``TOLERANCES`` and nearly the same magnitude.

    Args:
        table: canonical table; the first row of each asteroid counts.

    Returns:
        Pairs of different identities, each in the table's order; empty for a table without the elements.
    """
    if not {*ELEMENTS, "absolute_magnitude_mag"} <= set(table.columns):
        return ()
    asteroids = table.drop_duplicates(IDENTITY)
    order = np.argsort(asteroids["semi_major_axis_au"].to_numpy(), kind="stable")
    orbits = asteroids[list(ELEMENTS)].to_numpy(dtype=np.float64)[order]
    magnitude_mag = asteroids["absolute_magnitude_mag"].to_numpy(dtype=np.float64)[order]
    positions = []
    for step in range(1, len(orbits)):
        near = (orbits[step:, 1] - orbits[:-step, 1]) / orbits[:-step, 1] <= TOLERANCES[1]
        if not near.any():
            break
        near &= np.abs(orbits[step:, 0] - orbits[:-step, 0]) <= TOLERANCES[0]
        first = np.flatnonzero(near)
        same = _same(orbits[first], orbits[first + step])
        same &= np.abs(magnitude_mag[first] - magnitude_mag[first + step]) <= MAX_MAGNITUDE_DIFFERENCE_MAG
        positions += [tuple(sorted((order[i], order[i + step]))) for i in first[same]]
    identities = asteroids[IDENTITY].tolist()
    return tuple((identities[one], identities[other]) for one, other in sorted(positions))


def one_asteroid(pairs: Sequence[Pair], table: pd.DataFrame) -> tuple[Pair, ...]:
    """Return the pairs that are one asteroid under two SPK-IDs, rather than two asteroids on one orbit.

    Both identities must have the same miss distance on each day that lists both.

    Args:
        pairs: pairs of ``equal_orbits``.
        table: the same table.

    Returns:
        Pairs of the identity to keep (the permanent one, else the smaller) and the other one. Each identity is in at
        most one pair.
    """
    chosen: list[Pair] = []
    taken: set[str] = set()
    for pair in pairs:
        if not all(_SPK_ID.fullmatch(identity) for identity in pair) or taken & set(pair) or _differ(table, pair):
            continue
        keep, other = sorted(pair, key=lambda identity: (not is_permanent(identity), len(identity), identity))
        chosen.append((keep, other))
        taken |= set(pair)
    return tuple(chosen)


def _differ(table: pd.DataFrame, pair: Pair) -> bool:
    """Return whether both identities are listed on one day with different distances."""
    if not {"close_approach_date", "miss_distance_au"} <= set(table.columns):
        return False
    one, other = (
        table[table[IDENTITY] == identity].groupby("close_approach_date")["miss_distance_au"].first()
        for identity in pair
    )
    ratio = (one / other).dropna()
    return bool((np.abs(ratio - 1.0) > MAX_MISS_DISTANCE_DIFFERENCE).any())


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    difference = np.abs(one - other)
    difference[:, 1] /= one[:, 1]
    around = difference[:, 3:] % 360.0
    difference[:, 3:] = np.minimum(around, 360.0 - around)
    return np.asarray((difference <= np.array(TOLERANCES)).all(axis=1))
