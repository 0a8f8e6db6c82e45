"""The asteroids worth another observation: not flagged, and within their errors of the definition's limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.evaluation.mistakes import jpl_page
from asteroid_ll.formats.columns import Columns, Selected
from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU, labels_of
from asteroid_ll.neo.probability import INPUTS, SIGMA_H_MAG, USUAL, probability_of, sigma_moid_of
from asteroid_ll.neo.table import IDENTITY, LABEL, lookup

N_SIGMA = 2.0
"""Standard errors within which an asteroid is listed."""


@dataclass(frozen=True)
class Candidate:
    """One asteroid of the list.

    Attributes:
        asteroid_id: number, designation or SPK-ID.
        name: its name; the identity if it has none.
        absolute_magnitude_mag: H.
        moid_au: minimum orbit intersection distance with the Earth.
        sigma_moid_au: the error of the MOID, see `asteroid_ll.neo.probability.sigma_moid_au`.
        p_hazardous: probability that the true H and the true MOID meet the definition.
        url: the asteroid's page at JPL.
    """

    asteroid_id: str
    name: str
    absolute_magnitude_mag: float
    moid_au: float
    sigma_moid_au: float
    p_hazardous: float
    url: str

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        return asdict(self)


def follow_up(table: Columns) -> tuple[Candidate, ...]:
    """List the asteroids that are not flagged and that the usual errors allow to be hazardous, most probable first.

    Both H and MOID are at most `N_SIGMA` standard errors beyond their limits.

    Args:
        table: clean table with its label, under canonical names or the tutorial's; the first row of an asteroid counts.
    """
    named = {column.name: name for name in table.columns if (column := lookup(str(name))) is not None}
    chosen, identities = _first_rows(_near_the_limits(table, named), table[named[IDENTITY]])
    part = Selected(table, rows=chosen)
    names = part[named["name"]].to_numpy().astype(str) if "name" in named else identities
    columns = _inputs(part, named)
    magnitude_mag, moid_au = columns["absolute_magnitude_mag"], columns["moid_au"]
    sigma_au = sigma_moid_of(columns, n_rows=len(chosen))
    chance = probability_of(columns, USUAL)
    return tuple(
        Candidate(
            asteroid_id=str(identities[row]),
            name=str(names[row]),
            absolute_magnitude_mag=float(magnitude_mag[row]),
            moid_au=float(moid_au[row]),
            sigma_moid_au=float(f"{sigma_au[row]:.3g}"),
            p_hazardous=round(float(chance[row]), 6),
            url=jpl_page(str(identities[row])),
        )
        for row in np.lexsort((identities, -chance)).tolist()
    )


def _near_the_limits(table: Columns, named: Mapping[str, str]) -> NDArray[np.intp]:
    """Return the rows that are not flagged, and whose H and MOID are at most `N_SIGMA` errors beyond the limits."""
    columns = _inputs(table, named)
    is_near = columns["moid_au"] <= MAX_MOID_AU + N_SIGMA * sigma_moid_of(columns, n_rows=len(table))
    is_bright = columns["absolute_magnitude_mag"] <= MAX_ABSOLUTE_MAGNITUDE_MAG + N_SIGMA * SIGMA_H_MAG
    return np.flatnonzero(~labels_of(table[named[LABEL]].to_frame()) & is_near & is_bright)


def _inputs(table: Columns, named: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    return {name: table[named[name]].to_numpy(dtype=np.float64) for name in INPUTS if name in named}


def _first_rows(rows: NDArray[np.intp], identities: pd.Series) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    """Return those of the rows that are the first of their asteroid in the table, and their identities."""
    of_rows = identities[identities.isin(identities.iloc[rows])]
    first = np.intersect1d(rows, of_rows.drop_duplicates().index.to_numpy())
    return first, identities.to_numpy()[first].astype(str)
