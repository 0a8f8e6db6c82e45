"""Rows whose columns are the features of a model, in order, and the columns of its answers.

The rows are those of CSV, stdin or Parquet, and are read a bounded number at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.formats.payload import Scores
from asteroid_ll.formats.text import shortest
from asteroid_ll.run.csv_text import restored
from asteroid_ll.scoring.cells import as_number, finite_numbers, is_missing, refusal
from asteroid_ll.scoring.files import MAX_LINE_CHARACTERS, CsvFile, ParquetTable, is_parquet, open_csv, open_parquet
from asteroid_ll.scoring.grid import Grid

BLOCK_CELLS = 2_000_000
"""Cells per block: bounds the memory for a file of any length and width."""

_CELL_CHARACTERS = 64
_CELL_HINT = "Correct the cell. --header skips a first line of names; --id-column NAME leaves a column out."
_WIDTH_HINT = "The columns are the features in the model's order; --id-column NAME leaves a column out."


@dataclass(frozen=True)
class Block:
    """Some rows in the order of their file.

    Attributes:
        features: shape ``(n, d)``, finite.
        ids: the texts of the id column; None without one.
    """

    features: Float32Array
    ids: Sequence[str | None] | None


@dataclass(frozen=True)
class _Layout:
    """The columns of a file.

    Attributes:
        shown: name of the file in messages.
        names: of all columns; empty without a header.
        n_features: number of features.
        id_position: position of the id column, None without one.
    """

    shown: str
    names: Sequence[str]
    n_features: int
    id_position: int | None

    @property
    def n_columns(self) -> int:
        """Number of columns, the id included."""
        return self.n_features + (self.id_position is not None)

    def check(self, n_columns: int, *, place: str = "") -> None:
        """Refuse a row, or the file, with another number of columns."""
        if n_columns != self.n_columns:
            takes = f"the model takes {_counted(self.n_features, 'feature')}"
            takes += " beside the id" if self.id_position is not None else ""
            raise DataError(f"{self.shown}{place} has {_counted(n_columns, 'column')}, and {takes}.", hint=_WIDTH_HINT)

    def block(self, columns: Sequence[Sequence[object]], *, first_row: int) -> Block:
        """Return rows, given by their columns, as numbers."""
        ids: list[str | None] | None = None
        matrix = np.empty((len(columns[0]), self.n_features), np.float32)
        refused: tuple[int, int] | None = None
        feature = 0
        for position, cells in enumerate(columns):
            if position == self.id_position:
                ids = [None if cell is None else restored(str(cell)) for cell in cells]
                continue
            numbers, finite = finite_numbers(cells)
            if not finite.all():
                place = (int(np.argmin(finite)), position)
                refused = min(refused or place, place)
            else:
                matrix[:, feature] = numbers
            feature += 1
        if refused is not None:
            row, position = refused
            name = f"column {position + 1}" + (f" ({self.names[position]})" if self.names else "")
            what = f"{self.shown}, data row {first_row + row}: {refusal(name, columns[position][row])}."
            raise DataError(what, hint=_CELL_HINT, row=first_row + row, column=position + 1)
        return Block(matrix, ids)


@contextmanager
def open_matrix(
    path: Path, *, n_features: int, id_column: str | None = None, has_header: bool | None = None
) -> Iterator[Iterator[Block]]:
    """Open rows whose columns are features.

    Args:
        path: CSV in UTF-8, plain or gzip; a file that ends in ``.parquet``; or ``-`` for CSV from stdin.
        n_features: number of features per row.
        id_column: name of a column that is not a feature; None if every column is one.
        has_header: whether the first line of CSV has names; None if that can be seen: none of its cells is a number.

    Yields:
        The rows. Reading them raises DataError for a row with another number of columns, and for a cell that is not a
        finite float32.

    Raises:
        ConfigError: the file is Parquet and pyarrow is not installed, or an id column is named without a header.
        DataError: the file cannot be read, has no rows, no such id column, or another number of columns.
    """
    if is_parquet(path):
        with open_parquet(path) as table:
            layout = _layout(table.shown, table.names, n_features, id_column=id_column)
            layout.check(len(table.names))
            yield _parquet_blocks(table, layout)
        return
    if id_column is not None and has_header is False:
        raise ConfigError("--id-column names a column of the header.", hint="Leave out --no-header.")
    with open_csv(path, max_line_characters=max(MAX_LINE_CHARACTERS, _CELL_CHARACTERS * n_features)) as file:
        first = file.first_row()
        if not first:
            raise DataError(f"{file.shown} has no rows.", hint="Check how the file was made.")
        is_header = _is_header(first, shown=file.shown) if has_header is None and id_column is None else has_header
        names = first if is_header is not False else []
        layout = _layout(file.shown, names, n_features, id_column=id_column)
        layout.check(len(first))
        yield _csv_blocks(file, layout, first=[] if names else [first])


def _layout(shown: str, names: Sequence[str], n_features: int, *, id_column: str | None) -> _Layout:
    position = None
    if id_column is not None:
        if list(names).count(id_column) != 1:
            problem = f"no column {id_column!r}" if id_column not in names else f"the column {id_column!r} twice"
            raise DataError(f"{shown} has {problem}.", hint=f"Its columns are {', '.join(names[:20])}.")
        position = list(names).index(id_column)
    return _Layout(shown, names, n_features, position)


def _is_header(row: Sequence[str], *, shown: str) -> bool:
    """Return whether the first row has names: none of its cells is a number.

    Raises:
        DataError: it is 0, 1, 2 and so on, which can be either.
    """
    if row == [str(number) for number in range(len(row))]:
        raise DataError(
            f"The first line of {shown} counts from 0, so it may be a header or a row.",
            hint="Add --header or --no-header.",
        )
    return not any(_is_number(cell) for cell in row) and not all(map(is_missing, row))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is_number(cell: str) -> bool:
    return as_number(cell) == as_number(cell)  # NaN is not equal to itself


def _csv_blocks(file: CsvFile, layout: _Layout, *, first: list[list[str]]) -> Iterator[Block]:
    n_rows = max(1, BLOCK_CELLS // layout.n_columns)
    number = 1
    for block in chain([first] if first else [], file.grids(n_rows, n_fields=layout.n_columns)):
        if isinstance(block, Grid):
            yield layout.block([block.column(position) for position in range(layout.n_columns)], first_row=number)
        else:
            for row, cells in enumerate(block):
                layout.check(len(cells), place=f", data row {number + row},")
            yield layout.block(list(zip(*block, strict=True)), first_row=number)
        number += len(block)
    if number == 1:
        raise DataError(f"{file.shown} has a header but no rows.", hint="Check how the file was made.")


def _parquet_blocks(table: ParquetTable, layout: _Layout) -> Iterator[Block]:
    n_rows = max(1, BLOCK_CELLS // layout.n_columns)
    number = 1
    for part in table.blocks(n_rows, columns=table.names):
        yield layout.block([column.to_pylist() for column in part.columns], first_row=number)
        number += part.num_rows


def answers(scores: Scores, *, is_flat: bool) -> dict[str, Sequence[object]]:
    """Return the columns of an endpoint's answers: ``score`` and, for classifiers, ``predicted_label``.

    Args:
        scores: the scores of some rows.
        is_flat: give each class of a multiclass model a column, ``score_0``, ``score_1`` and so on, not one list.

    Returns:
        Float32 scores in their shortest digits, the same in every format; None for a score that is not finite.
    """
    columns: dict[str, Sequence[object]] = {"score": shortest(scores.score)}
    if scores.score.ndim == 2 and is_flat:
        columns = {f"score_{number}": shortest(column) for number, column in enumerate(scores.score.T)}
    if scores.predicted_label is not None:
        columns["predicted_label"] = scores.predicted_label.tolist()
    return columns


def ids_of(block: Block, name: str | None, *, beside: Mapping[str, object]) -> dict[str, Sequence[object]]:
    """Return the id column of a block by its name; nothing without one.

    Raises:
        ConfigError: a column beside it has the same name.
    """
    if block.ids is None or name is None:
        return {}
    if name in beside:
        raise ConfigError(f"The id column {name!r} has the name of a column of the scores.", hint="Rename it.")
    return {name: block.ids}
