"""Opens CSV files, stdin and Parquet files, and reads their rows a bounded number at a time."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import os
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.reading import refuse_other_formats
from asteroid_ll.scoring.grid import MAX_WIDTH, Grid, grid_of

MAX_LINE_CHARACTERS = 1 << 20
"""Longest line of most CSV files: bounds the memory for a file without line ends."""

STDIN = Path("-")
_PIECE_BYTES, _BLOCK_PIECE_BYTES = 1 << 16, 1 << 18
"""Bytes that are read at once for a line, and for a block of lines."""

_MAX_BLOCK_BYTES = 1 << 27
_PARQUET_SUFFIXES = (".parquet", ".pq")


def is_parquet(path: Path) -> bool:
    """Return whether the name of a file is that of a Parquet file."""
    return path.suffix.lower() in _PARQUET_SUFFIXES


class Lines:
    """The lines of a text in UTF-8, which end in LF, CR LF or CR: one by one, or a block of them as bytes.

    Attributes:
        number: number of lines that were read.
        limit: characters of the longest line.
    """

    def __init__(self, file: io.BufferedReader | gzip.GzipFile, *, shown: str, limit: int) -> None:
        self.number, self.limit = 0, limit
        self._file, self._shown = file, shown
        self._unread, self._at = b"", 0
        self._block_bytes = 0
        self._split: list[str] = []
        self._failure: Exception | None = None
        while len(self._unread) < len(BOM_UTF8) and self._fill():
            pass
        self._unread = self._unread.removeprefix(BOM_UTF8)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return the next line, with its end.

        Raises:
            DataError: the line cannot be read, is too long or is not UTF-8.
        """
        if not self._split:
            self._split = self._next_lines()
        if not self._split:
            raise StopIteration
        self.number += 1
        line = self._split.pop()
        if len(line) > self.limit:
            what = f"{self._shown} has more than {self.limit:,} characters in line {self.number}."
            raise DataError(what, hint="Check that it is a CSV file.")
        return line

    def take_block(self, n_lines: int) -> bytearray:
        """Take the next lines that end in LF, at most ``n_lines``, and `MAX_WIDTH` bytes of 0 behind them.

        There are no lines at the end of the file, if they have more than `_MAX_BLOCK_BYTES`, and if one of them cannot
        be read.
        """
        rest = self._unread[self._at :]
        n_bytes, n_ends = len(rest), _n_line_ends(rest)
        data = bytearray(max(n_bytes, self._block_bytes))
        data[:n_bytes] = rest
        while n_ends < n_lines and n_bytes < _MAX_BLOCK_BYTES:
            if len(data) < n_bytes + _BLOCK_PIECE_BYTES:
                data.extend(bytes(len(data) + _BLOCK_PIECE_BYTES))
            n_more = self._read_into(data, n_bytes)
            if not n_more:
                break
            n_ends += _n_line_ends(data, n_bytes, n_more)
            n_bytes += n_more
        self._at = 0
        if self._split or self._failure is not None or n_bytes >= _MAX_BLOCK_BYTES:
            self._unread = bytes(data[:n_bytes])
            return bytearray(MAX_WIDTH)
        end = n_bytes
        for _ in range(n_ends - n_lines + 1):
            end = data.rfind(b"\n", 0, end)
        end += n_ends >= n_lines
        self._unread = bytes(data[end:n_bytes])
        self._block_bytes = end + _BLOCK_PIECE_BYTES
        del data[end:]
        if data and not data.endswith(b"\n"):
            data += b"\n"
        data += bytes(MAX_WIDTH)
        return data

    def give_back(self, block: bytearray) -> None:
        """Put back what `take_block` has returned."""
        self._unread = bytes(block[:-MAX_WIDTH]) + self._unread

    def _next_lines(self) -> list[str]:
        """Return the next line that ends in LF, last part first if a CR divides it; nothing at the end of the file."""
        while (end := self._unread.find(b"\n", self._at)) < 0 and len(self._unread) - self._at <= 4 * self.limit:
            if not self._fill():
                break
        if end < 0:
            if self._failure is not None:
                what = f"{self._shown} can't be read after line {self.number}: {self._failure}."
                raise DataError(what, hint="Get the file again.") from self._failure
            end = self._unread.rfind(b"\r", self._at, len(self._unread) - 1)  # a LF may follow the last byte
        line = self._unread[self._at : end + 1] if end >= 0 else self._unread[self._at :]
        self._at += len(line)
        try:
            return list(io.StringIO(line.decode(), newline=""))[::-1]
        except UnicodeDecodeError as error:
            what = f"{self._shown} is not UTF-8 text after line {self.number}: {error.reason}."
            raise DataError(what, hint="Export it as CSV in UTF-8.") from error

    def _fill(self) -> bool:
        """Read more of the file; return whether there is more."""
        piece = self._read()
        self._unread, self._at = self._unread[self._at :] + piece, 0
        return bool(piece)

    def _read(self) -> bytes:
        piece = bytearray(_PIECE_BYTES)
        return bytes(piece[: self._read_into(piece, 0)])

    def _read_into(self, data: bytearray, at: int) -> int:
        """Read more of the file to a place of ``data``; return the number of bytes, 0 at the end."""
        try:
            with memoryview(data)[at : at + _BLOCK_PIECE_BYTES] as rest:
                return 0 if self._failure else self._file.readinto1(rest)
        except (EOFError, zlib.error, OSError) as error:
            self._failure = error
            return 0


