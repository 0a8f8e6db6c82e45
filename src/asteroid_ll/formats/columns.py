"""Tables that give one column at a time, so that a table larger than memory can be read and changed.

A `Spool` is a table on its way: batches of rows go to a file without a name, and come back as whole columns.

Equal values of a long column are found by sorting, because a hash table of millions of texts waits for the memory most
of its time. Texts are sorted by hashes of 64 bits. Texts with equal hashes are compared, so the results are exact.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

_FEW = 1 << 18
"""Rows up to which a hash table is as fast, because it fits into the processor's cache."""

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


class Spool:
    """A table to which batches are appended. The file vanishes when the spool is closed, or its process ends.

    Args:
        directory: folder of the file; is created if it is missing.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by close
        self._places: dict[str, list[int]] = {}
        self._types: list[dict[str, np.dtype[Any] | None]] = []
        self._sizes: list[int] = []
        self._last: tuple[str, pd.Series] | None = None

    def append(self, batch: pd.DataFrame) -> None:
        """Append rows; every batch has the same columns."""
        self._sizes.append(len(batch))
        types: dict[str, np.dtype[Any] | None] = {}
        for name in batch.columns:
            self._places.setdefault(name, []).append(self._file.tell())
            column = batch[name]
            if column.dtype.kind in "biuf":
                values = np.ascontiguousarray(column.to_numpy())
                types[name] = values.dtype
                self._file.write(values.data)
            else:
                types[name] = None
                self._write_texts(column)
        self._types.append(types)
        self._last = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self._places)

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(self._sizes)

    def __getitem__(self, name: str, /) -> pd.Series:
        """Return a column. The last one is kept, because a column is often read several times in a row."""
        if self._last is None or self._last[0] != name:
            self._last = None
            self._last = (name, _column(self._whole(name), name))
        return self._last[1]

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield the batches as they were appended."""
        for number in range(len(self._sizes)):
            yield pd.DataFrame({name: _column(self._block(name, number), name) for name in self._places})

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _whole(self, name: str) -> npt.NDArray[Any]:
        if any(types[name] is None for types in self._types):
            texts = np.empty(len(self), dtype=object)
            start = 0
            for number, n_rows in enumerate(self._sizes):
                texts[start : start + n_rows] = self._block(name, number)
                start += n_rows
            return texts
        return np.concatenate([self._block(name, number) for number in range(len(self._sizes))])

    def _write_texts(self, column: pd.Series) -> None:
        """Write the lengths in bytes, -1 for an absent text, and the texts in UTF-8."""
        absent = column.isna().to_numpy()
        texts = column.fillna("") if absent.any() else column
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts.tolist()]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        lengths[absent] = -1
        self._file.write(lengths.data)
        self._file.write(b"".join(encoded))

    def _block(self, name: str, number: int) -> npt.NDArray[Any]:
        dtype, n_rows = self._types[number][name], self._sizes[number]
        self._file.seek(self._places[name][number])
        if dtype is not None:
            return np.frombuffer(self._file.read(n_rows * dtype.itemsize), dtype)
        lengths = np.frombuffer(self._file.read(8 * n_rows), np.int64)
        ends = np.cumsum(np.maximum(lengths, 0))
        data = self._file.read(int(ends[-1]) if n_rows else 0)
        text = data.decode("ascii") if data.isascii() else None
        places = pairwise([0, *ends.tolist()])
        if text is not None:
            texts = [text[start:end] for start, end in places]
        else:
            texts = [data[start:end].decode("utf-8", "surrogatepass") for start, end in places]
        block = np.empty(n_rows, dtype=object)
        block[:] = texts
        block[lengths < 0] = np.nan
        return block


def _column(values: npt.NDArray[Any], name: str) -> pd.Series:
    return text_column(values, name=name) if values.dtype == object else pd.Series(values, name=name)


def keys(values: pd.Series) -> npt.NDArray[np.uint64]:
    """Return a number per value, the same for equal values; absent ones are equal. Two texts can have one number."""
    if values.dtype.kind == "f":
        numbers = values.to_numpy(dtype=np.float64) + 0.0  # -0.0 is equal to 0.0
        numbers[np.isnan(numbers)] = np.nan
        return numbers.view(np.uint64)
    if values.dtype.kind in "biu":
        return values.to_numpy().astype(np.int64).view(np.uint64)
    return np.asarray(pd.util.hash_array(values.to_numpy(dtype=object), categorize=False))


def repeated(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the places of all numbers that occur more than once, those of one number side by side and ascending."""
    order, is_new = _sorted(numbers)
    is_repeated = ~(is_new & np.append(is_new[1:], True))
    # Number of the value in the upper half, place in the lower one: one sort of integers puts both in order.
    value_and_place = (np.cumsum(is_new)[is_repeated] << 32) | order[is_repeated]
    value_and_place.sort()
    return np.asarray(value_and_place & 0xFFFFFFFF)


def codes(values: pd.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the distinct values, in no particular order.

    Returns:
        The code of each row, and the first row of each code.
    """
    order, is_new = _sorted(keys(values)) if len(values) > _FEW else (None, None)
    if order is None or is_new is None or _clash(values, order, is_new):
        code, _ = pd.factorize(values.to_numpy(dtype=object), use_na_sentinel=False)
        return code, np.unique(code, return_index=True)[1]
    code = np.empty(len(order), np.int64)
    code[order] = np.cumsum(is_new) - 1
    starts = np.flatnonzero(is_new)
    return code, np.minimum.reduceat(order, starts) if len(starts) else starts


def n_distinct(values: pd.Series) -> int:
    """Return the number of distinct values, absent ones not counted."""
    if len(values) <= _FEW:
        return int(values.nunique())
    present = values.dropna() if values.dtype.kind not in "biu" else values
    if values.dtype.kind in "biuf":
        numbers = np.sort(keys(present))
        return int(np.count_nonzero(numbers[1:] != numbers[:-1])) + min(1, len(numbers))
    order, is_new = _sorted(keys(present))
    return int(present.nunique() if _clash(present, order, is_new) else np.count_nonzero(is_new))


def _sorted(numbers: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the places of the numbers in ascending order, and whether each of them differs from the one before."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    return order, np.concatenate([np.ones(min(1, len(order)), np.bool_), ordered[1:] != ordered[:-1]])


def _clash(values: pd.Series, order: npt.NDArray[np.int64], is_new: npt.NDArray[np.bool_]) -> bool:
    """Return whether two different texts have one key."""
    if values.dtype.kind in "biuf":
        return False
    texts = values.to_numpy(dtype=object)
    repeats = np.flatnonzero(~is_new)
    one, other = texts[order[repeats]], texts[order[repeats - 1]]
    return bool(((one != other) & ((one == one) | (other == other))).any())  # an absent text is NaN
