"""Rules that clean a canonical table, and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.formats.columns import Change, Columns, Selected
from asteroid_ll.neo.duplicates import duplicated
from asteroid_ll.neo.identities import EqualOrbits, Pair, equal_orbits, one_asteroid
from asteroid_ll.neo.ranges import PLACEHOLDER_MAGNITUDE_MAG, WORST_UNCERTAINTY
from asteroid_ll.neo.table import IDENTITY, LABEL, find


@dataclass(frozen=True, slots=True)
class CleaningRule:
    """The effect of one rule: a count of ``rows``, ``values``, ``columns`` or ``identities``, as ``unit`` names."""

    name: str
    count: int
    unit: str


_Table = TypeVar("_Table", bound=Columns)


@dataclass(frozen=True)
class Cleaned(Generic[_Table]):
    """A clean table, and the effects of the rules in the order of application.

    Attributes:
        table: the table.
        rules: the effect of each rule.
        equal_orbits: pairs of identities that remain, although their orbits are nearly equal.
        joined: pairs of identities of one asteroid: the one that is kept, and the one that it replaces.
    """

    table: _Table
    rules: tuple[CleaningRule, ...]
    equal_orbits: EqualOrbits
    joined: tuple[Pair, ...] = ()


@overload
def clean(
    table: pd.DataFrame, *, drop: Sequence[str] = (), tutorial_names: bool = False, join_identities: bool = True
) -> Cleaned[pd.DataFrame]: ...


@overload
def clean(
    table: Columns, *, drop: Sequence[str] = (), tutorial_names: bool = False, join_identities: bool = True
) -> Cleaned[Selected]: ...


def clean(
    table: Columns, *, drop: Sequence[str] = (), tutorial_names: bool = False, join_identities: bool = True
) -> Cleaned[Any]:
    """Remove unusable rows and dropped columns, and put the label first.

    Args:
        table: canonical table with its label.
        drop: columns to leave out, by any of their names.
        tutorial_names: use the tutorial's column names instead of the canonical ones.
        join_identities: give an asteroid with two identities the permanent one in all its rows.

    Returns:
        The table with the label in column 0, the other columns in their order, rows numbered from 0; and the counts.
        A DataFrame gives a DataFrame; of another table, each column is cleaned when it is read.

    Raises:
        DataError: ``drop`` names an unknown or absent column, the label or the identity; or no row remains.
    """
    rules, usable = [], np.ones(len(table), dtype=np.bool_)
    for name, unusable in _UNUSABLE:
        mask = unusable(table) & usable
        rules.append(CleaningRule(name, int(mask.sum()), "rows"))
        usable &= ~mask
    if not usable.any():
        raise DataError(
            f"Cleaning leaves none of the {len(table)} rows.",
            hint="Check the source's magnitudes and orbiting bodies.",
        )
    rows = None if usable.all() else usable
    kept = Selected(table, rows=rows)
    changes: dict[str, Change] = {}
    unknown = 0
    if "orbit_uncertainty" in kept.columns:
        unknown = int(kept["orbit_uncertainty"].isna().sum())
        changes["orbit_uncertainty"] = lambda values: values.fillna(WORST_UNCERTAINTY).astype(np.int64)
    rules.append(CleaningRule(f"unknown orbit uncertainties set to {WORST_UNCERTAINTY}, the worst", unknown, "values"))
    dropped = _columns_to_drop(kept.columns, drop)
    equal = equal_orbits(kept)
    joined = one_asteroid(equal, kept) if join_identities else ()
    if joined:
        keep_of = {other: keep for keep, other in joined}
        changes[IDENTITY] = lambda values: values.replace(keep_of)
    rules.append(CleaningRule("identities joined, by equal orbits", len(joined), "identities"))
    rules.append(CleaningRule("columns dropped", len(dropped), "columns"))
    order = [LABEL, *(name for name in kept.columns if name != LABEL and name not in dropped)]
    columns = {find(name).tutorial_name or name if tutorial_names else name: name for name in order}
    cleaned = Selected(table, rows=rows, columns=columns, changes=changes)
    return Cleaned(_like(table, cleaned), tuple(rules), equal.joined(joined), joined)


def _like(table: Columns, cleaned: Selected) -> Columns:
    """Return a table in memory if the given one is."""
    if isinstance(table, pd.DataFrame):
        return pd.DataFrame({name: cleaned[name] for name in cleaned.columns})
    return cleaned


def _is_placeholder(table: Columns) -> NDArray[np.bool_]:
    return np.asarray(table["absolute_magnitude_mag"].to_numpy() >= PLACEHOLDER_MAGNITUDE_MAG, dtype=np.bool_)


def _is_not_earth(table: Columns) -> NDArray[np.bool_]:
    if "orbiting_body" not in table.columns:
        return np.zeros(len(table), dtype=np.bool_)
    return np.asarray(table["orbiting_body"].to_numpy() != "Earth", dtype=np.bool_)


_UNUSABLE = (
    ("exact duplicates removed", duplicated),
    ("placeholder magnitudes removed", _is_placeholder),
    ("approaches to other bodies than the Earth removed", _is_not_earth),
)


def _columns_to_drop(columns: Sequence[str], drop: Sequence[str]) -> set[str]:
    names = {find(name).name for name in drop}
    absent = sorted(names - set(columns))
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
