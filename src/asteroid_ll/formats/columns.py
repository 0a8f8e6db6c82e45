"""Tables that give one column at a time, so that a table larger than memory can be read and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

Change = Callable[[pd.Series], pd.Series]
"""Gives a column other values, the same number in the same order."""


class Columns(Protocol):
    """A table whose columns are read one at a time, each perhaps from disk. A DataFrame is one."""

    @property
    def columns(self) -> Iterable[Any]:
        """Names of the columns, in the table's order."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, name: str, /) -> pd.Series:
        """Return a column, its rows numbered from 0."""


class Batches(Columns, Protocol):
    """A table that also gives all columns of a block of rows."""

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield the table in blocks of rows."""


class Selected:
    """Some rows and columns of a table, with other names and values, made when a column is read.

    Args:
        table: the table.
        rows: True for the rows to keep, or the row numbers in the order to have; None for all rows.
        columns: name in ``table`` of each column to have, by its new name; None for all columns.
        changes: changes of the values, by name in ``table``.
    """

    def __init__(
        self,
        table: Columns,
        *,
        rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | None = None,
        columns: Mapping[str, str] | None = None,
        changes: Mapping[str, Change] | None = None,
    ) -> None:
        self._table = table
        self._rows = rows
        self._columns = dict(columns) if columns is not None else {str(name): str(name) for name in table.columns}
        self._changes = changes or {}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self._columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        if self._rows is None:
            return len(self._table)
        return int(np.count_nonzero(self._rows)) if self._rows.dtype == np.bool_ else len(self._rows)

    def __getitem__(self, name: str, /) -> pd.Series:
        """Return a column."""
        return self._changed(self._table[self._columns[name]], name, self._rows)

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield blocks of rows of a table that has ``batches``; the rows must be selected by truth values."""
        start = 0
        for batch in self._table.batches():  # type: ignore[attr-defined]
            stop = start + len(batch)
            rows = None if self._rows is None else self._rows[start:stop]
            names = self._columns.items()
            yield pd.DataFrame({name: self._changed(batch[column], name, rows) for name, column in names})
            start = stop

    def _changed(self, values: pd.Series, name: str, rows: npt.NDArray[Any] | None) -> pd.Series:
        if rows is not None:
            values = values[rows].reset_index(drop=True) if rows.dtype == np.bool_ else values.take(rows)
        change = self._changes.get(self._columns[name])
        return (values if change is None else change(values)).rename(name)


def text_column(texts: npt.NDArray[np.object_], *, name: str) -> pd.Series:
    """Return texts as a column of the type that pandas gives them by default."""
    return pd.Series(texts, dtype=pd.Series([""]).dtype, name=name)
