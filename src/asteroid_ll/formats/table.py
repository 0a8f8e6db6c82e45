"""Tables in files: typed columns in a ``.npz`` archive, or CSV.

An archive has one numpy array per column, in the table's order. It is exact for float64, and the same table gives the
same bytes. Columns are written and read one at a time, texts in blocks of rows, so a table need not fit in memory.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from asteroid_ll.errors import DataError
from asteroid_ll.formats.columns import Batches, Columns, text_column
from asteroid_ll.run.atomic import atomic_path
from asteroid_ll.run.csv_text import Lines, safe
from asteroid_ll.run.files import AGAIN

_BLOCK_ROWS = 1 << 16
_SUFFIX = ".npy"


def save_table(path: Path, table: Columns) -> None:
    """Write a table: numbers and booleans unchanged, texts as fixed-width unicode.

    The bytes are those of ``numpy.savez`` for the same arrays.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in table.columns:
            column = table[name]
            with archive.open(f"{name}{_SUFFIX}", "w", force_zip64=True) as member:
                if column.dtype.kind in "biuf":
                    values = np.ascontiguousarray(column.to_numpy())
                    _write_header(member, values.dtype, len(values))
                    member.write(values.data)
                else:
                    _write_texts(member, column.to_numpy(dtype=object))


def _write_texts(member: IO[bytes], texts: npt.NDArray[Any]) -> None:
    blocks = [slice(start, start + _BLOCK_ROWS) for start in range(0, len(texts), _BLOCK_ROWS)]
    first = texts[:_BLOCK_ROWS].astype(str)
    dtype = max((first.dtype, *(texts[block].astype(str).dtype for block in blocks[1:])), key=lambda d: d.itemsize)
    _write_header(member, dtype, len(texts))
    member.write(first.astype(dtype).data)
    for block in blocks[1:]:
        member.write(texts[block].astype(dtype).data)


def _write_header(member: IO[bytes], dtype: np.dtype[Any], n_rows: int) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (n_rows,)}
    np.lib.format.write_array_header_1_0(member, header)


class StoredTable:
    """A table that `save_table` wrote. Each access to a column reads it from the file.

    Args:
        path: the archive.

    Raises:
        DataError: the file is missing or damaged; also when a column is read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._archive() as archive:
            names = archive.namelist()
            self._columns = tuple(name.removesuffix(_SUFFIX) for name in names)
            sizes = set()
            for name in names:
                with archive.open(name) as member:
                    sizes.add(_read_header(member)[1])
            if len(sizes) > 1:
                raise ValueError("its columns differ in length")
        self._n_rows = sizes.pop() if sizes else 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return self._columns

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._n_rows

    def __getitem__(self, name: str, /) -> pd.Series:
        """Return a column.

        Raises:
            KeyError: the table has no such column.
        """
        if name not in self._columns:
            raise KeyError(name)
        with self._archive() as archive, archive.open(f"{name}{_SUFFIX}") as member:
            dtype, n_rows = _read_header(member)
            if dtype.kind == "U" and n_rows > _BLOCK_ROWS:
                texts = np.empty(n_rows, dtype=object)
                for start in range(0, n_rows, _BLOCK_ROWS):
                    n_block = min(_BLOCK_ROWS, n_rows - start)
                    texts[start : start + n_block] = _read_values(member, dtype, n_block)
                return text_column(texts, name=name)
            return pd.Series(_read_values(member, dtype, n_rows), name=name)

    @contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                yield archive
        except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as e:
            raise DataError(f"{self._path} cannot be read: {e}.", hint=AGAIN) from e


def _read_header(member: IO[bytes]) -> tuple[np.dtype[Any], int]:
    """Return the type and the number of values of an array in an archive."""
    if np.lib.format.read_magic(member) != (1, 0):
        raise ValueError("a column is not an array of numpy's format 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    if len(shape) != 1 or dtype.kind not in "biufU":
        raise ValueError("a column is not a list of numbers, truth values or texts")
    return dtype, shape[0]


def _read_values(member: IO[bytes], dtype: np.dtype[Any], n_values: int) -> npt.NDArray[Any]:
    values = np.empty(n_values, dtype)
    buffer = values.view(np.uint8).data if dtype.itemsize else memoryview(b"")
    at = 0
    while at < len(buffer):
        block = member.read(min(1 << 20, len(buffer) - at))
        if not block:
            raise EOFError("a column ends early")
        buffer[at : at + len(block)] = block
        at += len(block)
    return values


def load_table(path: Path) -> pd.DataFrame:
    """Return a table that `save_table` wrote, as a whole.

    Raises:
        DataError: the file is missing or damaged.
    """
    table = StoredTable(path)
    return pd.DataFrame({name: table[name] for name in table.columns})


def write_csv(path: Path, table: pd.DataFrame | Batches) -> None:
    """Write a table as CSV with a header, floats at full precision, and no text that a spreadsheet would execute."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for number, batch in enumerate([table] if isinstance(table, pd.DataFrame) else table.batches()):
            texts = {name: batch[name].map(safe) for name in batch.columns if batch[name].dtype.kind not in "biuf"}
            batch.assign(**texts).to_csv(Lines(file.write), index=False, header=not number, lineterminator="\r\n")
