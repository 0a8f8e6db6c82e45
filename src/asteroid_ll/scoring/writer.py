"""Writes scored rows as a text table, CSV, JSON Lines or Parquet, or keeps them as JSON values."""

from __future__ import annotations

import csv
import io
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import orjson

from asteroid_ll.errors import ConfigError
from asteroid_ll.run.atomic import atomic_path
from asteroid_ll.run.csv_text import Lines, all_safe
from asteroid_ll.scoring.columns import Column, csv_lines, values_of
from asteroid_ll.scoring.files import parquet_module

Columns = Mapping[str, Column]
Emit = Callable[[str], object]
"""Writes whole lines, each with its line end."""

SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
_SUFFIXES_OF_TABLES = (".txt", ".text")
_BOOLEANS = frozenset({"hazardous", "predicted_hazardous", "hazardous_by_rule", "differs_from_rule"})
_PROBABILITIES = frozenset({"p_hazardous"})
_NUMBERS = frozenset({"row", "predicted_label"}) | _PROBABILITIES
_WIDTH = 80
"""Characters per line of a text table whose longest names can be cut."""

_TITLES = {
    "designation": "asked",
    "asteroid_id": "id",
    "hazardous": "label",
    "predicted_hazardous": "model",
    "hazardous_by_rule": "rule",
    "p_hazardous": "P",
}
"""Headings of a text table, where they are shorter than the names of the columns."""

_PARTS = {"validation": "valid."}
_DIFFERS = " !"
_MIN_NAME = 8
_SCORE = re.compile(r"score(_\d+)?")


class RowWriter(Protocol):
    """Writes scored rows, one batch at a time."""

    def write(self, rows: Columns) -> None:
        """Write some rows: columns by name, all of one length."""


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
        ConfigError: Parquet without a file, or without pyarrow; or the file is a directory.
        DataError: the file cannot be written.
    """
    if output is not None:
        with suppress(PermissionError):  # `atomic_path` names it
            if output.is_dir():
                raise ConfigError(f"{output} is a directory.", hint="Name a file: --output scored.csv")
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
        header = [] if self._has_header else [tuple(rows)]
        self._has_header = True
        lines = csv_lines(list(rows.values()))
        if lines is not None:
            self._emit("".join(",".join(names) + "\n" for names in header) + lines.decode())
            return
        columns = [all_safe(values_of(column)) for column in rows.values()]
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
    """A text table whose columns are as wide as the first batch needs.

    An error is on a line of its own, below its row. An exclamation mark beside the rule's answer marks a row in which
    the model's differs.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._widths: list[int] = []

    def write(self, rows: Columns) -> None:
        """Write some rows."""
        values = {name: values_of(column) for name, column in rows.items()}
        errors = values.get("error", ())
        names, cells = _table_cells(values)
        lines = []
        if not self._widths:
            titles = [_TITLES.get(name, name) for name in names]
            self._widths = [max(len(title), *map(len, column)) for title, column in zip(titles, cells, strict=True)]
            self._fit(names)
            lines.append(self._line(names, titles))
        for number, row in enumerate(zip(*cells, strict=True)):
            lines.append(self._line(names, row))
            if errors and errors[number]:
                lines.append(textwrap.fill(f"error: {_cell('error', errors[number])}", _WIDTH, **_INDENTED) + "\n")
        self._emit("".join(lines))

    def _fit(self, names: Sequence[str]) -> None:
        """Make the name narrower if the line is too long."""
        if "name" in names:
            at = names.index("name")
            excess = sum(self._widths) + 2 * (len(names) - 1) - _WIDTH
            self._widths[at] = min(self._widths[at], max(_MIN_NAME, self._widths[at] - excess))

    def _line(self, names: Sequence[str], cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if name in _NUMBERS or _SCORE.fullmatch(name) else _cut(name, cell, width).ljust(width)
            for name, cell, width in zip(names, cells, self._widths, strict=True)
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
        kinds |= dict.fromkeys(_PROBABILITIES, pa.float64())
        schema = pa.schema([(name, kinds.get(name, pa.string())) for name in rows])
        if self._file is None:
            self._file = parquet_module().ParquetWriter(self._path, schema)
        self._file.write_table(
            pa.table({name: list(values_of(column)) for name, column in rows.items()}, schema=schema)
        )


_INDENTED: Mapping[str, Any] = {"initial_indent": "  ", "subsequent_indent": "  "}
_TEXT_WRITERS: Mapping[str, Callable[[Emit], RowWriter]] = {"table": TableRows, "csv": CsvRows, "jsonl": JsonLines}


def _objects(rows: Columns) -> Iterator[dict[str, object]]:
    return (dict(zip(rows, row, strict=True)) for row in zip(*map(values_of, rows.values()), strict=True))


def _table_cells(rows: Mapping[str, Sequence[Any]]) -> tuple[list[str], list[list[str]]]:
    """Return the columns of a text table by name, and their texts."""
    hidden = {"error", "differs_from_rule"} | ({"asteroid_id"} if "designation" in rows else set())
    texts = {name: [_cell(name, value) for value in column] for name, column in rows.items() if name not in hidden}
    if "hazardous_by_rule" in texts:
        differs = rows["differs_from_rule"]
        texts["hazardous_by_rule"] = [
            text + _DIFFERS if differ else text
            for text, differ in zip(texts["hazardous_by_rule"], differs, strict=True)
        ]
    return list(texts), list(texts.values())


def _cut(name: str, cell: str, width: int) -> str:
    """Return a name that fits its column."""
    return f"{cell[: width - 3]}..." if name == "name" and len(cell) > width else cell


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in _BOOLEANS:
        return "yes" if value else "no"
    decimals = 3 if name in _PROBABILITIES else 6
    if name == "part":
        return _PARTS.get(str(value), str(value))
    text = f"{value:.{decimals}f}" if isinstance(value, float) else str(value)
    return text if text.isprintable() else ascii(text)
