"""Exact duplicates among the rows of a table, one column at a time.

Rows with equal keys of 64 bits are compared value by value, so two different rows with one key are both kept.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.formats.columns import Columns, keys, repeated
from asteroid_ll.neo.orbit_grid import mixed

_COMPARED_AT_ONCE = 1 << 20


def duplicated(table: Columns) -> NDArray[np.bool_]:
    """Return True for each row that repeats an earlier one in every column; absent values are equal."""
    of_row = np.zeros(len(table), np.uint64)
    for name in table.columns:
        of_row = mixed(of_row ^ keys(table[name]))
    repeats = np.zeros(len(of_row), dtype=np.bool_)
    shared = repeated(of_row)
    for rows in _parts(shared, of_row[shared]):
        candidates = pd.DataFrame({name: table[name].iloc[rows].reset_index(drop=True) for name in table.columns})
        repeats[rows] = candidates.duplicated()
    return repeats


def _parts(rows: NDArray[np.int64], of_row: NDArray[np.uint64]) -> list[NDArray[np.int64]]:
    """Cut rows, ordered by their key, into parts for one comparison each; rows with one key are in one part."""
    starts = np.flatnonzero(of_row[1:] != of_row[:-1]) + 1
    near = np.searchsorted(starts, np.arange(_COMPARED_AT_ONCE, len(rows), _COMPARED_AT_ONCE))
    return np.split(rows, np.unique(starts[near[near < len(starts)]])) if len(rows) else []
