"""Titles and units of columns, of variables derived from them, and of features."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.neo.table import lookup

_UNITS = {"au": "au", "deg": "deg", "mag": "mag", "km": "km", "jd": "JD", "d": "d"}


@dataclass(frozen=True)
class Quantity:
    """A quantity on an axis.

    Attributes:
        title: its title, such as ``Earth MOID``.
        unit: its unit, such as ``au``; empty for a pure number.
    """

    title: str
    unit: str = ""

    @property
    def label(self) -> str:
        """Title and unit, such as ``Earth MOID (au)``."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def quantity(name: str) -> Quantity:
    """Return the quantity of a column in any spelling, or of a derived variable such as ``ln_moid``."""
    column = lookup(name)
    if column is not None:
        return Quantity(column.title, column.unit)
    words = name.split("_")
    if words[0] == "ln":
        return Quantity(f"ln of {' '.join(words[1:]).replace('moid', 'MOID')}", "ln au")
    unit = _UNITS.get(words[-1], "")
    title = " ".join(words[:-1] if unit else words)
    return Quantity(title[:1].upper() + title[1:], unit)


def feature_steps(features: FittedFeatures) -> list[str]:
    """Return the meaning of a step of 1 in each feature: a unit, or the ramp from one knot to the next."""
    if features.knots:
        return [
            f"from {low:.5g} to {high:.5g} {quantity(name).unit}".rstrip()
            for name, knots in features.knots.items()
            for low, high in pairwise(knots)
        ]
    return [f"1 {quantity(name).unit}".rstrip() for name in features.columns]
