"""Equal values of a long column, by sorting. A hash table of millions of texts waits for the memory most of its time.

Texts are sorted by hashes of 64 bits. Texts with equal hashes are compared, so the results are exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_FEW = 1 << 18
"""Rows up to which a hash table is as fast, because it fits into the processor's cache."""


def keys(values: pd.Series) -> npt.NDArray[np.uint64]:
    """Return a number per value, the same for equal values; absent ones are equal. Two texts can have one number."""
    if values.dtype.kind == "f":
        numbers = values.to_numpy(dtype=np.float64) + 0.0  # -0.0 is equal to 0.0
        numbers[np.isnan(numbers)] = np.nan
        return numbers.view(np.uint64)
    if values.dtype.kind in "biu":
        return values.to_numpy().astype(np.int64).view(np.uint64)
    return np.asarray(pd.util.hash_array(values.to_numpy(dtype=object), categorize=False))


def repeated(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the places of all numbers that occur more than once, those of one number side by side and ascending."""
    order, is_new = _sorted(numbers)
    is_repeated = ~(is_new & np.append(is_new[1:], True))
    # Number of the value in the upper half, place in the lower one: one sort of integers puts both in order.
    value_and_place = (np.cumsum(is_new)[is_repeated] << 32) | order[is_repeated]
    value_and_place.sort()
    return np.asarray(value_and_place & 0xFFFFFFFF)


def codes(values: pd.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the distinct values, in no particular order.

    Returns:
        The code of each row, and the first row of each code.
    """
    order, is_new = _sorted(keys(values)) if len(values) > _FEW else (None, None)
    if order is None or is_new is None or _clash(values, order, is_new):
        code, _ = pd.factorize(values.to_numpy(dtype=object), use_na_sentinel=False)
        return code, np.unique(code, return_index=True)[1]
    code = np.empty(len(order), np.int64)
    code[order] = np.cumsum(is_new) - 1
    starts = np.flatnonzero(is_new)
    return code, np.minimum.reduceat(order, starts) if len(starts) else starts


def n_distinct(values: pd.Series) -> int:
    """Return the number of distinct values, absent ones not counted."""
    if len(values) <= _FEW:
        return int(values.nunique())
    present = values.dropna() if values.dtype.kind not in "biu" else values
    if values.dtype.kind in "biuf":
        numbers = np.sort(keys(present))
        return int(np.count_nonzero(numbers[1:] != numbers[:-1])) + min(1, len(numbers))
    order, is_new = _sorted(keys(present))
    return int(present.nunique() if _clash(present, order, is_new) else np.count_nonzero(is_new))


def _sorted(numbers: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the places of the numbers in ascending order, and whether each of them differs from the one before."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    return order, np.concatenate([np.ones(min(1, len(order)), np.bool_), ordered[1:] != ordered[:-1]])


def _clash(values: pd.Series, order: npt.NDArray[np.int64], is_new: npt.NDArray[np.bool_]) -> bool:
    """Return whether two different texts have one key."""
    if values.dtype.kind in "biuf":
        return False
    texts = values.to_numpy(dtype=object)
    repeats = np.flatnonzero(~is_new)
    one, other = texts[order[repeats]], texts[order[repeats - 1]]
    return bool(((one != other) & ((one == one) | (other == other))).any())  # an absent text is NaN
