"""What features are called, and what a step of 1 in one of them is."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asteroid_ll.neo.features import FittedFeatures
    from asteroid_ll.report.columns import ColumnLike

_UNITS = {"au": "au", "deg": "deg", "mag": "mag", "km": "km", "jd": "JD", "d": "d"}


def variable_column(name: str) -> ColumnLike:
    """How a variable of a piecewise-linear set is called: as the table's column, or by its own name and unit."""
    from asteroid_ll.neo.table import lookup
    from asteroid_ll.report.columns import PlainColumn

    column = lookup(name)
    if column is not None:
        return column
    words = name.split("_")
    if words[0] == "ln":
        return PlainColumn(name, "ln au", f"ln of {' '.join(words[1:]).replace('moid', 'MOID')}")
    unit = _UNITS.get(words[-1], "")
    title = " ".join(words[:-1] if unit else words)
    return PlainColumn(name, unit, title[:1].upper() + title[1:])


def feature_steps(features: FittedFeatures) -> list[str]:
    """What a step of 1 is, a text a column of the matrix: a unit, or the ramp from one knot to the next."""
    if features.knots:
        return [
            f"from {low:.5g} to {high:.5g} {variable_column(name).unit}".rstrip()
            for name, knots in features.knots.items()
            for low, high in pairwise(knots)
        ]
    return [f"1 {variable_column(name).unit}".rstrip() for name in features.columns]
