"""The cells of a column as numbers, and the reason for each cell that is not one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.scoring.grid import Cells

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Spellings of an absent value, in lower case."""

_MAX_FLOAT32 = float(np.finfo(np.float32).max)
MAX_SHOWN = 40
"""Characters of a cell in a message."""


def finite_numbers(values: Sequence[object]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a column as numbers, NaN for a cell that is not a number, and which of them are finite in float32.

    Args:
        values: texts, numbers or None.
    """
    if isinstance(values, Cells):
        column, is_read = values.decimals()
        others = np.flatnonzero(~is_read)
        column[others] = _numbers([values[row] for row in others.tolist()])
    else:
        column = _numbers(values)
    with np.errstate(invalid="ignore"):
        return column, np.abs(column) <= _MAX_FLOAT32


def refusal(name: str, value: object) -> str:
    """Return why the cell of a column is not a finite float32, such as ``moid_au is not a number: 'far'``."""
    shown = str(value)[:MAX_SHOWN]
    if is_missing(value):
        return f"{name} has no value"
    if math.isnan(as_number(value)):
        return f"{name} is not a number: {shown!r}"
    return f"{name} is too large for float32: {shown}"


def as_number(value: object) -> float:
    """Return a cell's number, NaN if it is not one; Python's ``1_000`` is not."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or "_" in str(value):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def is_missing(value: object) -> bool:
    """Return whether a cell is None or spells an absent value."""
    return value is None or str(value).strip().lower() in MISSING


def _numbers(values: Sequence[object]) -> NDArray[np.float64]:
    """Return values as numbers, NaN for one that is not a number."""
    if not any(isinstance(value, bool) or (isinstance(value, str) and "_" in value) for value in values):
        with suppress(TypeError, ValueError, OverflowError):
            return np.array(values, dtype=object).astype(np.float64)
    return np.array([as_number(value) for value in values], dtype=np.float64)
