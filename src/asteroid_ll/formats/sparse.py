"""Sparse matrices and their recordIO-protobuf encoding.

A sparse record's tensor has the values, their column numbers (``keys``, ascending) and the number of columns
(``shape``, mandatory).

Source: the SageMaker developer guide, "Common data formats for training", protobuf recordIO.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Bytes, Float32Array, Int64Array
from asteroid_ll.formats.frames import MAGIC_BYTES
from asteroid_ll.formats.protobuf import FEATURES, LABEL, tensor_prefix, varint
from asteroid_ll.formats.record_row import MAX_COLUMNS

_BLOCK_ELEMENTS = 1 << 22


@dataclass(frozen=True, eq=False)
class CsrMatrix:
    """A sparse float32 matrix in compressed rows with read-only arrays.

    Attributes:
        indptr: int64, shape ``(n + 1,)``: row i has the values ``indptr[i]`` to ``indptr[i + 1] - 1``.
        indices: int32, shape ``(n_values,)``: the column of each value, ascending and distinct within a row.
        values: float32, shape ``(n_values,)``.
        shape: ``(n, d)``.

    Raises:
        DataError: the arrays do not describe a matrix of this shape.
    """

    indptr: Int64Array
    indices: npt.NDArray[np.int32]
    values: Float32Array
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        """Make read-only views of the arrays and check them."""
        for name, dtype in (("indptr", np.int64), ("indices", np.int32), ("values", np.float32)):
            view = np.asarray(getattr(self, name), dtype).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        n_rows, n_columns = self.shape
        n_values = len(self.values)
        if self.indptr.shape != (n_rows + 1,) or self.indices.shape != (n_values,) or not n_columns <= MAX_COLUMNS:
            raise DataError(
                f"A sparse matrix of shape {self.shape} has one pointer for each row and one column for each value."
            )
        if self.indptr[0] != 0 or self.indptr[-1] != n_values or (np.diff(self.indptr) < 0).any():
            raise DataError(f"The rows of a sparse matrix must cover its {n_values} values in order.")
        if n_values and not (self.indices.min() >= 0 and self.indices.max() < n_columns):
            raise DataError(f"A sparse matrix of {n_columns} columns has a value outside of them.")
        starts = np.zeros(n_values + 1, np.bool_)
        starts[self.indptr] = True
        if n_values and not ((np.diff(self.indices) > 0) | starts[1:-1]).all():
            raise DataError("The columns of a sparse row must be ascending and distinct.")

    @classmethod
    def from_dense(cls, dense: Float32Array) -> CsrMatrix:
        """Return the sparse form of a dense array of shape ``(n, d)``."""
        n_rows, n_columns = dense.shape
        step = max(1, _BLOCK_ELEMENTS // max(1, n_columns))
        counts, indices, values = [np.zeros(1, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
        for start in range(0, n_rows, step):
            block = np.asarray(dense[start : start + step], np.float32)
            row, column = np.nonzero(block)
            counts.append(np.bincount(row, minlength=len(block)))
            indices.append(column.astype(np.int32))
            values.append(block[row, column])
        indptr = np.cumsum(np.concatenate(counts), dtype=np.int64)
        return cls(indptr, np.concatenate(indices), np.concatenate(values), (n_rows, n_columns))

    @classmethod
    def stack(cls, parts: Sequence[CsrMatrix]) -> CsrMatrix:
        """Stack one or more matrices of equal width."""
        counts = [np.zeros(1, np.int64), *(np.diff(part.indptr) for part in parts)]
        n_rows = sum(part.shape[0] for part in parts)
        return cls(
            np.cumsum(np.concatenate(counts), dtype=np.int64),
            np.concatenate([part.indices for part in parts]),
            np.concatenate([part.values for part in parts]),
            (n_rows, parts[0].shape[1]),
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> CsrMatrix:
        """Return consecutive rows without a copy of their values."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"rows of a sparse matrix must be consecutive, not in steps of {step}")
        stop = max(start, stop)
        indptr = self.indptr[start : stop + 1]
        inside = slice(indptr[0], indptr[-1])
        return CsrMatrix(indptr - indptr[0], self.indices[inside], self.values[inside], (stop - start, self.shape[1]))

    def toarray(self) -> Float32Array:
        """Return a new dense array, shape ``(n, d)``."""
        dense = np.zeros(self.shape, np.float32)
        dense[np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices] = self.values
        return dense


