"""Reads another's predictions of the benchmark: one row per asteroid, with a score, a label, or both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.thresholds import DEFAULT_THRESHOLD
from asteroid_ll.neo.table import header_key
from asteroid_ll.scoring.cells import MAX_SHOWN, as_number
from asteroid_ll.scoring.files import open_csv

COLUMNS = ("designation", "score", "hazardous")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_ALL_ROWS = "asteroid-ll benchmark --write-folds folds.csv   writes every designation, with its fold."
_MANY_ROWS = 1 << 16


@dataclass(frozen=True)
class _Rows:
    """The cells of a file by column, and its name in messages."""

    shown: str
    cells: dict[str, list[str]]

    def refuse(self, row: int, problem: str, *, hint: str) -> DataError:
        """Return the error of a row (0-based)."""
        return DataError(f"{self.shown}, data row {row + 1}: {problem}.", hint=hint, row=row + 1)


def read_predictions(path: Path, *, designations: Sequence[str]) -> Predictions:
    """Read predictions, in the order of the table.

    Args:
        path: CSV in UTF-8, plain or gzip, or ``-`` for stdin. The column ``designation`` names the asteroid, by number
            or provisional designation; case and blanks do not matter. ``score`` is a probability, ``hazardous`` a label
            (true, false, 1, 0, yes or no). One of them may be missing: without labels, a score above 0.5 counts as
            hazardous. Other columns are ignored.
        designations: the table's asteroids, shape ``(n,)``, each once.

    Raises:
        DataError: the file is not such a table: an unknown asteroid, one twice, one missing, or a bad score or label.
    """
    rows = _read(path)
    place = _places(rows, designations)
    scores = _scores(rows)[place] if "score" in rows.cells else None
    if "hazardous" in rows.cells:
        return Predictions(_labels(rows)[place], scores)
    assert scores is not None
    return Predictions(scores > DEFAULT_THRESHOLD, scores)


def _read(path: Path) -> _Rows:
    with open_csv(path) as file:
        header = [header_key(name) for name in file.first_row()]
        missing = "designation" not in header or not {"score", "hazardous"} & set(header)
        if missing or any(header.count(name) > 1 for name in COLUMNS):
            raise DataError(
                f"{file.shown} needs the column designation, and score or hazardous or both, each once; "
                f"it has {', '.join(header[:20]) or 'none'}.",
                hint=_ALL_ROWS,
            )
        rows = [row for block in file.blocks(_MANY_ROWS) for row in block]
        for number, row in enumerate(rows):
            if len(row) != len(header):
                what = f"{len(row)} fields, and the header has {len(header)}"
                raise _Rows(file.shown, {}).refuse(number, what, hint="Correct that line.")
        cells = {name: [row[header.index(name)] for row in rows] for name in COLUMNS if name in header}
    return _Rows(file.shown, cells)


def _places(rows: _Rows, designations: Sequence[str]) -> NDArray[np.intp]:
    """Return the file's row of each asteroid of the table."""
    number_of = {_key(designation): number for number, designation in enumerate(designations)}
    place = np.full(len(designations), -1, dtype=np.intp)
    for row, text in enumerate(rows.cells["designation"]):
        number = number_of.get(_key(text))
        if number is None:
            raise rows.refuse(row, f"the catalogue has no asteroid {text[:MAX_SHOWN]!r}", hint=_ALL_ROWS)
        if place[number] >= 0:
            what = f"{designations[number]} is there already, in data row {place[number] + 1}"
            raise rows.refuse(row, what, hint="Keep one row per asteroid.")
        place[number] = row
    absent = np.flatnonzero(place < 0)
    if absent.size:
        raise DataError(
            f"{rows.shown} lacks {absent.size:,} of the {len(designations):,} asteroids, the first of them "
            f"{designations[absent[0]]}.",
            hint=_ALL_ROWS,
        )
    return place


def _scores(rows: _Rows) -> NDArray[np.float64]:
    values = np.array([as_number(text.strip()) for text in rows.cells["score"]], dtype=np.float64)
    bad = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if bad.size:
        text = rows.cells["score"][bad[0]][:MAX_SHOWN]
        raise rows.refuse(int(bad[0]), f"the score {text!r} is not a number from 0 to 1", hint="Give probabilities.")
    return values


def _labels(rows: _Rows) -> NDArray[np.bool_]:
    labels = [_TRUTH.get(text.strip().lower()) for text in rows.cells["hazardous"]]
    if None in labels:
        row = labels.index(None)
        text = rows.cells["hazardous"][row][:MAX_SHOWN]
        raise rows.refuse(row, f"hazardous is {text!r}, neither true nor false", hint="Write true or false.")
    return np.array(labels, dtype=np.bool_)


def _key(text: str) -> str:
    return re.sub(r"[\s_]+", "", text).casefold()
