"""A batch of rows to score: the cells of a file as numbers, with an error for each row without usable numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.neo.cleaning import PLACEHOLDER_MAGNITUDE_MAG, WORST_UNCERTAINTY

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Spellings of an absent value, in lower case."""

_MAX_FLOAT32 = float(np.finfo(np.float32).max)
_MAX_SHOWN = 40


@dataclass(frozen=True)
class Batch:
    """Some rows, in the order of their source.

    Attributes:
        carried: columns that are copied to the output, such as identity and name, by their output name.
        inputs: canonical columns that the features are made of, float64; NaN in a row with an error.
        errors: the reason why a row cannot be scored, empty if it can, shape ``(n_rows,)`` like a carried column.
        first_row: number of the first row in its source, from 1.
        named_by: carried column whose value names a row in messages; if empty, the row's number is used.
    """

    carried: Mapping[str, Sequence[object]]
    inputs: pd.DataFrame
    errors: Sequence[str]
    first_row: int = 1
    named_by: str = ""

    def place(self, n: int) -> str:
        """Return the name of the batch's row ``n`` (0-based) in messages."""
        return str(self.carried[self.named_by][n]) if self.named_by else f"Data row {self.first_row + n}"


def batch_of(
    cells: Mapping[str, Sequence[object]],
    carried: Mapping[str, Sequence[object]],
    *,
    errors: Sequence[str],
    first_row: int = 1,
    named_by: str = "",
) -> Batch:
    """Make a batch from the cells of a file.

    Args:
        cells: cells of the input columns by canonical name: texts, numbers or None.
        carried: columns that are copied to the output.
        errors: the error of each row as a whole, empty for none.
        first_row: number of the first row in its source, from 1.
        named_by: see `Batch`.

    Returns:
        The batch. An unknown orbit uncertainty counts as the worst, as in the cleaned table.
    """
    row_errors = list(errors)
    columns = {}
    for name, values in cells.items():
        columns[name], reasons = numbers(name, values)
        for row, reason in reasons.items():
            row_errors[row] = row_errors[row] or reason
    return Batch(carried, pd.DataFrame(columns), row_errors, first_row, named_by)


def numbers(name: str, values: Sequence[object]) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Return a column as numbers, and the error of each row (0-based) without a usable number.

    Args:
        name: canonical name of the column.
        values: texts, numbers or None.
    """
    column = _all_numbers(values)
    if column is None:
        column = np.array([_number(value) for value in values], dtype=np.float64)
    if name == "orbit_uncertainty":
        column = np.where([_is_missing(value) for value in values], float(WORST_UNCERTAINTY), column)
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(column) <= _MAX_FLOAT32)
        if name == "absolute_magnitude_mag":
            bad |= column >= PLACEHOLDER_MAGNITUDE_MAG
    return column, {row: _reason(name, values[row]) for row in np.flatnonzero(bad).tolist()}


def _all_numbers(values: Sequence[object]) -> NDArray[np.float64] | None:
    """Return the values as numbers, or None if one is not a number; Python's ``1_000`` is not."""
    if any(isinstance(value, bool) or (isinstance(value, str) and "_" in value) for value in values):
        return None
    try:
        return np.array(values, dtype=object).astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _number(value: object) -> float:
    """Return a cell's number, NaN if it is not one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or "_" in str(value):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _is_missing(value: object) -> bool:
    return value is None or str(value).strip().lower() in MISSING


def _reason(name: str, value: object) -> str:
    shown = str(value)[:_MAX_SHOWN]
    if _is_missing(value):
        return f"{name} has no value"
    number = _number(value)
    if math.isnan(number):
        return f"{name} is not a number: {shown!r}"
    if abs(number) > _MAX_FLOAT32:
        return f"{name} is too large for float32: {shown}"
    return f"{name} is a placeholder: {shown}"
