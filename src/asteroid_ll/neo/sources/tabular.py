"""From the bytes of a CSV file to the canonical table, or to an error that names the problem."""

from __future__ import annotations

import csv
import difflib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asteroid_ll.errors import DataError
from asteroid_ll.neo.label import labels_of
from asteroid_ll.neo.sources.packed import unpacked
from asteroid_ll.neo.sources.reading import Reading, refuse_other_formats
from asteroid_ll.neo.sources.spreadsheet import repair
from asteroid_ll.neo.table import COLUMNS, LABEL, Column, Kind, header_key, lookup
from asteroid_ll.run.csv_text import restored

_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "y": True, "n": False}
_OTHER_FILE = {"est_diameter_min", "relative_velocity", "miss_distance", "absolute_magnitude"}
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
            type, NaN or an infinity; or has labels of only one class.
    """
    header, text = _opened(path)
    positions = _positions(header, path)
    export = _is_export(header)
    _require([column for column in COLUMNS if column.required or export], positions, header=header, path=path)
    raw = _parse(text, positions, path=path, n_fields=len(header))
    reading = Reading(checked(raw, where=str(path)))
    if export:
        reading = repair(reading.table, labels=raw[LABEL])
    try:
        labels_of(reading.table)
    except DataError as error:
        raise DataError(f"{path}: {error.what}", hint=error.hint) from error
    return reading


def _opened(path: Path) -> tuple[list[str], bytes]:
    """Return the names in the header, and the file's text without a byte order mark."""
    text = unpacked(path)
    refuse_other_formats(text[:256], shown=str(path))
    text = text.removeprefix(b"\xef\xbb\xbf")
    first_line = text[: 1 << 16].lstrip(b"\r\n").splitlines()[0]
    try:
        header = next(csv.reader([first_line.decode("utf-8")]))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}.", hint="Export it as CSV in UTF-8.") from error
    return header, text


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


def _parse(text: bytes, positions: dict[str, int], *, path: Path, n_fields: int) -> pd.DataFrame:
    """Parse the text, and return the columns at ``positions`` by canonical name, unchecked."""
    columns = [column for column in COLUMNS if column.name in positions]
    texts = {positions[c.name]: str for c in columns if c.kind in (Kind.TEXT, Kind.BOOLEAN)}
    numbers: Any = {positions[c.name]: _MISSING for c in columns if c.kind not in (Kind.TEXT, Kind.BOOLEAN)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            raw = pd.read_csv(
                io.BytesIO(text),
                header=0,
                names=list(range(n_fields)),
                index_col=False,
                dtype=texts,
                na_values=numbers,
                keep_default_na=False,
                low_memory=False,
            )
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be parsed as CSV: {reason}", hint="Check that line in the file.") from error
    if raw.empty:
        raise DataError(f"{path} has a header but no rows.", hint="Fetch it again, or check what wrote it.")
    parsed = pd.DataFrame({column.name: raw[positions[column.name]] for column in columns})
    names = [column.name for column in columns if column.kind is Kind.TEXT]
    return parsed.assign(**{name: parsed[name].map(restored, na_action="ignore") for name in names})


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
    checks = {Kind.TEXT: _text, Kind.BOOLEAN: _boolean, Kind.INTEGER: _integer, Kind.FLOAT: _number}
    return pd.DataFrame({c.name: checks[c.kind](raw[c.name], c, where) for c in COLUMNS if c.name in raw})


def _refuse(series: pd.Series, bad: np.ndarray, column: Column, where: str, *, problem: str) -> None:
    """Raise an error for the first bad cell of a column, if there is one."""
    rows = np.flatnonzero(bad)
    if rows.size:
        value = series.iloc[rows[0]]
        raise DataError(
            f"{where}: column {column.name} has {problem} in data row {rows[0] + 1}: {value!r}"
            + (f" (and {rows.size - 1} more)." if rows.size > 1 else "."),
            hint=_HINT_CELL,
            column=column.name,
            row=int(rows[0]) + 1,
        )


def _text(series: pd.Series, column: Column, where: str) -> pd.Series:
    if column.required:
        _refuse(series, (series.isna() | (series == "")).to_numpy(dtype=bool), column, where, problem="no value")
    return series


def _boolean(series: pd.Series, column: Column, where: str) -> pd.Series:
    values = series.str.strip().str.lower().map(_TRUTH)
    _refuse(series, values.isna().to_numpy(), column, where, problem="neither True nor False")
    return values.astype(bool)


def _number(series: pd.Series, column: Column, where: str) -> pd.Series:
    values = series
    if series.dtype.kind not in "iuf":
        values = pd.to_numeric(series.astype(str).where(series.notna()), errors="coerce")
        _refuse(
            series, (values.isna() & series.notna()).to_numpy(), column, where, problem="a value that is not a number"
        )
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(series, np.isinf(numbers), column, where, problem="an infinite value")
    if not column.may_be_missing:
        _refuse(series, np.isnan(numbers), column, where, problem="no value")
    return pd.Series(numbers, index=series.index)


def _integer(series: pd.Series, column: Column, where: str) -> pd.Series:
    if series.dtype.kind == "i":
        return series
    values = _number(series, column, where)
    numbers = values.to_numpy()
    with np.errstate(invalid="ignore"):
        fractional = (numbers != np.rint(numbers)) & ~np.isnan(numbers)
        outside = np.abs(numbers) >= 2.0**63
    _refuse(series, fractional | outside, column, where, problem="a value that is not an integer")
    return values if np.isnan(numbers).any() else values.astype(np.int64)
