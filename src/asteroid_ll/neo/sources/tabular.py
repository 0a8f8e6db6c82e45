"""From the bytes of a CSV file to the canonical table, or to an error that names the problem."""

from __future__ import annotations

import codecs
import csv
import difflib
import itertools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asteroid_ll.errors import DataError
from asteroid_ll.neo.label import require_both_classes
from asteroid_ll.neo.sources.packed import Text, opened
from asteroid_ll.neo.sources.reading import Reading, refuse_other_formats, whole
from asteroid_ll.neo.sources.spreadsheet import SURVEYED, survey
from asteroid_ll.neo.table import COLUMNS, LABEL, Column, Kind, header_key, lookup
from asteroid_ll.run.csv_text import restored

BATCH_ROWS = 100_000
"""Rows in memory at once; half as many take as long to parse, and 2.5 times as many take 10 % longer."""

_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "y": True, "n": False}
_OTHER_FILE = {"est_diameter_min", "relative_velocity", "miss_distance", "absolute_magnitude"}
_NO_NUMBER, _INFINITE, _NO_VALUE = "a value that is not a number", "an infinite value", "no value"
_TOO_LARGE = "a value too large for float32"
_LONG_TEXT = "a text of more than 1,000 characters"
_NO_INTEGER, _NO_TRUTH = "a value that is not an integer", "neither True nor False"
_PROBLEMS = (_NO_NUMBER, _INFINITE, _NO_VALUE, _TOO_LARGE, _LONG_TEXT, _NO_INTEGER, _NO_TRUTH)
"""In the order of the checks of a column."""

_MAX_CHARACTERS = 1_000
"""Of a text: in the cleaned table's file, every text of a column takes as much as the longest."""

_MAX_SHOWN = 40
_MAX_FLOAT32 = float(np.finfo(np.float32).max)
_HINT_CELL = "Correct that cell in the file, or remove its row."


def read(path: Path) -> Reading:
    """Read a labelled table: the 40-column NeoWs export, or any table with canonical names.

    Args:
        path: CSV file in UTF-8, with or without a byte order mark, plain, gzip, or alone in a zip archive.

    Returns:
        The canonical columns of the file, in canonical order. The NeoWs export must have all 40 columns, other tables
        those that every run needs. A spreadsheet's changes to the export are undone, see ``spreadsheet``.

    Raises:
        DataError: the file is missing, empty, cut, a web page or a workbook; lacks columns; has a cell of the wrong
            type, NaN, an infinity, or a number that is too large for float32; or has labels of only one class.
    """
    return whole(batches(path))


def batches(path: Path) -> Iterator[Reading]:
    """Read the table of `read` in blocks of at most ``BATCH_ROWS`` rows.

    A spreadsheet's changes are decided on the whole file, which is read once more for that if it has several blocks.

    Raises:
        DataError: as for `read`. A wrong cell is reported when all rows are read, with the number of its row in the
            file and the number of wrong cells.
    """
    checks = Checks(str(path))
    with opened(path) as text:
        header = _header(text, path)
        positions = _positions(header, path)
        export = _is_export(header)
        _require([column for column in COLUMNS if column.required or export], positions, header=header, path=path)
        pieces = _pieces(text, positions, path=path, n_fields=len(header))
        tables = ((raw[LABEL], table) for raw in pieces if (table := checks.table(raw)) is not None)
        head = list(itertools.islice(tables, 2))
        changes = None
        if export and head:
            changes = survey(lambda: _surveyed(path) if len(head) > 1 else [head[0][1]])
        n_rows = n_hazardous = 0
        for labels, table in itertools.chain(head, tables):
            n_rows += len(table)
            n_hazardous += int(table[LABEL].sum())
            yield changes.undo(table, labels=labels) if changes else Reading(table)
    checks.finish()
    require_both_classes(n_hazardous, n_rows, where=f"{path}: The table")


def _surveyed(path: Path) -> Iterator[pd.DataFrame]:
    """Yield the columns that show a spreadsheet's changes, up to the first wrong cell, which `batches` reports."""
    checks = Checks(str(path))
    with opened(path) as text:
        header = _header(text, path)
        positions = {name: position for name, position in _positions(header, path).items() if name in SURVEYED}
        for raw in _pieces(text, positions, path=path, n_fields=len(header), only=True):
            table = checks.table(raw)
            if table is None:
                return
            yield table


