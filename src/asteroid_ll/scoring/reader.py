"""Reads rows to score from a CSV file, stdin or Parquet, a bounded number at a time."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.reading import refuse_other_formats
from asteroid_ll.neo.table import find, header_key, lookup
from asteroid_ll.run.csv_text import restored
from asteroid_ll.scoring.values import Batch, batch_of

BATCH_ROWS = 50_000
"""Rows per batch: bounds the memory for a file of any length."""

MAX_LINE_CHARACTERS = 1 << 20
"""Longest line of a CSV file: bounds the memory for a file without line ends."""

STDIN = Path("-")
CARRIED = ("asteroid_id", "name")
"""Columns that are copied to the output; without them, rows are named by their numbers."""


@dataclass(frozen=True)
class RowSource:
    """Rows to score, in batches.

    Attributes:
        batches: the rows; reading them can raise DataError.
        size_bytes: length of the file, None if unknown.
        position_bytes: returns the number of bytes read so far.
    """

    batches: Iterator[Batch]
    size_bytes: int | None = None
    position_bytes: Callable[[], int] = lambda: 0

    def share_read(self) -> float | None:
        """Return the share of the source that was read, in [0, 1]; None if unknown."""
        return None if self.size_bytes is None else min(1.0, self.position_bytes() / self.size_bytes)


@dataclass(frozen=True)
class _FileLayout:
    """Positions of a file's input columns and carried columns."""

    inputs: dict[str, int]
    carried: dict[str, int]
    n_fields: int


