"""Columns of scored rows: texts, numbers and answers, and the same as lines of CSV.

Lines are assembled as a matrix with one row per line, in which `PADDING` fills what is shorter than the widest cell.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.arrays import Bytes
from asteroid_ll.formats.text import shortest
from asteroid_ll.run.csv_text import FORMULA_STARTS, safe
from asteroid_ll.scoring.grid import MAX_WIDTH, PADDING, Cells
from asteroid_ll.scoring.numerals import matrix_of, padded_numbers, part, values_of_rows

Answers: TypeAlias = NDArray[np.int8]
"""1 for yes, 0 for no, -1 for an absent answer, shape ``(n_rows,)``."""

Column: TypeAlias = Sequence[object] | NDArray[np.floating[Any]] | Answers
"""One value per row: any values with None for an absent one; numbers with NaN for an absent one; or `Answers`."""

ABSENT = -1
_ANSWERS = (False, True, None, None)
"""Answers by their two lowest bits."""
_FORMULA_BYTES = np.isin(np.arange(256), [start.encode()[0] for start in FORMULA_STARTS])


def values_of(column: Column) -> Sequence[Any]:
    """Return the values of a column, None for an absent one; a number has the shortest digits of its type."""
    if not isinstance(column, np.ndarray):
        return column
    values: NDArray[Any] = column
    return [_ANSWERS[answer] for answer in values.tolist()] if values.dtype == np.int8 else shortest(values)


def csv_lines(columns: Sequence[Column]) -> bytes | None:
    """Return rows as lines of CSV in UTF-8; None if `csv` has to write them.

    Args:
        columns: two or more, of equal length.
    """
    if len(columns) < 2 or not any(isinstance(column, np.ndarray) for column in columns):
        return None
    pieces: list[Bytes] = []
    for are_answers, group in itertools.groupby(columns, key=_are_answers):
        if are_answers:
            pieces.append(_padded_answers(list(group)))
            continue
        for column in group:
            piece = _padded(column)
            if piece is None:
                return None
            pieces.append(piece)
    n_rows, width = len(columns[0]), sum(piece.shape[1] + 1 for piece in pieces)
    lines = np.empty((n_rows, width), np.uint8)
    at = 0
    for piece in pieces:
        if piece.shape[1]:
            part(lines, at, piece.shape[1])[:] = values_of_rows(piece)
        at += piece.shape[1] + 1
        lines[:, at - 1] = ord(",")
    lines[:, -1] = ord("\n")
    padded = lines.reshape(-1)
    text: Bytes = padded[padded != PADDING]  # bytes.translate is as fast, but no other thread can run meanwhile
    return text.tobytes()


def _are_answers(column: Column) -> bool:
    return isinstance(column, np.ndarray) and column.dtype == np.int8


def _padded(column: Column) -> Bytes | None:
    """Return the CSV of a column's cells, shape ``(n_rows, width)``; None for texts that are too long."""
    if isinstance(column, Cells):
        if column.widest > MAX_WIDTH:
            return None
        if not _FORMULA_BYTES[column.initials].any():
            return column.padded()
    if isinstance(column, np.ndarray):
        numbers: NDArray[Any] = column
        return padded_numbers(numbers)
    return _padded_texts(column)


def _padded_answers(columns: Sequence[Any]) -> Bytes:
    """Return the CSV of some adjacent columns of answers, of which there are few different rows."""
    codes = np.zeros(len(columns[0]), np.uint16)
    for column in columns:
        codes <<= 2
        codes |= column.view(np.uint8) & 3
    used = np.flatnonzero(np.bincount(codes))
    rows = ([_ANSWERS[code >> 2 * n & 3] for n in reversed(range(len(columns)))] for code in used.tolist())
    table = matrix_of(",".join("" if answer is None else str(answer) for answer in row).encode() for row in rows)
    number = np.zeros(used[-1] + 1, np.intp)
    number[used] = np.arange(len(used))
    return values_of_rows(table)[number[codes]].view(np.uint8).reshape(-1, table.shape[1])


def _padded_texts(column: Sequence[object]) -> Bytes | None:
    rows = [row for row, value in enumerate(column) if value is not None]
    texts = [_cell(column[row]) for row in rows]
    if any(len(text) > MAX_WIDTH or b"\0" in text for text in texts):
        return None
    used = matrix_of(texts)
    matrix = np.full((len(column), used.shape[1]), PADDING, np.uint8)
    matrix[rows] = used
    return matrix


def _cell(value: object) -> bytes:
    """Return a value as `csv` writes it."""
    text = str(safe(value))
    return (f'"{text.replace(chr(34), chr(34) * 2)}"' if set('",\r\n') & set(text) else text).encode()