def _header(text: Text, path: Path) -> list[str]:
    """Return the names in the header, and skip a byte order mark."""
    head = text.peek(1 << 16)
    refuse_other_formats(head[:256], shown=str(path))
    if head.startswith(codecs.BOM_UTF8):
        text.read(len(codecs.BOM_UTF8))
        head = text.peek(1 << 16)
    first_line = head[: 1 << 16].lstrip(b"\r\n").splitlines()[0]
    try:
        return next(csv.reader([first_line.decode("utf-8")]))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}.", hint="Export it as CSV in UTF-8.") from error


def _positions(header: Sequence[str], path: Path) -> dict[str, int]:
    """Return the position of each canonical column in the header."""
    keys = {header_key(name) for name in header}
    if keys >= _OTHER_FILE and lookup("moid_au") not in [lookup(key) for key in keys]:
        raise DataError(
            f"{path} is the {len(header)}-column list of NASA's nearest objects (neo.csv), which lacks the minimum "
            "orbit intersection distance. The label depends on it.",
            hint="Use the source catalogue, or the 40-column export of NeoWs.",
        )
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        column = lookup(name)
        if column is None:
            continue
        if column.name in positions:
            raise DataError(
                f"{path} has the column {column.name} twice: {header[positions[column.name]]!r} and {name!r}.",
                hint="Remove one of them.",
            )
        positions[column.name] = position
    return positions


def _is_export(header: Sequence[str]) -> bool:
    """Return whether most of the known names have the spelling of the NeoWs export."""
    spelled = [(key, column) for name in header if (column := lookup(key := header_key(name)))]
    theirs = sum(key == column.tutorial_name != column.name for key, column in spelled)
    ours = sum(key == column.name != column.tutorial_name for key, column in spelled)
    return theirs > ours


def _require(required: Sequence[Column], positions: dict[str, int], *, header: Sequence[str], path: Path) -> None:
    missing = [column for column in required if column.name not in positions]
    if not missing:
        return
    unknown = {header_key(name): name for name in header if lookup(name) is None}
    names = [column.header if _is_export(header) else column.name for column in missing]
    for number, name in enumerate(names):
        for near in difflib.get_close_matches(header_key(name), unknown, n=1, cutoff=0.5):
            names[number] = f"{name} (nearest found: {unknown[near]!r})"
    raise DataError(
        f"{path} lacks {len(missing)} of the {len(required)} required columns: {', '.join(names)}.",
        hint="Rename or add them in the file, or choose the source catalogue.",
        missing=[column.name for column in missing],
    )


def _pieces(
    text: Text, positions: dict[str, int], *, path: Path, n_fields: int, only: bool = False
) -> Iterator[pd.DataFrame]:
    """Parse the text, and yield blocks of the columns at ``positions`` by canonical name, unchecked.

    Args:
        text: the text, from its header on.
        positions: position of each column in the header.
        path: the file, for messages.
        n_fields: number of columns in the header.
        only: leave the other columns unparsed.
    """
    columns = [column for column in COLUMNS if column.name in positions]
    texts = {positions[c.name]: str for c in columns if c.kind in (Kind.TEXT, Kind.BOOLEAN)}
    numbers: Any = {positions[c.name]: _MISSING for c in columns if c.kind not in (Kind.TEXT, Kind.BOOLEAN)}
    is_empty = True
    with _parsing(path):
        reader: Any = pd.read_csv(
            text,  # type: ignore[call-overload]
            header=0,
            names=list(range(n_fields)),
            usecols=sorted(positions.values()) if only else None,
            index_col=False,
            dtype=texts,
            na_values=numbers,
            keep_default_na=False,
            low_memory=False,
            chunksize=BATCH_ROWS,
        )
    with reader:
        while True:
            with _parsing(path):
                raw = next(reader, None)
            if raw is None or raw.empty:
                break
            is_empty = False
            text.begin_piece()
            raw.index = pd.RangeIndex(len(raw))
            yield pd.DataFrame({column.name: _restored(raw[positions[column.name]], column) for column in columns})
    if is_empty:
        raise DataError(f"{path} has a header but no rows.", hint="Fetch it again, or check what wrote it.")


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be parsed as CSV: {reason}", hint="Check that line in the file.") from error


def _restored(values: pd.Series, column: Column) -> pd.Series:
    """Return a text column without the apostrophes that protect a spreadsheet."""
    if column.kind is not Kind.TEXT or not values.str.startswith("'").any():
        return values
    return values.map(restored, na_action="ignore")


