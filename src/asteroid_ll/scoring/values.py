"""A batch of rows to score: the cells of a file as numbers, with an error for each row without usable numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.neo.ranges import (
    MIN_FAR_PERIHELION_AU,
    PLACEHOLDER_MAGNITUDE_MAG,
    WORST_UNCERTAINTY,
    radians,
    refusals,
)
from asteroid_ll.scoring.cells import MAX_SHOWN, finite_numbers, is_missing, refusal

_PERIHELION, _AXIS, _ECCENTRICITY = "perihelion_distance_au", "semi_major_axis_au", "eccentricity"
_NO_COLUMNS: Mapping[str, Sequence[object]] = MappingProxyType({})


@dataclass(frozen=True)
class Batch:
    """Some rows, in the order of their source.

    Attributes:
        carried: columns that are copied to the output, such as identity and name, by their output name.
        inputs: canonical columns that the features and the rule are made of, shape ``(n_rows,)`` each; any number in a
            row with an error.
        errors: the reason why a row (0-based) cannot be scored.
        first_row: number of the first row in its source, from 1.
        named_by: carried column whose value names a row in messages; if empty, the row's number is used.
    """

    carried: Mapping[str, Sequence[object]]
    inputs: Mapping[str, NDArray[np.float64]]
    errors: Mapping[int, str]
    first_row: int = 1
    named_by: str = ""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.carried.values())))

    def place(self, n: int) -> str:
        """Return the name of the batch's row ``n`` (0-based) in messages."""
        return str(self.carried[self.named_by][n]) if self.named_by else f"Data row {self.first_row + n}"


def batch_of(
    cells: Mapping[str, Sequence[object]],
    carried: Mapping[str, Sequence[object]],
    *,
    errors: Mapping[int, str],
    first_row: int = 1,
    named_by: str = "",
    optional: Collection[str] = (),
    orbit: Mapping[str, Sequence[object]] = _NO_COLUMNS,
    in_degrees: set[str] | None = None,
) -> Batch:
    """Make a batch from the cells of a file.

    Args:
        cells: cells of the input columns by canonical name: texts, numbers or None.
        carried: columns that are copied to the output.
        errors: the errors of rows (0-based) as a whole.
        first_row: number of the first row in its source, from 1.
        named_by: see `Batch`.
        optional: input columns whose cells may be empty, which are NaN then.
        orbit: cells of the `orbit_columns` that are not among the input columns; they may be anything.
        in_degrees: columns of angles that the batches before this one have shown to be in degrees, see `radians`.

    Returns:
        The batch. An unknown orbit uncertainty counts as the worst, as in the cleaned table.
    """
    n_rows = len(next(iter(cells.values())))

    def are_far() -> NDArray[np.bool_]:
        return _are_far({**orbit, **cells}, n_rows=n_rows)

    row_errors = dict(errors)
    columns = {}
    for name, values in cells.items():
        columns[name], reasons = numbers(name, values, are_far=are_far)
        for row, reason in reasons.items():
            if name not in optional or not is_missing(values[row]):
                row_errors.setdefault(row, reason)
    batch = Batch(carried, columns, row_errors, first_row, named_by)
    for reason in radians(columns, in_degrees=in_degrees).values():
        for row in range(len(batch)):
            row_errors.setdefault(row, reason)
    return batch


def orbit_columns(names: Collection[str]) -> tuple[str, ...]:
    """Return which of a table's columns show whether an orbit stays far from the Earth; none if they do not."""
    if _PERIHELION in names:
        return (_PERIHELION,)
    return (_AXIS, _ECCENTRICITY) if {_AXIS, _ECCENTRICITY} <= set(names) else ()


def _are_far(cells: Mapping[str, Sequence[object]], *, n_rows: int) -> NDArray[np.bool_]:
    """Return which rows have an orbit that stays far from the Earth; those without a known orbit do not."""
    known = [finite_numbers(cells[name])[0] for name in orbit_columns(cells)]
    if not known:
        return np.zeros(n_rows, np.bool_)
    with np.errstate(invalid="ignore", over="ignore"):
        perihelion_au = known[0] if len(known) == 1 else known[0] * (1 - known[1])
    return np.asarray(perihelion_au >= MIN_FAR_PERIHELION_AU)


def numbers(
    name: str, values: Sequence[object], *, are_far: Callable[[], NDArray[np.bool_]] | None = None
) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Return a column as numbers, and the error of each row (0-based) without a usable or possible number.

    Args:
        name: canonical name of the column.
        values: texts, numbers or None.
        are_far: returns which rows have an orbit far from the Earth, see `refusals`.
    """
    column, finite = finite_numbers(values)
    if name == "orbit_uncertainty":
        missing = [row for row in np.flatnonzero(np.isnan(column)).tolist() if is_missing(values[row])]
        column[missing], finite[missing] = WORST_UNCERTAINTY, True
    is_placeholder = column >= PLACEHOLDER_MAGNITUDE_MAG if name == "absolute_magnitude_mag" else np.zeros_like(finite)
    reasons = refusals(name, column, are_far=are_far) | {
        row: refusal(name, values[row]) for row in np.flatnonzero(~finite).tolist()
    }
    for row in np.flatnonzero(finite & is_placeholder).tolist():
        reasons[row] = f"{name} is a placeholder: {str(values[row])[:MAX_SHOWN]}"
    return column, reasons
