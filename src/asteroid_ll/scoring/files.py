"""Opens CSV files, stdin and Parquet files, and reads their rows a bounded number at a time."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.reading import refuse_other_formats

MAX_LINE_CHARACTERS = 1 << 20
"""Longest line of most CSV files: bounds the memory for a file without line ends."""

STDIN = Path("-")
_PARQUET_SUFFIXES = (".parquet", ".pq")


def is_parquet(path: Path) -> bool:
    """Return whether the name of a file is that of a Parquet file."""
    return path.suffix.lower() in _PARQUET_SUFFIXES


@dataclass(frozen=True)
class CsvFile:
    """An open CSV file.

    Attributes:
        shown: its name in messages.
        rows: the ``csv.reader``, which yields an empty list for a blank line.
        raw: the bytes of the file.
    """

    shown: str
    rows: Any
    raw: BinaryIO

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
            return next(filter(None, self.rows), [])
        except csv.Error as error:
            raise DataError(f"{self.shown} is not a CSV file: {error}.", hint="Export it as CSV in UTF-8.") from error

    def blocks(self, n_rows: int) -> Iterator[list[list[str]]]:
        """Yield the other rows, at most ``n_rows`` at a time.

        Raises:
            DataError: a line cannot be read or parsed.
        """
        filled = filter(None, self.rows)
        while True:
            try:
                with _no_cycles():
                    rows = list(islice(filled, n_rows))
            except csv.Error as error:
                what = f"{self.shown} cannot be parsed as CSV in line {self.rows.line_num}: {error}."
                raise DataError(what, hint="Check that line in the file.") from error
            if not rows:
                return
            yield rows


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

    Raises:
        DataError: the file cannot be read or is not a table.
    """
    shown = "stdin" if path == STDIN else str(path)
    try:
        raw = os.fdopen(os.dup(0), "rb") if path == STDIN else path.open("rb")
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.", hint="Name another file with --input.") from error
    with raw, _text(raw, shown=shown) as text:
        yield CsvFile(shown, csv.reader(_lines(text, limit=max_line_characters, shown=shown), strict=True), raw)


def _text(raw: io.BufferedReader, *, shown: str) -> io.TextIOWrapper:
    """Return the file's text, decompressed; refuse a file whose first bytes are not a table's."""
    head = raw.peek(512)
    if head.startswith(b"\x1f\x8b"):
        return io.TextIOWrapper(gzip.GzipFile(fileobj=raw), encoding="utf-8-sig", newline="")
    if head.startswith(b"PAR1"):
        raise DataError(f"{shown} is Parquet.", hint="Give it as a file whose name ends in .parquet.")
    refuse_other_formats(head, shown=shown)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _lines(text: io.TextIOWrapper, *, limit: int, shown: str) -> Iterator[str]:
    """Yield the lines; raise DataError for one that cannot be read."""
    number = 0
    try:
        while line := text.readline(limit + 1):
            number += 1
            if len(line) > limit:
                what = f"{shown} has more than {limit:,} characters in line {number}."
                raise DataError(what, hint="Check that it is a CSV file.")
            yield line
    except UnicodeDecodeError as error:
        what = f"{shown} is not UTF-8 text after line {number}: {error.reason}."
        raise DataError(what, hint="Export it as CSV in UTF-8.") from error
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(f"{shown} can't be read after line {number}: {error}.", hint="Get the file again.") from error


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
