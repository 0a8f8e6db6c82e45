"""Exact duplicates among the rows of a table, one column at a time.

Rows with equal keys of 64 bits are compared value by value, so two different rows with one key are both kept.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.formats.columns import Columns
from asteroid_ll.neo.orbit_grid import mixed

_COMPARED_AT_ONCE = 1 << 20


def duplicated(table: Columns) -> NDArray[np.bool_]:
    """Return True for each row that repeats an earlier one in every column; absent values are equal."""
    keys = np.zeros(len(table), np.uint64)
    for name in table.columns:
        keys = mixed(keys ^ _bits(table[name]))
    repeats = np.zeros(len(keys), dtype=np.bool_)
    shared = np.flatnonzero(pd.Series(keys).duplicated(keep=False))
    for rows in _parts(shared, keys[shared]):
        candidates = pd.DataFrame({name: table[name].iloc[rows].reset_index(drop=True) for name in table.columns})
        repeats[rows] = candidates.duplicated()
    return repeats


def _bits(values: pd.Series) -> NDArray[np.uint64]:
    """Return a number per value, the same for equal values."""
    if values.dtype.kind == "f":
        numbers = values.to_numpy(dtype=np.float64) + 0.0  # -0.0 is equal to 0.0
        numbers[np.isnan(numbers)] = np.nan
        return numbers.view(np.uint64)
    if values.dtype.kind in "biu":
        return values.to_numpy().astype(np.int64).view(np.uint64)
    return np.asarray(pd.util.hash_array(values.to_numpy(dtype=object), categorize=False))


def _parts(rows: NDArray[np.int64], keys: NDArray[np.uint64]) -> list[NDArray[np.int64]]:
    """Return rows in parts for one comparison each; rows with one key are in one part, in ascending order."""
    if not rows.size:
        return []
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    near = np.searchsorted(starts, np.arange(_COMPARED_AT_ONCE, len(rows), _COMPARED_AT_ONCE))
    return np.split(rows[order], np.unique(starts[near[near < len(starts)]]))
