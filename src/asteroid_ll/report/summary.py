"""A summary of a table: statistics of each column, the class balance, duplicate columns, correlations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.neo.table import lookup

EXACT = 1e-9
"""Largest distance from 1 of the absolute correlation of duplicates in other units, rounded separately in a file."""

_Extent = tuple[float | None, float | None, float | None]
"""Minimum, median and maximum."""
_NO_EXTENT: _Extent = (None, None, None)


@dataclass(frozen=True)
class ColumnSummary:
    """Statistics of one column.

    Attributes:
        name: its name in the table.
        title: its title; the name if it has none.
        unit: empty for a number without a unit and for text.
        dtype: its type in pandas.
        missing: number of rows without a value.
        distinct: number of different values, missing ones not counted.
        minimum: smallest value; None for text and for a column without values.
        median: middle value, or None.
        maximum: largest value, or None.
    """

    name: str
    title: str
    unit: str
    dtype: str
    missing: int
    distinct: int
    minimum: float | None
    median: float | None
    maximum: float | None


@dataclass(frozen=True)
class TableSummary:
    """Statistics of a table.

    Attributes:
        n_rows: number of rows.
        columns: one summary per column, in the table's order.
        n_positive: number of rows whose label is 1; None without a label.
        identical_pairs: pairs of column names whose absolute correlation is 1 (see `EXACT`), in the table's order.
        correlated_columns: names of the columns that vary, in the order of ``correlation``.
        correlation: Pearson's r, shape ``(n, n)``; NaN for two columns without a shared row.
    """

    n_rows: int
    columns: tuple[ColumnSummary, ...]
    n_positive: int | None
    identical_pairs: tuple[tuple[str, str], ...]
    correlated_columns: tuple[str, ...]
    correlation: NDArray[np.float64]

    @property
    def redundant_columns(self) -> tuple[str, ...]:
        """Names of the columns that repeat an earlier one in another unit or sign."""
        return tuple(dict.fromkeys(later for _, later in self.identical_pairs))

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values; an undefined correlation is None."""
        return {
            "n_rows": self.n_rows,
            "n_columns": len(self.columns),
            "columns": [asdict(column) for column in self.columns],
            "class": None
            if self.n_positive is None
            else {"n_positive": self.n_positive, "share_positive": self.n_positive / self.n_rows},
            "identical_pairs": [list(pair) for pair in self.identical_pairs],
            "correlation": {
                "columns": list(self.correlated_columns),
                "r": [[None if np.isnan(r) else r for r in row] for row in self.correlation.tolist()],
            },
        }


def summarise(table: pd.DataFrame, *, label: str | None = None) -> TableSummary:
    """Summarise a table.

    Args:
        table: one asteroid or close approach per row.
        label: name of the 0/1 column, which also takes part in the correlations.

    Raises:
        DataError: the table has no rows, or no column ``label``.
    """
    if len(table) == 0:
        raise DataError("The table has no rows.", hint="asteroid-ll fetch --force   fetches it again.")
    if label is not None and label not in table.columns:
        raise DataError(
            f"The table has no column {label!r}.", hint=f"Its columns are: {', '.join(map(str, table.columns))}."
        )
    names = [str(name) for name in table.columns]
    numeric = [name for name in names if table[name].dtype.kind in "biuf"]
    values = {name: table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in numeric}
    extents = {name: _extent(column) for name, column in values.items()}
    varying = [name for name in numeric if extents[name][0] != extents[name][2]]
    matrix = correlate(np.column_stack([values[name] for name in varying])) if varying else np.empty((0, 0))
    return TableSummary(
        n_rows=len(table),
        columns=tuple(_column(table, name, extent=extents.get(name, _NO_EXTENT)) for name in names),
        n_positive=None if label is None else int(np.count_nonzero(table[label].to_numpy() == 1)),
        identical_pairs=_identical(matrix, varying),
        correlated_columns=tuple(varying),
        correlation=matrix,
    )


def correlate(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's r of all pairs of columns, each over the rows in which both have a value.

    Args:
        values: shape ``(n_rows, n_columns)``, NaN for a missing value.

    Returns:
        Symmetric, shape ``(n_columns, n_columns)``; NaN for a column that does not vary over the shared rows.
    """
    present = np.isfinite(values)
    counts = np.maximum(present.sum(axis=0), 1)
    filled = np.where(present, values, 0.0)
    # Centred and scaled before the products: sums of squares of raw Julian dates would cancel to noise.
    centred = np.where(present, values - filled.sum(axis=0) / counts, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / counts)
    z = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)
    weight = present.astype(np.float64)
    n_shared, first, squares = weight.T @ weight, z.T @ weight, (z**2).T @ weight
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = n_shared * squares - first**2
        r = (n_shared * (z.T @ z) - first * first.T) / np.sqrt(spread * spread.T)
    flat = (spread <= 1e-12 * n_shared**2) | (n_shared < 2)
    return np.where(flat | flat.T, np.nan, np.clip(r, -1.0, 1.0))


def _extent(values: NDArray[np.float64]) -> _Extent:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(np.median(finite)), float(finite.max())) if finite.size else _NO_EXTENT


def _column(table: pd.DataFrame, name: str, *, extent: _Extent) -> ColumnSummary:
    series, column = table[name], lookup(name)
    minimum, median, maximum = extent
    return ColumnSummary(
        name=name,
        title=column.title if column else name,
        unit=column.unit if column else "",
        dtype=str(series.dtype),
        missing=int(series.isna().sum()),
        distinct=int(series.nunique()),
        minimum=minimum,
        median=median,
        maximum=maximum,
    )


def _identical(correlation: NDArray[np.float64], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = np.argwhere(np.triu(np.abs(correlation) >= 1 - EXACT, 1)).tolist()
    return tuple((names[first], names[second]) for first, second in pairs)