@contextmanager
def open_rows(path: Path, *, columns: Sequence[str]) -> Iterator[RowSource]:
    """Open rows to score.

    Args:
        path: CSV in UTF-8, plain or gzip; a file that ends in ``.parquet``; or ``-`` for CSV from stdin.
        columns: canonical names of the columns that the features need; the file may use any known spelling.

    Raises:
        ConfigError: the file is Parquet and pyarrow is not installed.
        DataError: the file cannot be read, is not a table, or lacks columns.
    """
    shown = "stdin" if path == STDIN else str(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        with _parquet(path, columns=columns) as source:
            yield source
        return
    try:
        raw = os.fdopen(os.dup(0), "rb") if path == STDIN else path.open("rb")
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.", hint="Name another file with --input.") from error
    with raw, _text(raw, shown=shown) as text:
        reader = csv.reader(_lines(text, shown=shown), strict=True)
        layout = _layout(_header(reader, shown=shown), columns, shown=shown)
        size_bytes = os.fstat(raw.fileno()).st_size or None  # a pipe has 0
        yield RowSource(_csv_batches(reader, layout, shown=shown), size_bytes, raw.tell)


def _text(raw: io.BufferedReader, *, shown: str) -> io.TextIOWrapper:
    """Return the file's text, decompressed; refuse a file whose first bytes are not a table's."""
    head = raw.peek(512)
    if head.startswith(b"\x1f\x8b"):
        return io.TextIOWrapper(gzip.GzipFile(fileobj=raw), encoding="utf-8-sig", newline="")
    if head.startswith(b"PAR1"):
        raise DataError(f"{shown} is Parquet.", hint="Give it as a file whose name ends in .parquet.")
    refuse_other_formats(head, shown=shown)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _header(reader: Any, *, shown: str) -> list[str]:
    try:
        return next(filter(None, reader), [])
    except csv.Error as error:
        raise DataError(f"{shown} is not a CSV file: {error}.", hint="Export it as CSV in UTF-8.") from error


def _lines(text: io.TextIOWrapper, *, shown: str) -> Iterator[str]:
    """Yield the lines; raise DataError for one that cannot be read."""
    number = 0
    try:
        while line := text.readline(MAX_LINE_CHARACTERS + 1):
            number += 1
            if len(line) > MAX_LINE_CHARACTERS:
                what = f"{shown} has more than {MAX_LINE_CHARACTERS:,} characters in line {number}."
                raise DataError(what, hint="Check that it is a CSV file.")
            yield line
    except UnicodeDecodeError as error:
        what = f"{shown} is not UTF-8 text after line {number}: {error.reason}."
        raise DataError(what, hint="Export it as CSV in UTF-8.") from error
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(f"{shown} can't be read after line {number}: {error}.", hint="Get the file again.") from error


def _csv_batches(reader: Any, layout: _FileLayout, *, shown: str) -> Iterator[Batch]:
    first_row = 1
    filled = filter(None, reader)  # a blank line is not a row
    while True:
        try:
            rows = list(islice(filled, BATCH_ROWS))
        except csv.Error as error:
            what = f"{shown} cannot be parsed as CSV in line {reader.line_num}: {error}."
            raise DataError(what, hint="Check that line in the file.") from error
        if not rows:
            break
        yield _batch(rows, layout, first_row=first_row)
        first_row += len(rows)
    if first_row == 1:
        raise DataError(f"{shown} has a header but no rows.", hint="Check how the file was made.")


def _batch(rows: list[list[str]], layout: _FileLayout, *, first_row: int) -> Batch:
    """Make a batch of rows of text; a row with too few or too many fields gets an error."""
    n_fields = layout.n_fields
    errors = [""] * len(rows)
    for n, row in enumerate(rows):
        if len(row) != n_fields:
            errors[n] = f"{len(row)} fields, and the header has {n_fields}"
            row += [""] * (n_fields - len(row))
    columns = {p: [row[p] for row in rows] for p in {*layout.inputs.values(), *layout.carried.values()}}
    cells = {name: columns[position] for name, position in layout.inputs.items()}
    carried: dict[str, Sequence[object]] = {
        name: [restored(text) for text in columns[position]] for name, position in layout.carried.items()
    }
    carried = carried or {"row": range(first_row, first_row + len(rows))}
    return batch_of(cells, carried, errors=errors, first_row=first_row)


def _layout(header: Sequence[str], names: Sequence[str], *, shown: str) -> _FileLayout:
    """Find the input columns and the carried columns of a file."""
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        column = lookup(name)
        if column is None:
            continue
        if column.name in positions:
            first = header[positions[column.name]]
            what = f"{shown} has the column {column.name} twice: {first!r} and {name!r}."
            raise DataError(what, hint="Remove one of them.")
        positions[column.name] = position
    missing = [name for name in names if name not in positions]
    if missing:
        shown_names = ", ".join(f"{name} ({find(name).header})" if find(name).header else name for name in missing)
        present = ", ".join(header_key(name) for name in header[:20])
        raise DataError(
            f"{shown} lacks {len(missing)} of the {len(names)} required columns: {shown_names}.",
            hint=f"Rename or add them; the file has {present or 'none'}.",
            missing=missing,
        )
    carried = {name: positions[name] for name in CARRIED if name in positions}
    return _FileLayout({name: positions[name] for name in names}, carried, len(header))


@contextmanager
def _parquet(path: Path, *, columns: Sequence[str]) -> Iterator[RowSource]:
    parquet = parquet_module()
    try:
        file = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read as Parquet: {error}.", hint="Get the file again.") from error
    with file:
        layout = _layout(file.schema_arrow.names, columns, shown=str(path))
        if not file.metadata.num_rows:
            raise DataError(f"{path} has no rows.", hint="Check how the file was made.")
        yield RowSource(_parquet_batches(file, layout, shown=str(path)))


def _parquet_batches(file: Any, layout: _FileLayout, *, shown: str) -> Iterator[Batch]:
    names = file.schema_arrow.names
    used = [names[position] for position in (*layout.inputs.values(), *layout.carried.values())]
    first_row = 1
    try:
        for part in file.iter_batches(batch_size=BATCH_ROWS, columns=used):
            values = {name: part.column(name).to_pylist() for name in used}
            cells = {name: values[names[position]] for name, position in layout.inputs.items()}
            carried: dict[str, Sequence[object]] = {
                name: [None if value is None else str(value) for value in values[names[position]]]
                for name, position in layout.carried.items()
            }
            carried = carried or {"row": range(first_row, first_row + part.num_rows)}
            yield batch_of(cells, carried, errors=[""] * part.num_rows, first_row=first_row)
            first_row += part.num_rows
    except (OSError, ValueError) as error:
        raise DataError(f"{shown} can't be read as Parquet: {error}.", hint="Get the file again.") from error


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
