"""Writes scored rows as a text table, CSV, JSON Lines or Parquet, or keeps them as JSON values."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import orjson

from asteroid_ll.errors import ConfigError
from asteroid_ll.run.atomic import atomic_path
from asteroid_ll.run.csv_text import Lines, all_safe
from asteroid_ll.scoring.files import parquet_module

Columns = Mapping[str, Sequence[object]]
Emit = Callable[[str], object]
"""Writes whole lines, each with its line end."""

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
_SUFFIXES_OF_TABLES = (".txt", ".text")
_BOOLEANS = frozenset({"hazardous", "predicted_hazardous"})
_NUMBERS = frozenset({"row", "predicted_label"})
_SCORE = re.compile(r"score(_\d+)?")


class RowWriter(Protocol):
    """Writes scored rows, one batch at a time."""

    def write(self, rows: Columns) -> None:
        """Write some rows: columns by name, all of one length, None for an absent value."""


def format_of(output: Path | None, *, is_terminal: bool) -> str:
    """Return the format for a file by its name; without a file, a table for a terminal, else CSV."""
    if output is None:
        return "table" if is_terminal else "csv"
    return "table" if output.suffix.lower() in _SUFFIXES_OF_TABLES else SUFFIXES.get(output.suffix.lower(), "csv")


@contextmanager
def open_writer(name: str, *, output: Path | None, line: Emit) -> Iterator[RowWriter]:
    """Open a writer of scored rows.

    Args:
        name: ``table``, ``csv``, ``jsonl`` or ``parquet``.
        output: the file, which appears complete at the end of the block or not at all; None to use ``line``.
        line: writes one or more lines of text, which come without the last line end.

    Raises:
        ConfigError: Parquet without a file, or without pyarrow.
        DataError: the file cannot be written.
    """
    if name == "parquet":
        if output is None:
            raise ConfigError("Parquet is not for a terminal or a pipe.", hint="Name a file: --output scored.parquet")
        parquet_module()
        with atomic_path(output) as temporary, _ParquetRows(temporary) as rows:
            yield rows
        return
    make = _TEXT_WRITERS[name]
    if output is None:
        yield make(lambda text: line(text.removesuffix("\n")))
        return
    with atomic_path(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield make(file.write)


class CsvRows:
    """CSV with a header; an absent value is an empty cell, and no text is a formula, see `run.csv_text`."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._has_header = False

    def write(self, rows: Columns) -> None:
        """Write some rows."""
        columns = [all_safe(column) for column in rows.values()]
        header = [] if self._has_header else [tuple(rows)]
        self._has_header = True
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerows(itertools.chain(header, zip(*columns, strict=True)))
        text = buffer.getvalue()
        if text.count("\r") == len(header) + len(columns[0]):
            self._emit(text.replace("\r\n", "\n"))
            return
        buffer = io.StringIO()  # a cell has a CR of its own
        csv.writer(Lines(buffer.write)).writerows(itertools.chain(header, zip(*columns, strict=True)))
        self._emit(buffer.getvalue())


class JsonLines:
    """One JSON object per row; an absent value is null."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def write(self, rows: Columns) -> None:
        """Write some rows."""
        lines = [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in _objects(rows)]
        self._emit(b"".join(lines).decode())


class TableRows:
    """A text table whose columns are as wide as the first batch needs."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._widths: list[int] = []

    def write(self, rows: Columns) -> None:
        """Write some rows."""
        cells = [[_cell(name, value) for value in column] for name, column in rows.items()]
        lines = []
        if not self._widths:
            self._widths = [max(len(name), *map(len, column)) for name, column in zip(rows, cells, strict=True)]
            lines.append(self._line(rows, list(rows)))
        lines += [self._line(rows, row) for row in zip(*cells, strict=True)]
        self._emit("".join(lines))

    def _line(self, rows: Columns, cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if name in _NUMBERS or _SCORE.fullmatch(name) else cell.ljust(width)
            for name, cell, width in zip(rows, cells, self._widths, strict=True)
        ]
        return "  ".join(padded).rstrip() + "\n"


class Collected:
    """Keeps the rows as JSON values."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def write(self, rows: Columns) -> None:
        """Keep some rows."""
        self.rows += _objects(rows)


class _ParquetRows:
    """Parquet with one row group per batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> _ParquetRows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, rows: Columns) -> None:
        """Write some rows."""
        import pyarrow as pa

        kinds = {"row": pa.int64(), "predicted_label": pa.int64(), **dict.fromkeys(_BOOLEANS, pa.bool_())}
        kinds |= {name: pa.float32() for name in rows if _SCORE.fullmatch(name)}
        schema = pa.schema([(name, kinds.get(name, pa.string())) for name in rows])
        if self._file is None:
            self._file = parquet_module().ParquetWriter(self._path, schema)
        self._file.write_table(pa.table({name: list(column) for name, column in rows.items()}, schema=schema))


_TEXT_WRITERS: Mapping[str, Callable[[Emit], RowWriter]] = {"table": TableRows, "csv": CsvRows, "jsonl": JsonLines}


def _objects(rows: Columns) -> Iterator[dict[str, object]]:
    return (dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True))


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in _BOOLEANS:
        return "yes" if value else "no"
    text = f"{value:.6f}" if isinstance(value, float) else str(value)
    return text if text.isprintable() else ascii(text)