def encode(features: CsrMatrix, labels: Float32Array | None = None) -> bytes:
    """Encode rows as sparse recordIO-protobuf, byte for byte as a protobuf runtime would.

    Args:
        features: shape ``(n, d)``, d >= 1. A stored zero is written; an empty row has only its shape.
        labels: float32, shape ``(n,)``, or None for records without a label (inference).

    Raises:
        DataError: the shapes do not fit.
    """
    return b"".join(_pieces(features, checked_labels(features.shape, labels)))


def checked_labels(shape: tuple[int, ...], labels: npt.ArrayLike | None) -> Float32Array | None:
    """Return the labels as float32 after a check of the features' shape and theirs."""
    if len(shape) != 2 or not shape[1]:
        raise DataError(f"Records need a matrix with at least one column, but the shape is {shape}.")
    if labels is None:
        return None
    values = np.asarray(labels, "<f4")
    if values.shape != shape[:1]:
        raise DataError(f"{shape[0]} rows need as many labels, but their shape is {values.shape}.")
    return values


def _pieces(features: CsrMatrix, labels: Float32Array | None) -> Iterator[bytes | memoryview]:
    values = memoryview(features.values.astype("<f4").tobytes())
    packed, lengths = _pack(features.indices)
    keys = memoryview(packed.tobytes())
    # The offset of each row's keys in the packed bytes.
    key_bounds = np.concatenate([[0], np.cumsum(lengths)])[features.indptr].tolist()
    bounds = features.indptr.tolist()
    n_columns = varint(features.shape[1])
    shape = b"\x1a" + varint(len(n_columns)) + n_columns
    label_head = b"" if labels is None else tensor_prefix(LABEL, 1)
    label_bytes = b"" if labels is None else labels.tobytes()
    for row in range(len(features)):
        value_bytes = values[4 * bounds[row] : 4 * bounds[row + 1]]
        key_bytes = keys[key_bounds[row] : key_bounds[row + 1]]
        label = label_bytes[4 * row : 4 * row + 4]
        head, n_payload = _head(len(value_bytes), len(key_bytes), len(shape))
        n_payload += len(label_head) + len(label)
        yield MAGIC_BYTES + n_payload.to_bytes(4, "little") + head
        if value_bytes:
            yield value_bytes
            yield b"\x12" + varint(len(key_bytes))
            yield key_bytes
        yield shape + label_head + label + bytes(-n_payload % 4)


@lru_cache(maxsize=4096)
def _head(n_value_bytes: int, n_key_bytes: int, n_shape: int) -> tuple[bytes, int]:
    """Return the bytes before the values of a sparse tensor, and the length of the whole feature map's entry."""
    values = b"\x0a" + varint(n_value_bytes) if n_value_bytes else b""
    n_keys = len(varint(n_key_bytes)) + 1 + n_key_bytes if n_value_bytes else 0
    n_tensor = len(values) + n_value_bytes + n_keys + n_shape
    value = b"\x12" + varint(n_tensor)
    entry = b"\x0a\x06values\x12" + varint(len(value) + n_tensor) + value
    head = bytes([FEATURES << 3 | 2]) + varint(len(entry) + n_tensor) + entry + values
    return head, len(head) - len(values) + n_tensor


def _pack(numbers: npt.NDArray[np.int32]) -> tuple[Bytes, Int64Array]:
    """Return concatenated varints and the length of each."""
    lengths = 1 + sum(
        ((numbers >= 1 << bits).astype(np.int64) for bits in (7, 14, 21, 28)), np.zeros(len(numbers), np.int64)
    )
    starts = np.cumsum(lengths) - lengths
    out = np.empty(int(lengths.sum()), np.uint8)
    for place in range(int(lengths.max(initial=0))):
        has = lengths > place
        last = lengths[has] == place + 1
        out[starts[has] + place] = (numbers[has] >> 7 * place & 0x7F) | np.where(last, 0, 0x80)
    return out, lengths
