"""Reads rows to score from a CSV file, stdin or Parquet, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from asteroid_ll.errors import DataError
from asteroid_ll.neo.table import find, header_key, lookup
from asteroid_ll.run.csv_text import all_restored
from asteroid_ll.scoring.files import CsvFile, ParquetTable, is_parquet, open_csv, open_parquet
from asteroid_ll.scoring.grid import Cells, Grid
from asteroid_ll.scoring.values import Batch, batch_of, orbit_columns

BATCH_ROWS = 50_000
"""Rows per batch: bounds the memory for a file of any length."""

TRANSFORM_ROWS = 200_000
"""The same for batch transform, which starts a job for each batch."""

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
    """Positions of a file's input columns, carried columns and further columns of the orbit, see `batch_of`.

    The columns of angles in ``in_degrees`` are added while its rows are read.
    """

    inputs: dict[str, int]
    carried: dict[str, int]
    n_fields: int
    optional: frozenset[str] = frozenset()
    orbit: dict[str, int] = field(default_factory=dict)
    in_degrees: set[str] = field(default_factory=set)


@contextmanager
def open_rows(
    path: Path, *, columns: Sequence[str], optional: Sequence[str] = (), batch_rows: int | None = None
) -> Iterator[RowSource]:
    """Open rows to score.

    Args:
        path: CSV in UTF-8, plain or gzip; a file that ends in ``.parquet``; or ``-`` for CSV from stdin.
        columns: canonical names of the columns that the features need; the file may use any known spelling.
        optional: canonical names of further columns, which are read if the file has them; their cells may be empty.
        batch_rows: rows per batch; None for `BATCH_ROWS`.

    Raises:
        ConfigError: the file is Parquet and pyarrow is not installed.
        DataError: the file cannot be read, is not a table, or lacks columns.
    """
    n_rows = batch_rows or BATCH_ROWS
    if is_parquet(path):
        with open_parquet(path) as table:
            layout = _layout(table.names, columns, optional=optional, shown=table.shown)
            yield RowSource(_parquet_batches(table, layout, n_rows=n_rows))
        return
    with open_csv(path) as file:
        layout = _layout(file.first_row(), columns, optional=optional, shown=file.shown)
        yield RowSource(_csv_batches(file, layout, n_rows=n_rows), file.size_bytes, file.raw.tell)


def _csv_batches(file: CsvFile, layout: _FileLayout, *, n_rows: int) -> Iterator[Batch]:
    first_row = 1
    for block in file.grids(n_rows, n_fields=layout.n_fields):
        yield _batch(block, layout, first_row=first_row)
        first_row += len(block)
    if first_row == 1:
        raise DataError(f"{file.shown} has a header but no rows.", hint="Check how the file was made.")


def _batch(block: Grid | list[list[str]], layout: _FileLayout, *, first_row: int) -> Batch:
    """Make a batch of rows of text; a row with too few or too many fields gets an error."""
    errors: dict[int, str] = {}
    positions = {*layout.inputs.values(), *layout.carried.values(), *layout.orbit.values()}
    columns: dict[int, Sequence[str]]
    if isinstance(block, Grid):
        columns = {position: block.column(position) for position in positions}
    else:
        for n, row in enumerate(block):
            if len(row) != layout.n_fields:
                errors[n] = f"{len(row)} field{'s' * (len(row) != 1)}, and the header has {layout.n_fields}"
                row += [""] * (layout.n_fields - len(row))
        columns = {position: [row[position] for row in block] for position in positions}
    cells = {name: columns[position] for name, position in layout.inputs.items()}
    carried: dict[str, Sequence[object]] = {
        name: _restored(columns[position]) for name, position in layout.carried.items()
    }
    carried = carried or {"row": range(first_row, first_row + len(block))}
    orbit = {name: columns[position] for name, position in layout.orbit.items()}
    return batch_of(
        cells,
        carried,
        errors=errors,
        first_row=first_row,
        optional=layout.optional,
        orbit=orbit,
        in_degrees=layout.in_degrees,
    )


def _restored(column: Sequence[str]) -> Sequence[str]:
    """Return the texts of a column without the apostrophes of `run.csv_text`."""
    has_none = isinstance(column, Cells) and not (column.initials == ord("'")).any()
    return column if has_none else all_restored(list(column))


def _layout(header: Sequence[str], names: Sequence[str], *, optional: Sequence[str], shown: str) -> _FileLayout:
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
    further = [name for name in optional if name in positions and name not in names]
    inputs = {name: positions[name] for name in (*names, *further)}
    orbit = {name: positions[name] for name in orbit_columns(positions) if name not in inputs}
    return _FileLayout(inputs, carried, len(header), frozenset(further), orbit)


def _parquet_batches(table: ParquetTable, layout: _FileLayout, *, n_rows: int) -> Iterator[Batch]:
    names = table.names
    positions = (*layout.inputs.values(), *layout.carried.values(), *layout.orbit.values())
    used = [names[position] for position in positions]
    first_row = 1
    for part in table.blocks(n_rows, columns=used):
        values = {name: part.column(name).to_pylist() for name in used}
        cells = {name: values[names[position]] for name, position in layout.inputs.items()}
        carried: dict[str, Sequence[object]] = {
            name: [None if value is None else str(value) for value in values[names[position]]]
            for name, position in layout.carried.items()
        }
        carried = carried or {"row": range(first_row, first_row + part.num_rows)}
        orbit = {name: values[names[position]] for name, position in layout.orbit.items()}
        yield batch_of(
            cells,
            carried,
            errors={},
            first_row=first_row,
            optional=layout.optional,
            orbit=orbit,
            in_degrees=layout.in_degrees,
        )
        first_row += part.num_rows
