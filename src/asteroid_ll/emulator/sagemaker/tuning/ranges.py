"""The hyperparameters that a tuning job searches: their ranges, scales and values as text.

A combination of hyperparameters is a point of the unit cube with one coordinate per range. `Space.values` turns a
point into the texts that a training job gets, and `Space.encode` turns texts into the features of a regression.

Source: the SageMaker developer guide, "Define Hyperparameter Ranges". AWS does not publish how its scale ``Auto``
decides. Here it is logarithmic for a positive range whose ends differ at least by the factor 100, else linear.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

LINEAR, LOGARITHMIC, REVERSE_LOGARITHMIC, AUTO = "Linear", "Logarithmic", "ReverseLogarithmic", "Auto"
_LOGARITHMIC_FROM = 100.0


@dataclass(frozen=True)
class NumberRange:
    """A continuous or an integer hyperparameter.

    Attributes:
        name: the hyperparameter.
        low: the smallest value.
        high: the largest value.
        is_integer: whether only whole numbers are searched.
        scaling: ``Linear``, ``Logarithmic``, ``ReverseLogarithmic`` or ``Auto``.
    """

    name: str
    low: float
    high: float
    is_integer: bool = False
    scaling: str = AUTO

    @cached_property
    def scale(self) -> str:
        """The scale, with ``Auto`` decided."""
        if self.scaling != AUTO:
            return self.scaling
        return LOGARITHMIC if self.low > 0 and self.high / self.low >= _LOGARITHMIC_FROM else LINEAR

    @property
    def n_values(self) -> float:
        """The number of values; infinite for a continuous range."""
        if self.is_integer:
            return self.high - self.low + 1
        return math.inf if self.high > self.low else 1

    def at(self, unit: float) -> str:
        """Return the value at a coordinate between 0 and 1. Each whole number has its own part of the interval."""
        start, stop = self._ends
        value = self._unscaled(start + unit * (stop - start))
        value = min(max(math.floor(value) if self.is_integer else value, self.low), self.high)
        return str(int(value)) if self.is_integer else repr(float(value))

    def encode(self, text: str) -> tuple[float, ...]:
        """Return a value's coordinate; for a whole number the middle of its part on the scale of the values."""
        start, stop = self._ends
        value = float(text) + (0.5 if self.is_integer else 0.0)
        return ((self._scaled(value) - start) / (stop - start) if stop > start else 0.5,)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return self._scaled(self.low), self._scaled(self.high + (1 if self.is_integer else 0))

    def _scaled(self, value: float) -> float:
        if self.scale == LOGARITHMIC:
            return math.log(value)
        return -math.log1p(-value) if self.scale == REVERSE_LOGARITHMIC else value

    def _unscaled(self, scaled: float) -> float:
        if self.scale == LOGARITHMIC:
            return math.exp(scaled)
        return -math.expm1(-scaled) if self.scale == REVERSE_LOGARITHMIC else scaled


@dataclass(frozen=True)
class CategoryRange:
    """A categorical hyperparameter.

    Attributes:
        name: the hyperparameter.
        texts: its values.
    """

    name: str
    texts: tuple[str, ...]

    @property
    def n_values(self) -> float:
        """The number of values."""
        return len(self.texts)

    def at(self, unit: float) -> str:
        """Return the value at a coordinate between 0 and 1; each value has an equal part of the interval."""
        return self.texts[min(int(unit * len(self.texts)), len(self.texts) - 1)]

    def encode(self, text: str) -> tuple[float, ...]:
        """Return one indicator per value, so that two different values have the distance 1."""
        return tuple(math.sqrt(0.5) * (text == other) for other in self.texts)


@dataclass(frozen=True)
class Space:
    """All combinations of the hyperparameters that a tuning job searches.

    Attributes:
        ranges: a range per hyperparameter.
    """

    ranges: tuple[NumberRange | CategoryRange, ...]

    @property
    def n_combinations(self) -> float:
        """The number of different combinations; infinite with a continuous range."""
        return math.prod(searched.n_values for searched in self.ranges)

    @property
    def feature_groups(self) -> list[int]:
        """The number of the range that each feature of `encode` belongs to."""
        return [
            number
            for number, searched in enumerate(self.ranges)
            for _ in range(len(searched.texts) if isinstance(searched, CategoryRange) else 1)
        ]

    def values(self, point: Sequence[float]) -> dict[str, str]:
        """Return the hyperparameters at a point, one coordinate between 0 and 1 per range."""
        return {searched.name: searched.at(unit) for searched, unit in zip(self.ranges, point, strict=True)}

    def encode(self, values: Mapping[str, str]) -> list[float]:
        """Return the features of hyperparameters: a coordinate per number, an indicator per category."""
        return [feature for searched in self.ranges for feature in searched.encode(values[searched.name])]

    def combinations(self) -> Iterator[dict[str, str]]:
        """Yield all combinations of a space without continuous ranges; the last range changes fastest."""
        names = [searched.name for searched in self.ranges]
        texts = [
            searched.texts
            if isinstance(searched, CategoryRange)
            else [str(value) for value in range(int(searched.low), int(searched.high) + 1)]
            for searched in self.ranges
        ]
        return (dict(zip(names, combination, strict=True)) for combination in itertools.product(*texts))


def read_space(ranges: Mapping[str, Any]) -> Space:
    """Return the space of a request's ``ParameterRanges``; the ranges must be valid."""
    categories = [CategoryRange(one["Name"], tuple(one["Values"])) for one in ranges["CategoricalParameterRanges"]]
    numbers = [
        NumberRange(one["Name"], float(one["MinValue"]), float(one["MaxValue"]), is_integer, one["ScalingType"])
        for kind, is_integer in (("IntegerParameterRanges", True), ("ContinuousParameterRanges", False))
        for one in ranges[kind]
    ]
    return Space((*categories, *numbers))
