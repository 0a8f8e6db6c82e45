"""Dense arrays from parsed records, whatever the layout of their tensors: dense or sparse, any number type."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.protobuf import Record, Tensor

Float32: TypeAlias = npt.NDArray[np.float32]

_MAX_DENSE_BYTES = 1 << 32


def assemble(records: list[Record]) -> tuple[Float32, Float32 | None]:
    """Stack at least one parsed record into dense arrays.

    Returns:
        ``(features, labels)``: float32, shapes ``(n, d)`` and ``(n,)``; labels are None where no record has one.
        float64 and int32 values are rounded to float32.

    Raises:
        DataError: widths differ, only some records have a label, a sparse tensor is inconsistent, a value is beyond
            float32, or the dense matrix would take more than 4 GiB; it names the byte offset.
    """
    tensors = [_values(record, record.features) for record in records]
    widths = [_width(tensor) for tensor in tensors]
    n_columns = widths[0]
    if len(records) * n_columns * 4 > _MAX_DENSE_BYTES:
        raise DataError(
            f"{len(records)} rows of {n_columns} columns do not fit in memory once dense.",
            hint="Split the data into smaller files.",
        )
    features = np.zeros((len(records), n_columns), np.float32)
    for row, (tensor, width) in enumerate(zip(tensors, widths, strict=True)):
        if width != n_columns:
            raise DataError(f"The record at byte {tensor.offset} has {width} features, the first has {n_columns}.")
        if len(tensor.values):
            features[row, tensor.keys or slice(None)] = _float32(tensor)
    return features, _labels(records)


def _labels(records: list[Record]) -> Float32 | None:
    labelled = [record for record in records if record.label]
    if not labelled:
        return None
    if len(labelled) != len(records):
        bare = next(record for record in records if not record.label)
        raise DataError(f"The record at byte {bare.offset} has no label, but others have one.")
    labels = np.empty(len(records), np.float32)
    for row, record in enumerate(records):
        tensor = _values(record, record.label)
        if len(tensor.values) != 1:
            raise DataError(f"The label at byte {tensor.offset} has {len(tensor.values)} values instead of one.")
        labels[row] = _float32(tensor)[0]
    return labels


def _values(record: Record, tensors: dict[str, Tensor]) -> Tensor:
    if "values" not in tensors:
        raise DataError(f"The record at byte {record.offset} has no tensor 'values'.")
    return tensors["values"]


def _width(tensor: Tensor) -> int:
    """The dense width of a tensor, checked against its keys and shape."""
    n_values = len(tensor.values)
    width = tensor.shape[-1] if tensor.shape else n_values
    if tensor.keys:
        if len(tensor.keys) != n_values or not tensor.shape:
            raise DataError(f"The sparse tensor at byte {tensor.offset} needs a shape and one key a value.")
        if max(tensor.keys) >= width or len(set(tensor.keys)) != n_values:
            raise DataError(f"The sparse tensor at byte {tensor.offset} has a repeated key, or one beyond {width - 1}.")
    elif n_values and n_values != width:
        raise DataError(f"The tensor at byte {tensor.offset} has {n_values} values, but a width of {width}.")
    return width


def _float32(tensor: Tensor) -> Float32:
    with np.errstate(over="ignore"):
        values = tensor.values.astype(np.float32)
    if np.isinf(values).any() and not np.isinf(tensor.values.astype(np.float64)).any():
        raise DataError(f"The tensor at byte {tensor.offset} has a value beyond float32's range.")
    return values
