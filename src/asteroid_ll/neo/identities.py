"""Asteroids that a table lists under two identities, detected by their orbits.

An asteroid gets a permanent number when its orbit is well known. A list that was collected over months has it under
its provisional SPK-ID (3xxxxxx or 5xxxxxxx) before that day, and under the permanent one (2xxxxxx or 20xxxxxx) with a
new fit of the orbit after it. The two orbits differ only in the last digits.
"""

from __future__ import annotations

import heapq
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.formats.columns import Columns, codes
from asteroid_ll.neo.feature_sets import ELEMENTS
from asteroid_ll.neo.orbit_grid import distinct_orbits, near_pairs
from asteroid_ll.neo.table import IDENTITY

MAX_MISS_DISTANCE_DIFFERENCE = 0.01
"""Largest relative difference between the miss distances of one approach from two fits; 0.0002 in the export."""

_SPK_ID = re.compile(r"[235][0-9]{6,7}")
_PROVISIONAL_SPK_ID = re.compile(r"3[0-9]{6}|5[0-9]{7}")

Pair = tuple[str, str]


def is_permanent(asteroid_id: str) -> bool | None:
    """Return whether an identity belongs to a numbered asteroid; None if it cannot be determined.

    Args:
        asteroid_id: an SPK-ID, a number, or a provisional designation such as ``2010 PK9``.
    """
    if asteroid_id.isdigit():
        return not _PROVISIONAL_SPK_ID.fullmatch(asteroid_id)
    return False if " " in asteroid_id else None


class EqualOrbits:
    """Pairs of different identities with nearly the same orbit and magnitude, each pair in the table's order.

    The pairs of a group of equal orbits are made when they are read, because there are as many as the group's square.

    Args:
        identities: identity per asteroid that is in a pair, in the table's order; others may be among them.
        orbit: number of the orbit per asteroid; -1 for an asteroid without one.
        links: pairs of orbits that are nearly equal, shape ``(n_links, 2)``.
    """

    def __init__(self, identities: Sequence[str], orbit: NDArray[np.int64], links: NDArray[np.int64]) -> None:
        self._identities = identities
        self._orbit = orbit
        self._links = links

    def __len__(self) -> int:
        """Return the number of pairs."""
        counts = np.bincount(self._orbit[self._orbit >= 0], minlength=int(self._links.max(initial=-1)) + 1)
        within = counts * (counts - 1) // 2
        return int(within.sum() + (counts[self._links[:, 0]] * counts[self._links[:, 1]]).sum())

    def __iter__(self) -> Iterator[Pair]:
        """Yield the pairs, ordered by their first asteroid in the table, then by their second one."""
        return ((one, other) for one, others in self.partners() for other in others)

    def partners(self) -> Iterator[tuple[str, Iterator[str]]]:
        """Yield each identity that is the first of a pair, with the second ones of its pairs."""
        members, near = self._groups()
        for position in sorted(itertools.chain.from_iterable(members.values())):
            orbit = int(self._orbit[position])
            later = [_after(members[other], position) for other in (orbit, *near.get(orbit, ())) if other in members]
            others = (self._identities[other] for other in heapq.merge(*later))
            for first in others:
                yield self._identities[position], itertools.chain((first,), others)
                break

    def identities(self) -> set[str]:
        """Return the identities in the pairs."""
        return {self._identities[position] for group in self._groups()[0].values() for position in group}

    def joined(self, pairs: Sequence[Pair]) -> EqualOrbits:
        """Return the pairs that remain after a join, in which an asteroid has the orbit of its first row.

        Args:
            pairs: the identity to keep and the other one, see `one_asteroid`.
        """
        kept = {other: keep for keep, other in pairs} | {keep: keep for keep, _ in pairs}
        identities = [kept.get(identity, identity) for identity in self._identities]
        orbit = self._orbit.copy()
        seen: set[str] = set()
        for position, identity in enumerate(self._identities):
            if identity in kept:
                if kept[identity] in seen:
                    orbit[position] = -1
                seen.add(kept[identity])
        return EqualOrbits(identities, orbit, self._links)

    def _groups(self) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """Return the asteroids of each orbit that is in a pair, ascending, and the orbits near each orbit."""
        near: dict[int, list[int]] = {}
        for one, other in self._links.tolist():
            near.setdefault(one, []).append(other)
            near.setdefault(other, []).append(one)
        counts = np.bincount(self._orbit + 1, minlength=int(self._links.max(initial=-1)) + 2)
        counts[0] = 0
        is_paired = counts > 1
        is_paired[np.fromiter(near, np.int64, len(near)) + 1] = True
        members: dict[int, list[int]] = {}
        for position in np.flatnonzero(is_paired[self._orbit + 1]).tolist():
            members.setdefault(int(self._orbit[position]), []).append(position)
        members.pop(-1, None)
        return members, near


