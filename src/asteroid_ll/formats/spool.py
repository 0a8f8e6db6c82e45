"""A table on its way: batches of rows go to a file without a name, and come back as whole columns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asteroid_ll.formats.columns import text_column


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
