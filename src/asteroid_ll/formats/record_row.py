"""The row of numbers of a parsed record, dense or sparse, of any number type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.formats.protobuf import Record, Tensor

MAX_COLUMNS = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Row:
    """The numbers of one record.

    Attributes:
        keys: the column of each value, int32, ascending; every column for a dense record.
        values: float32; float64 and int32 are rounded.
        width: number of columns.
        is_sparse: whether the record lists its columns, or has a shape but no values.
        label: None if the record has none.
        offset: byte offset of the feature tensor, for messages.
    """

    keys: npt.NDArray[np.int32]
    values: Float32Array
    width: int
    is_sparse: bool
    label: np.float32 | None
    offset: int


def row_of(record: Record) -> Row:
    """Check a record and return its row.

    Raises:
        DataError: a tensor ``values`` is missing, a sparse tensor is inconsistent, a label is not one value, or a value
            is beyond float32. The message has the byte offset.
    """
    tensor = _values(record, record.features)
    width = _width(tensor)
    values = _float32(tensor)
    is_sparse = bool(tensor.keys) or bool(tensor.shape and not len(values))
    if tensor.keys:
        keys = np.array(tensor.keys, np.int32)
        order = np.argsort(keys)
        keys, values = keys[order], values[order]
    else:
        keys = np.arange(len(values), dtype=np.int32)
    return Row(keys, values, width, is_sparse, _label(record), tensor.offset)


def _label(record: Record) -> np.float32 | None:
    if not record.label:
        return None
    tensor = _values(record, record.label)
    if len(tensor.values) != 1:
        raise DataError(f"The label at byte {tensor.offset} has {len(tensor.values)} values instead of one.")
    return np.float32(_float32(tensor)[0])


def _values(record: Record, tensors: dict[str, Tensor]) -> Tensor:
    if "values" not in tensors:
        raise DataError(f"The record at byte {record.offset} has no tensor 'values'.")
    return tensors["values"]


def _width(tensor: Tensor) -> int:
    """Return the number of columns of a tensor, checked against its keys and shape."""
    n_values = len(tensor.values)
    width = tensor.shape[-1] if tensor.shape else n_values
    if width > MAX_COLUMNS:
        raise DataError(f"The {width} columns of the tensor at byte {tensor.offset} do not fit in memory.")
    if tensor.keys:
        if len(tensor.keys) != n_values or not tensor.shape:
            raise DataError(f"The sparse tensor at byte {tensor.offset} needs a shape and one key per value.")
        if max(tensor.keys) >= width or len(set(tensor.keys)) != n_values:
            raise DataError(f"The sparse tensor at byte {tensor.offset} has a repeated key, or one beyond {width - 1}.")
    elif n_values and n_values != width:
        raise DataError(f"The tensor at byte {tensor.offset} has {n_values} values, but a width of {width}.")
    return width


def _float32(tensor: Tensor) -> Float32Array:
    with np.errstate(over="ignore"):
        values = tensor.values.astype(np.float32)
    if np.isinf(values).any() and not np.isinf(tensor.values.astype(np.float64)).any():
        raise DataError(f"The tensor at byte {tensor.offset} has a value beyond float32's range.")
    return values
