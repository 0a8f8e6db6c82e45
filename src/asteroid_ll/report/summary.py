"""A summary of a table: its first rows, statistics of each column, the class balance, duplicates, correlations.

The columns are read one at a time, because a table can be larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.shape import Shape, shape_of
from asteroid_ll.formats.columns import Columns
from asteroid_ll.neo.table import lookup

EXACT = 1e-9
"""Largest distance from 1 of the absolute correlation of duplicates in other units, rounded separately in a file."""

HEAD = 5
"""Number of rows that a summary shows."""

_MOST_COUNTED = 12  # different values of a column whose values are counted
_HELD_BYTES = 5 << 27  # of the columns that are correlated with each other at once: all, or two groups
_ROWS_AT_ONCE = 1 << 16

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """What describes the finite values of a column of numbers.

    Attributes:
        mean: arithmetic mean.
        deviation: standard deviation of the sample; None for one value.
        minimum: smallest value.
        lower_quartile: a quarter of the values is below it, by linear interpolation.
        median: middle value.
        upper_quartile: a quarter of the values is above it.
        maximum: largest value.
        shape: the shape of the histogram; None for few values.
    """

    mean: float
    deviation: float | None
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float
    shape: Shape | None

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        return {**asdict(self), "shape": None if self.shape is None else self.shape.to_json()}


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
        statistics: of its values; None for text and for a column without values.
        counts: how often each value occurs, the most frequent first; empty if there are many values.
    """

    name: str
    title: str
    unit: str
    dtype: str
    missing: int
    distinct: int
    statistics: Statistics | None
    counts: tuple[tuple[Any, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values, the statistics of a column without any as None."""
        nothing = dict.fromkeys(field.name for field in fields(Statistics))
        statistics = nothing if self.statistics is None else self.statistics.to_json()
        values = {name: value for name, value in vars(self).items() if name != "statistics"}
        counts = [{"value": value, "count": count} for value, count in self.counts]
        return {**values, **statistics, "counts": counts}


@dataclass(frozen=True)
class TableSummary:
    """Statistics of a table.

    Attributes:
        n_rows: number of rows.
        columns: one summary per column, in the table's order.
        head: the first rows, one mapping of values by name per row; None for a missing value.
        n_positive: number of rows whose label is 1; None without a label.
        identical_pairs: pairs of column names whose absolute correlation is 1 (see `EXACT`), in the table's order.
        correlated_columns: names of the columns that vary, in the order of ``correlation``.
        correlation: Pearson's r, shape ``(n, n)``; NaN for two columns without a shared row.
    """

    n_rows: int
    columns: tuple[ColumnSummary, ...]
    head: tuple[dict[str, Any], ...]
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
            "head": list(self.head),
            "columns": [column.to_json() for column in self.columns],
            "class": None
            if self.n_positive is None
            else {"n_positive": self.n_positive, "share_positive": self.n_positive / self.n_rows},
            "identical_pairs": [list(pair) for pair in self.identical_pairs],
            "correlation": {
                "columns": list(self.correlated_columns),
                "r": [[None if np.isnan(r) else r for r in row] for row in self.correlation.tolist()],
            },
        }


def summarise(table: Columns, *, label: str | None = None) -> TableSummary:
    """Summarise a table.

    Args:
        table: one asteroid or close approach per row.
        label: name of the 0/1 column, which also takes part in the correlations.

    Raises:
        DataError: the table has no rows, or no column ``label``.
    """
    names = [str(name) for name in table.columns]
    if len(table) == 0:
        raise DataError("The table has no rows.", hint="asteroid-ll fetch --force   fetches it again.")
    if label is not None and label not in names:
        raise DataError(f"The table has no column {label!r}.", hint=f"Its columns are: {', '.join(names)}.")
    columns, heads, n_positive = [], {}, None
    for name in names:
        series = table[name]
        columns.append(_column(series, name))
        heads[name] = [_plain(value) for value in series.iloc[:HEAD].tolist()]
        if name == label:
            n_positive = int(np.count_nonzero(series.to_numpy() == 1))
    varying = {
        column.name: column.statistics
        for column in columns
        if column.statistics is not None and column.statistics.minimum != column.statistics.maximum
    }
    matrix = correlate(table, varying)
    return TableSummary(
        n_rows=len(table),
        columns=tuple(columns),
        head=tuple(dict(zip(heads, row, strict=True)) for row in zip(*heads.values(), strict=True)),
        n_positive=n_positive,
        identical_pairs=_identical(matrix, list(varying)),
        correlated_columns=tuple(varying),
        correlation=matrix,
    )


def correlate(table: Columns, statistics: Mapping[str, Statistics]) -> Floats:
    """Return Pearson's r of all pairs of columns, each over the rows in which both have a value.

    Args:
        table: the table.
        statistics: those of each column, by name; no column is constant.

    Returns:
        Symmetric, shape ``(n_columns, n_columns)``; NaN for a column that does not vary over the shared rows.
    """
    names = list(statistics)
    n_shared, first, squares, products = np.zeros((4, len(names), len(names)))
    for own, other, mine, theirs in _pairs_of_groups(table, statistics):
        for start in range(0, len(table), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            z, weight = _filled(mine[:, rows])
            y, other_weight = (z, weight) if theirs is mine else _filled(theirs[:, rows])
            n_shared[own, other] += weight @ other_weight.T
            products[own, other] += z @ y.T
            first[own, other] += z @ other_weight.T
            squares[own, other] += (z * z) @ other_weight.T
            if theirs is not mine:
                first[other, own] += y @ weight.T
                squares[other, own] += (y * y) @ weight.T
        n_shared[other, own], products[other, own] = n_shared[own, other].T, products[own, other].T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = n_shared * squares - first**2
        r = (n_shared * products - first * first.T) / np.sqrt(spread * spread.T)
    flat = (spread <= 1e-12 * n_shared**2) | (n_shared < 2)
    return np.where(flat | flat.T, np.nan, np.clip(r, -1.0, 1.0))


def _pairs_of_groups(
    table: Columns, statistics: Mapping[str, Statistics]
) -> Iterator[tuple[slice, slice, Floats, Floats]]:
    """Yield the places and the scaled values of two groups of columns, each pair once. A column is a row there."""
    at_once = _HELD_BYTES // (8 * len(table))
    size = max(1, at_once if at_once >= len(statistics) else at_once // 2)
    groups = [slice(start, start + size) for start in range(0, len(statistics), size)]
    for number, own in enumerate(groups):
        mine = _scaled(table, statistics, own)
        yield own, own, mine, mine
        for other in groups[number + 1 :]:
            yield own, other, mine, _scaled(table, statistics, other)


def _scaled(table: Columns, statistics: Mapping[str, Statistics], chosen: slice) -> Floats:
    """Return columns as rows, centred and scaled: sums of squares of raw Julian dates would cancel to noise."""
    items = list(statistics.items())[chosen]
    values = np.empty((len(items), len(table)))
    for row, (name, item) in zip(values, items, strict=True):
        np.subtract(table[name].to_numpy(dtype=np.float64, na_value=np.nan), item.mean, out=row)
        row /= item.deviation or 1.0
    return values


def _filled(values: Floats) -> tuple[Floats, Floats]:
    """Return the values with zeros for missing ones, and 1 for a value or 0 for a missing one."""
    present = np.isfinite(values)
    return np.where(present, values, 0.0), present.astype(np.float64)


def _column(series: pd.Series[Any], name: str) -> ColumnSummary:
    column, is_number = lookup(name), series.dtype.kind in "biuf"
    missing = int(series.isna().sum())
    counts: tuple[tuple[Any, int], ...] = ()
    statistics = None
    if is_number:
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        values = np.sort(values[np.isfinite(values)])
        distinct, statistics = _n_distinct(values), _statistics(values)
    else:
        # Two texts of a hundred million have the same 64 bits with a probability of 0.03 %.
        hashes = np.sort(pd.util.hash_array(series.dropna().to_numpy(dtype=object), categorize=False))
        distinct = _n_distinct(hashes)
    if distinct <= _MOST_COUNTED:
        counts = tuple((_plain(value), int(count)) for value, count in series.value_counts().items())
    return ColumnSummary(
        name=name,
        title=column.title if column else name,
        unit=column.unit if column else "",
        dtype=str(series.dtype),
        missing=missing,
        distinct=distinct,
        statistics=statistics,
        counts=counts,
    )


def _n_distinct(values: NDArray[Any]) -> int:
    """Return the number of different values among ascending ones."""
    return int(np.count_nonzero(values[1:] != values[:-1])) + 1 if values.size else 0


def _statistics(values: Floats) -> Statistics | None:
    """Return the statistics of finite, ascending values; None if there are none."""
    if not values.size:
        return None
    lower, median, upper = np.percentile(values, (25, 50, 75)).tolist()
    return Statistics(
        mean=float(values.mean()),
        deviation=float(values.std(ddof=1)) if values.size > 1 else None,
        minimum=float(values[0]),
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        maximum=float(values[-1]),
        shape=shape_of(values),
    )


def _plain(value: Any) -> Any:
    """Return a value of a table as a JSON value; None if it is missing."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if value is None or value is pd.NA or value != value or value in (np.inf, -np.inf) else value


def _identical(correlation: NDArray[np.float64], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = np.argwhere(np.triu(np.abs(correlation) >= 1 - EXACT, 1)).tolist()
    return tuple((names[first], names[second]) for first, second in pairs)