class _BadCellsError(Exception):
    """Cells of one column that fail one check."""

    def __init__(self, problem: str, values: pd.Series, rows: np.ndarray) -> None:
        super().__init__(problem)
        self.problem = problem
        value = values.iloc[rows[0]]
        text = repr(value.item() if isinstance(value, np.generic) else value)
        text = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
        self.shown = "" if problem == _NO_VALUE else f": {text}"
        self.first = int(rows[0])
        self.count = int(rows.size)


class Checks:
    """The checks of a table's cells, also of a table that comes in blocks of rows.

    Args:
        where: name of the rows' source in messages.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._n_rows = 0
        self._bad: dict[tuple[int, int], _BadCellsError] = {}

    def table(self, raw: pd.DataFrame) -> pd.DataFrame | None:
        """Return the columns with their types; None from the first block with a wrong cell on.

        Args:
            raw: columns with canonical names, in any order, cells as texts or numbers.
        """
        table = {}
        for place, column in enumerate(COLUMNS):
            if column.name not in raw:
                continue
            try:
                table[column.name] = _CHECKS[column.kind](raw[column.name], column)
            except _BadCellsError as bad:
                bad.first += self._n_rows
                first = self._bad.setdefault((place, _PROBLEMS.index(bad.problem)), bad)
                if first is not bad:
                    first.count += bad.count
        self._n_rows += len(raw)
        return None if self._bad else pd.DataFrame(table)

    def finish(self) -> None:
        """Refuse the table if a cell is wrong, with the first problem of the first column that has one.

        Raises:
            DataError: a cell is not a number, not finite, absent though required, or neither true nor false.
        """
        if not self._bad:
            return
        key = min(self._bad)
        column, bad = COLUMNS[key[0]], self._bad[key]
        raise DataError(
            f"{self._where}: column {column.name} has {bad.problem} in data row {bad.first + 1}{bad.shown}"
            + (f" (and {bad.count - 1} more)." if bad.count > 1 else "."),
            hint=_HINT_CELL,
            column=column.name,
            row=bad.first + 1,
        )


def checked(raw: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Check every cell and return the columns with their types.

    Args:
        raw: columns with canonical names, in any order, cells as texts or numbers.
        where: name of the rows' source in messages.

    Returns:
        The columns in canonical order.

    Raises:
        DataError: a cell is not a number, not finite, absent though required, or neither true nor false.
    """
    checks = Checks(where)
    table = checks.table(raw)
    checks.finish()
    assert table is not None
    return table


def _refuse(series: pd.Series, bad: np.ndarray, *, problem: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        raise _BadCellsError(problem, series, rows)


def _text(series: pd.Series, column: Column) -> pd.Series:
    if column.required:
        _refuse(series, (series.isna() | (series == "")).to_numpy(dtype=bool), problem=_NO_VALUE)
    lengths = series.astype(str).str.len().to_numpy(dtype=np.float64, na_value=0)
    _refuse(series, lengths > _MAX_CHARACTERS, problem=_LONG_TEXT)
    return series


def _boolean(series: pd.Series, column: Column) -> pd.Series:  # noqa: ARG001 - every check has the same arguments
    values = series.str.strip().str.lower().map(_TRUTH)
    _refuse(series, values.isna().to_numpy(), problem=_NO_TRUTH)
    return values.astype(bool)


def _float(series: pd.Series, column: Column) -> pd.Series:
    values = _number(series, column)
    _refuse(series, np.abs(values.to_numpy()) > _MAX_FLOAT32, problem=_TOO_LARGE)
    return values


def _number(series: pd.Series, column: Column) -> pd.Series:
    values = series
    if series.dtype.kind not in "iuf":
        values = pd.to_numeric(series.astype(str).where(series.notna()), errors="coerce")
        _refuse(series, (values.isna() & series.notna()).to_numpy(), problem=_NO_NUMBER)
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(series, np.isinf(numbers), problem=_INFINITE)
    if not column.may_be_missing:
        _refuse(series, np.isnan(numbers), problem=_NO_VALUE)
    return pd.Series(numbers, index=series.index)


def _integer(series: pd.Series, column: Column) -> pd.Series:
    if series.dtype.kind == "i":
        return series
    values = _number(series, column)
    numbers = values.to_numpy()
    with np.errstate(invalid="ignore"):
        fractional = (numbers != np.rint(numbers)) & ~np.isnan(numbers)
        outside = np.abs(numbers) >= 2.0**63
    _refuse(series, fractional | outside, problem=_NO_INTEGER)
    return values if np.isnan(numbers).any() else values.astype(np.int64)


_CHECKS = {Kind.TEXT: _text, Kind.BOOLEAN: _boolean, Kind.INTEGER: _integer, Kind.FLOAT: _float}
