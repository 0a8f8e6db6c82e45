"""The numbers of a table: what each column holds, how the classes are shared out, which columns say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.report.columns import ColumnLike, PlainColumn

if TYPE_CHECKING:
    import pandas as pd

EXACT = 1e-9
"""How near to 1 the absolute correlation of unit copies comes: a decimal file rounds each of them on its own."""


@dataclass(frozen=True)
class ColumnSummary:
    """One column in numbers.

    Attributes:
        name: the name in code.
        title: the name for people; the name in code where there is none.
        unit: empty for a number without a unit and for text.
        dtype: as pandas names it.
        missing: rows without a value.
        distinct: different values, missing ones not counted.
        minimum: smallest value; None for text and for a column without values.
        median: middle value, None likewise.
        maximum: largest value, None likewise.
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
    """A table in numbers.

    Attributes:
        n_rows: rows.
        columns: one summary a column, in the table's order.
        n_positive: rows whose label is 1; None where no label was named.
        identical_pairs: pairs of column names whose absolute correlation is 1 (see `EXACT`), in the table's order.
        correlated_columns: names of the columns that vary, as rows and columns of ``correlation``.
        correlation: Pearson's r, shape ``(n, n)``; NaN where two columns never have a value in the same row.
    """

    n_rows: int
    columns: tuple[ColumnSummary, ...]
    n_positive: int | None
    identical_pairs: tuple[tuple[str, str], ...]
    correlated_columns: tuple[str, ...]
    correlation: NDArray[np.float64]

    @property
    def redundant_columns(self) -> tuple[str, ...]:
        """Names of the columns that repeat an earlier one, up to unit and sign."""
        return tuple(dict.fromkeys(later for _, later in self.identical_pairs))

    def to_json(self) -> dict[str, Any]:
        """Everything by name, plain enough for JSON; a correlation that is not defined is None."""
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


def summarise(
    table: pd.DataFrame, columns: Mapping[str, ColumnLike] | Sequence[ColumnLike] = (), *, label: str | None = None
) -> TableSummary:
    """Describe a table.

    Args:
        table: one asteroid (or close approach) a row.
        columns: units and titles of the columns, in any order; a column that is not among them has neither.
        label: name of the 0/1 column, which also takes part in the correlations.

    Raises:
        DataError: the table has no rows, or no column ``label``.
    """
    if len(table) == 0:
        raise DataError("The table has no rows.", hint="Fetch it again: asteroid-ll fetch --force.")
    if label is not None and label not in table.columns:
        raise DataError(
            f"The table has no column {label!r}.", hint=f"Its columns are: {', '.join(map(str, table.columns))}."
        )
    known = {column.name: column for column in (columns.values() if isinstance(columns, Mapping) else columns)}
    names = [str(name) for name in table.columns]
    numeric = [name for name in names if table[name].dtype.kind in "biuf"]
    values = (
        np.column_stack([table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in numeric])
        if numeric
        else None
    )
    statistics = {} if values is None else dict(zip(numeric, _statistics(values), strict=True))
    varying = [name for name in numeric if statistics[name][0] != statistics[name][2]]
    chosen = [] if values is None else [numeric.index(name) for name in varying]
    matrix = np.empty((0, 0)) if values is None or not chosen else correlate(values[:, chosen])
    return TableSummary(
        n_rows=len(table),
        columns=tuple(
            _column(table, known.get(name, PlainColumn(name)), numbers=statistics.get(name)) for name in names
        ),
        n_positive=None if label is None else int(np.count_nonzero(table[label].to_numpy() == 1)),
        identical_pairs=_identical(matrix, varying),
        correlated_columns=tuple(varying),
        correlation=matrix,
    )


def correlate(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's r of all pairs of columns, each over the rows where both have a value.

    Args:
        values: shape ``(n_rows, n_columns)``, NaN where a value is missing.

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


def _statistics(values: NDArray[np.float64]) -> list[tuple[float | None, float | None, float | None]]:
    """Minimum, median and maximum of each column's finite values, None for a column without any."""
    columns: list[tuple[float | None, float | None, float | None]] = []
    for column in values.T:
        finite = column[np.isfinite(column)]
        if finite.size:
            columns.append((float(finite.min()), float(np.median(finite)), float(finite.max())))
        else:
            columns.append((None, None, None))
    return columns


def _column(
    table: pd.DataFrame, column: ColumnLike, *, numbers: tuple[float | None, float | None, float | None] | None
) -> ColumnSummary:
    series = table[column.name]
    minimum, median, maximum = numbers or (None, None, None)
    return ColumnSummary(
        name=column.name,
        title=column.title or column.name,
        unit=column.unit,
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