def _n_line_ends(text: bytes | bytearray, at: int = 0, n_bytes: int = -1) -> int:
    # bytearray.count takes four times as long
    return int(np.count_nonzero(np.frombuffer(text, np.uint8, n_bytes, at) == ord("\n")))


class CsvFile:
    """An open CSV file.

    Attributes:
        shown: its name in messages.
        raw: the file's bytes, without a buffer.
    """

    def __init__(self, shown: str, lines: Lines, raw: io.FileIO) -> None:
        self.shown, self.raw = shown, raw
        self._lines = lines
        self._rows = filter(None, csv.reader(lines, strict=True))  # the reader's list of a blank line is empty

    @property
    def size_bytes(self) -> int | None:
        """Length of the file, None for a pipe."""
        return os.fstat(self.raw.fileno()).st_size or None

    def first_row(self) -> list[str]:
        """Read the next row that is not blank; it is empty at the end of the file.

        Raises:
            DataError: the file is not CSV.
        """
        try:
            return next(self._rows, [])
        except csv.Error as error:
            raise DataError(f"{self.shown} is not a CSV file: {error}.", hint="Export it as CSV in UTF-8.") from error

    def blocks(self, n_rows: int) -> Iterator[list[list[str]]]:
        """Yield the other rows, at most ``n_rows`` at a time.

        Raises:
            DataError: a line cannot be read or parsed.
        """
        while rows := self._careful_block(n_rows):
            yield rows

    def grids(self, n_rows: int, *, n_fields: int) -> Iterator[Grid | list[list[str]]]:
        """Yield the other rows like `blocks`, a plain block as arrays.

        Args:
            n_rows: rows per block.
            n_fields: fields of a row.

        Raises:
            DataError: a line cannot be read or parsed.
        """
        while True:
            data = self._lines.take_block(n_rows)
            grid = grid_of(data, n_fields, max_line_bytes=self._lines.limit)
            if grid is None:
                self._lines.give_back(data)
            else:
                self._lines.number += len(grid)
            block = grid or self._careful_block(n_rows)
            if not block:
                return
            yield block

    def _careful_block(self, n_rows: int) -> list[list[str]]:
        try:
            with _no_cycles():
                return list(islice(self._rows, n_rows))
        except csv.Error as error:
            what = f"{self.shown} cannot be parsed as CSV in line {self._lines.number}: {error}."
            raise DataError(what, hint="Check that line in the file.") from error


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Make many lists of texts without a search for cycles among them, which takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def open_csv(path: Path, *, max_line_characters: int = MAX_LINE_CHARACTERS) -> Iterator[CsvFile]:
    """Open CSV in UTF-8, plain or gzip; ``-`` is stdin.

    Closing the file does not wait for a thread that reads it.

    Raises:
        DataError: the file cannot be read or is not a table.
    """
    shown = "stdin" if path == STDIN else str(path)
    with _readable(shown):
        raw = io.FileIO(os.dup(0) if path == STDIN else path)
    with raw:  # closing a reader with a buffer would wait for the lock of the buffer
        file = _unpacked(io.BufferedReader(raw), shown=shown)
        yield CsvFile(shown, Lines(file, shown=shown, limit=max_line_characters), raw)


@contextmanager
def _readable(shown: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{shown} can't be read: {error.strerror}.", hint="Name another file with --input.") from error


def _unpacked(raw: io.BufferedReader, *, shown: str) -> io.BufferedReader | gzip.GzipFile:
    """Return the file, decompressed; refuse a file whose first bytes are not a table's."""
    with _readable(shown):
        head = raw.peek(512)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if head.startswith(b"PAR1"):
        raise DataError(f"{shown} is Parquet.", hint="Give it as a file whose name ends in .parquet.")
    if head.startswith(b"PK\x03\x04"):
        raise DataError(f"{shown} is a workbook or another zip archive.", hint="Export the sheet as CSV, or unpack it.")
    refuse_other_formats(head, shown=shown)
    return raw


@dataclass(frozen=True)
class ParquetTable:
    """An open Parquet file with at least one row.

    Attributes:
        shown: its name in messages.
        file: the ``pyarrow.parquet.ParquetFile``.
    """

    shown: str
    file: Any

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.file.schema_arrow.names)

    def blocks(self, n_rows: int, *, columns: Sequence[str]) -> Iterator[Any]:
        """Yield pyarrow's record batches of some columns, at most ``n_rows`` rows at a time.

        Raises:
            DataError: the file is damaged.
        """
        try:
            yield from self.file.iter_batches(batch_size=n_rows, columns=columns)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.shown} can't be read as Parquet: {error}.", hint="Get the file again.") from error


@contextmanager
def open_parquet(path: Path) -> Iterator[ParquetTable]:
    """Open a Parquet file.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: the file cannot be read or has no rows.
    """
    parquet = parquet_module()
    try:
        file = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read as Parquet: {error}.", hint="Get the file again.") from error
    with file:
        if not file.metadata.num_rows:
            raise DataError(f"{path} has no rows.", hint="Check how the file was made.")
        yield ParquetTable(str(path), file)


def parquet_module() -> ModuleType:
    """Return ``pyarrow.parquet``.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow.", hint="pip install 'asteroid-ll[parquet]'   or use CSV.") from error
    module: ModuleType = pyarrow.parquet
    return module
