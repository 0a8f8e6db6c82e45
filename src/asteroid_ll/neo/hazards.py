"""Hazards: properties of a table of asteroids that can mislead a model or its reader, with their figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asteroid_ll.formats.columns import Columns, n_distinct
from asteroid_ll.neo.identities import EqualOrbits, Pair, has_orbits, is_permanent
from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.table import IDENTITY, LABEL

OBSERVATION_COLUMNS = ("orbit_id", "orbit_uncertainty")
"""Columns that show how well an asteroid is observed."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """A property that can mislead: its name, and a sentence with the figures of this table."""

    name: str
    text: str


def hazards(table: Columns, *, n_asteroids: int, joined: Sequence[Pair], equal: EqualOrbits) -> tuple[Hazard, ...]:
    """Return the hazards of a table.

    Args:
        table: canonical table with its label.
        n_asteroids: number of its asteroids.
        joined: pairs of identities that cleaning has joined.
        equal: pairs of identities that remain, although their orbits are nearly equal. They are a hazard of a table
            with orbits, also if the configuration asks for no join.
    """
    return (
        *_label_inputs(table),
        *_identity_leak(table),
        *_observation_leak(table),
        *_two_identities(table, joined, equal),
        *_repeats(n_asteroids, n_rows=len(table)),
        *_selection(table),
    )


def _label_inputs(table: Columns) -> Iterator[Hazard]:
    rule = is_hazardous_by_rule(table["absolute_magnitude_mag"].to_numpy(), table["moid_au"].to_numpy())
    others = int((rule != table[LABEL].to_numpy(dtype=bool)).sum())
    yield Hazard(
        "label inputs",
        f"The label is defined by absolute magnitude and MOID: H <= 22 and MOID <= 0.05 au give it in all but {others} "
        f"of {len(table)} rows. The feature set no-label-inputs uses neither.",
    )


def _identity_leak(table: Columns) -> Iterator[Hazard]:
    known = list(map(is_permanent, table[IDENTITY].tolist()))
    labels = table[LABEL].to_numpy(dtype=bool)
    permanent, provisional = (labels[np.array([is_it is value for is_it in known])] for value in (True, False))
    if len(permanent) and len(provisional):
        yield Hazard(
            "identity leak",
            f"{permanent.mean():.0%} of the rows of numbered asteroids are hazardous, {provisional.mean():.0%} of the "
            "others: an identity shows how long an asteroid has been known, so no feature set uses it.",
        )


def _observation_leak(table: Columns) -> Iterator[Hazard]:
    labels = table[LABEL].to_numpy(dtype=np.float64)
    for name in OBSERVATION_COLUMNS:
        if name not in table.columns or labels.std() == 0.0 or n_distinct(table[name]) < 2:
            continue
        r = float(np.corrcoef(table[name].to_numpy(dtype=np.float64), labels)[0, 1])
        yield Hazard(
            "observation leak",
            f"{name} correlates with the label (r = {r:+.2f}), because bright asteroids are observed more often; "
            "the feature sets clean and no-label-inputs leave it out.",
        )


def _two_identities(table: Columns, joined: Sequence[Pair], equal: EqualOrbits) -> Iterator[Hazard]:
    if joined:
        rows = 0
        if "close_approach_date" in table.columns:
            approaches = pd.DataFrame({name: table[name] for name in (IDENTITY, "close_approach_date")})
            rows = int(approaches.duplicated().sum())
        twice = f" {rows} approaches are listed twice for it." if rows else ""
        yield Hazard(
            "one asteroid under two identities",
            f"{len(joined)} asteroids were listed under a provisional and a permanent number and are joined: a split "
            f"by asteroid keeps their rows together.{twice}",
        )
    if equal and has_orbits(table):
        first = " and ".join(next(iter(equal)))
        yield Hazard(
            "equal orbits",
            f"{len(equal)} pairs of asteroids have almost equal orbits and magnitudes, such as {first}: one asteroid "
            "under two names, or parts of one that broke. A split by asteroid may separate such a pair.",
        )


def _repeats(n_asteroids: int, *, n_rows: int) -> Iterator[Hazard]:
    if n_asteroids < n_rows:
        yield Hazard(
            "several rows per asteroid",
            f"{n_rows} rows belong to {n_asteroids} asteroids: a split by row tests on known asteroids.",
        )


def _selection(table: Columns) -> Iterator[Hazard]:
    if "miss_distance_au" in table.columns:
        yield Hazard(
            "selection",
            f"The largest miss distance is {table['miss_distance_au'].max():.4g} au: only near approaches are listed.",
        )
