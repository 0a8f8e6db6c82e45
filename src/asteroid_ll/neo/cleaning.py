"""Rules that clean a canonical table, and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.neo.identities import EqualOrbits, Pair, equal_orbits, one_asteroid
from asteroid_ll.neo.ranges import PLACEHOLDER_MAGNITUDE_MAG, WORST_UNCERTAINTY
from asteroid_ll.neo.table import IDENTITY, LABEL, find

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class CleaningRule:
    """The effect of one rule: a count of ``rows``, ``values``, ``columns`` or ``identities``, as ``unit`` names."""

    name: str
    count: int
    unit: str


@dataclass(frozen=True)
class Cleaned:
    """A clean table, and the effects of the rules in the order of application.

    Attributes:
        table: the table.
        rules: the effect of each rule.
        equal_orbits: pairs of identities that remain, although their orbits are nearly equal.
        joined: pairs of identities of one asteroid: the one that is kept, and the one that it replaces.
    """

    table: pd.DataFrame
    rules: tuple[CleaningRule, ...]
    equal_orbits: EqualOrbits
    joined: tuple[Pair, ...] = ()


def clean(
    table: pd.DataFrame, *, drop: Sequence[str] = (), tutorial_names: bool = False, join_identities: bool = True
) -> Cleaned:
    """Remove unusable rows and dropped columns, and put the label first.

    Args:
        table: canonical table with its label.
        drop: columns to leave out, by any of their names.
        tutorial_names: use the tutorial's column names instead of the canonical ones.
        join_identities: give an asteroid with two identities the permanent one in all its rows.

    Returns:
        The table with the label in column 0, the other columns in their order, rows numbered from 0; and the counts.

    Raises:
        DataError: ``drop`` names an unknown or absent column, the label or the identity; or no row remains.
    """
    rules = []
    kept = table
    for name, unusable in (
        ("exact duplicates removed", lambda t: t.duplicated().to_numpy()),
        (
            "placeholder magnitudes removed",
            lambda t: t["absolute_magnitude_mag"].to_numpy() >= PLACEHOLDER_MAGNITUDE_MAG,
        ),
        ("approaches to other bodies than the Earth removed", _is_not_earth),
    ):
        mask = unusable(kept)
        rules.append(CleaningRule(name, int(mask.sum()), "rows"))
        kept = kept[~mask] if mask.any() else kept
    if kept.empty:
        raise DataError(
            f"Cleaning leaves none of the {len(table)} rows.",
            hint="Check the source's magnitudes and orbiting bodies.",
        )
    kept, unknown = _fill_uncertainty(kept)
    rules.append(CleaningRule(f"unknown orbit uncertainties set to {WORST_UNCERTAINTY}, the worst", unknown, "values"))
    dropped = _columns_to_drop(kept, drop)
    equal = equal_orbits(kept)
    joined = one_asteroid(equal, kept) if join_identities else ()
    if joined:
        kept = kept.assign(**{IDENTITY: kept[IDENTITY].replace({other: keep for keep, other in joined})})
    rules.append(CleaningRule("identities joined, by equal orbits", len(joined), "identities"))
    rules.append(CleaningRule("columns dropped", len(dropped), "columns"))
    order = [LABEL, *(name for name in kept.columns if name != LABEL and name not in dropped)]
    kept = kept[order].reset_index(drop=True)
    if tutorial_names:
        kept = kept.rename(columns={name: find(name).tutorial_name or name for name in order})
    return Cleaned(kept, tuple(rules), equal.joined(joined), joined)


def _is_not_earth(table: pd.DataFrame) -> NDArray[np.bool_]:
    if "orbiting_body" not in table:
        return np.zeros(len(table), dtype=np.bool_)
    return np.asarray(table["orbiting_body"].to_numpy() != "Earth", dtype=np.bool_)


def _fill_uncertainty(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the table with integer uncertainties, and the number of unknown ones."""
    if "orbit_uncertainty" not in table:
        return table, 0
    unknown = int(table["orbit_uncertainty"].isna().sum())
    filled = table["orbit_uncertainty"].fillna(WORST_UNCERTAINTY).astype(np.int64)
    return table.assign(orbit_uncertainty=filled), unknown


def _columns_to_drop(table: pd.DataFrame, drop: Sequence[str]) -> set[str]:
    names = {find(name).name for name in drop}
    absent = sorted(names - set(table.columns))
    if absent:
        raise DataError(
            f"The table has no column {', '.join(absent)} to drop.", hint="Remove it from the list of columns to drop."
        )
    needed = sorted(names & {LABEL, IDENTITY})
    if needed:
        raise DataError(
            f"The columns {', '.join(needed)} cannot be dropped: the split and the score need them.",
            hint="The feature sets already leave them out.",
        )
    return names