def has_orbits(table: Columns) -> bool:
    """Return whether a table has the elements of the orbits and the absolute magnitude."""
    return {*ELEMENTS, "absolute_magnitude_mag"} <= set(table.columns)


def equal_orbits(table: Columns) -> EqualOrbits:
    """Return the pairs of identities with the same orbit within ``TOLERANCES`` and nearly the same magnitude.

    Args:
        table: canonical table; the first row of each asteroid counts.

    Returns:
        The pairs; none for a table without the elements. An orbit that is no ellipse is in no pair.
    """
    if not has_orbits(table):
        return EqualOrbits((), np.empty(0, np.int64), np.empty((0, 2), np.int64))
    is_first = np.zeros(len(table), dtype=np.bool_)
    is_first[codes(table[IDENTITY])[1]] = True
    orbits = np.empty((np.count_nonzero(is_first), len(ELEMENTS)))
    for place, name in enumerate(ELEMENTS):
        orbits[:, place] = table[name].to_numpy(dtype=np.float64)[is_first]
    magnitude_mag = table["absolute_magnitude_mag"].to_numpy(dtype=np.float64)[is_first]
    orbit = distinct_orbits(orbits, magnitude_mag)
    distinct = np.flatnonzero(orbit == np.arange(len(orbit)))
    if len(distinct) < len(orbits):
        orbits, magnitude_mag = orbits[distinct], magnitude_mag[distinct]
    links = distinct[near_pairs(orbits, magnitude_mag)]
    del orbits, magnitude_mag
    is_paired = np.bincount(orbit + 1, minlength=len(orbit) + 1) > 1
    is_paired[links + 1] = True
    is_paired[0] = False
    paired = np.flatnonzero(is_paired[orbit + 1])
    identities = table[IDENTITY].to_numpy(dtype=object)[is_first][paired].tolist() if paired.size else ()
    return EqualOrbits(identities, orbit[paired], links)


def one_asteroid(pairs: EqualOrbits, table: Columns) -> tuple[Pair, ...]:
    """Return the pairs that are one asteroid under two SPK-IDs, rather than two asteroids on one orbit.

    Both identities must have the same miss distance on each day that lists both.

    Args:
        pairs: pairs of ``equal_orbits``.
        table: the same table.

    Returns:
        Pairs of the identity to keep (the permanent one, else the smaller) and the other one. Each identity is in at
        most one pair.
    """
    candidates = {identity for identity in pairs.identities() if _SPK_ID.fullmatch(identity)}
    if not candidates:
        return ()
    passes = _passes(table, candidates)
    chosen: list[Pair] = []
    taken: set[str] = set()
    for one, others in pairs.partners():
        if one not in candidates or one in taken:
            continue
        for other in others:
            if other in candidates and other not in taken and not _differ(passes, one, other):
                keep, lost = sorted((one, other), key=lambda name: (not is_permanent(name), len(name), name))
                chosen.append((keep, lost))
                taken |= {one, other}
                break
    return tuple(chosen)


def _passes(table: Columns, identities: set[str]) -> dict[str, dict[str, float]]:
    """Return the miss distance on each day, au, per identity; nothing for a table without approaches."""
    if not {"close_approach_date", "miss_distance_au"} <= set(table.columns):
        return {}
    is_paired = table[IDENTITY].isin(identities)
    columns = (IDENTITY, "close_approach_date", "miss_distance_au")
    rows = pd.DataFrame({name: table[name][is_paired] for name in columns})
    first = rows.groupby([IDENTITY, "close_approach_date"], sort=False)["miss_distance_au"].first()
    passes: dict[str, dict[str, float]] = {}
    for (identity, day), distance_au in zip(first.index.tolist(), first.tolist(), strict=True):
        passes.setdefault(identity, {})[day] = distance_au
    return passes


def _differ(passes: Mapping[str, Mapping[str, float]], one: str, other: str) -> bool:
    """Return whether both identities are listed on one day with different distances."""
    ours, theirs = passes.get(one, {}), passes.get(other, {})
    days = [day for day in ours if day in theirs]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.array([ours[day] for day in days]) / np.array([theirs[day] for day in days])
    return bool((np.abs(ratio - 1.0) > MAX_MISS_DISTANCE_DIFFERENCE).any())


def _after(positions: Sequence[int], position: int) -> Iterator[int]:
    """Yield the positions after one of an ascending sequence."""
    return (positions[index] for index in range(bisect_right(positions, position), len(positions)))
