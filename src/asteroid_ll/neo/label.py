"""The label: whether an asteroid is potentially hazardous, as recorded and by the rule of CNEOS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.neo.table import LABEL, locate

if TYPE_CHECKING:
    from asteroid_ll.formats.columns import Columns

MAX_ABSOLUTE_MAGNITUDE_MAG = 22.0
"""Faintest absolute magnitude of a potentially hazardous asteroid: about 140 m at an albedo of 0.14."""

MAX_MOID_AU = 0.05
"""Largest minimum orbit intersection distance with the Earth of a potentially hazardous asteroid."""


def is_hazardous_by_rule(absolute_magnitude_mag: ArrayLike, moid_au: ArrayLike) -> NDArray[np.bool_]:
    """Apply the definition of a potentially hazardous asteroid.

    Args:
        absolute_magnitude_mag: absolute magnitude H, shape ``(n,)``.
        moid_au: minimum orbit intersection distance with the Earth in au, shape ``(n,)``.

    Returns:
        True for H <= 22.0 and MOID <= 0.05 au; False for NaN.

    Source: CNEOS, "NEO Basics", https://cneos.jpl.nasa.gov/about/neo_groups.html.
    """
    bright = np.asarray(absolute_magnitude_mag, dtype=np.float64) <= MAX_ABSOLUTE_MAGNITUDE_MAG
    near = np.asarray(moid_au, dtype=np.float64) <= MAX_MOID_AU
    return np.asarray(bright & near, dtype=np.bool_)


def labels_of(table: Columns) -> NDArray[np.bool_]:
    """Return the table's label column, shape ``(n_rows,)``: True for potentially hazardous.

    Raises:
        DataError: the table has no label, or only one class.
    """
    labels = table[locate(table.columns, [LABEL])[LABEL]].to_numpy(dtype=np.bool_)
    require_two_classes(labels, where="The table")
    return labels


def require_two_classes(labels: NDArray[np.bool_], *, where: str) -> None:
    """Refuse labels of one class, from which no model can learn.

    Args:
        labels: True for potentially hazardous, shape ``(n,)``.
        where: subject of the error's sentence, such as "The test part".

    Raises:
        DataError: all or none of the asteroids are hazardous.
    """
    require_both_classes(int(labels.sum()), labels.size, where=where)


def require_both_classes(n_hazardous: int, n_rows: int, *, where: str) -> None:
    """Refuse a number of hazardous rows that is none or all of the rows, as `require_two_classes` does.

    Raises:
        DataError: all or none of the asteroids are hazardous.
    """
    if n_hazardous in (0, n_rows):
        only = "hazardous" if n_hazardous else "harmless"
        raise DataError(
            f"{where} has only {only} asteroids among its {n_rows} row{'s' * (n_rows != 1)}.",
            hint="Use a table with both classes, or larger shares for the split.",
            rows=n_rows,
            hazardous=n_hazardous,
        )
