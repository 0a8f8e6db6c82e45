"""Sparse matrices and their recordIO-protobuf encoding.

A sparse record's tensor has the values, their column numbers (``keys``, ascending) and the number of columns
(``shape``, mandatory).

Source: the SageMaker developer guide, "Common data formats for training", protobuf recordIO.

The reader takes any layout, in blocks of records. Its memory is a small multiple of the file. Sparse float32 records
in a protobuf runtime's layout are decoded all at once, others one by one by ``asteroid_ll.formats.protobuf``, with the
same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Bools, Bytes, Float32Array, Int64Array
from asteroid_ll.formats.protobuf import (
    FEATURES,
    LABEL,
    MAGIC_BYTES,
    MAX_COLUMNS,
    Row,
    frames,
    parse_record,
    row_of,
    tensor_prefix,
    varint,
)

_BLOCK_ELEMENTS = 1 << 22
_VARINT_BYTES = 5
_BLOCK_BYTES = 1 << 22


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


@dataclass(frozen=True)
class RowArrays:
    """The rows of several records, each array in the records' order.

    Attributes:
        counts: values of each row, at least one.
        keys: the column of each value, ascending within a row and below its width.
        values: float32.
        widths: columns of each row.
        labels: float32; NaN for a record without a label.
        labelled: whether each record has a label.
    """

    counts: Int64Array
    keys: npt.NDArray[np.int32]
    values: Float32Array
    widths: Int64Array
    labels: Float32Array
    labelled: Bools


class _Cursors:
    """A position in each of many records; ``good`` marks the records that have the expected bytes so far."""

    def __init__(self, flat: Bytes, at: Int64Array) -> None:
        self._flat = flat
        self.at = at
        self.good: Bools = np.ones(len(at), np.bool_)

    def expect(self, text: bytes) -> None:
        """Move past expected bytes."""
        for byte in text:
            self.good = self.good & (self._flat.take(self.at, mode="clip") == byte)
            self.at = self.at + 1

    def number(self) -> Int64Array:
        """Move past a varint of at most five bytes and return its value."""
        number = np.zeros(len(self.at), np.int64)
        more: Bools = np.ones(len(self.at), np.bool_)
        for place in range(_VARINT_BYTES):
            byte = self._flat.take(self.at, mode="clip").astype(np.int64)
            number |= np.where(more, (byte & 0x7F) << 7 * place, 0)
            self.at = self.at + more
            more = more & (byte > 0x7F)
        self.good = self.good & ~more
        return number

    def end(self) -> Int64Array:
        """Move past a length and return the end of the field that it measures."""
        length = self.number()
        return self.at + length


def scan(flat: Bytes, starts: Int64Array, ends: Int64Array) -> tuple[Bools, RowArrays]:
    """Decode the sparse records whose payloads extend from ``starts`` to ``ends`` in a file's bytes.

    Returns:
        Whether each record has the known layout, and the rows of those that have it.
    """
    cursors = _Cursors(flat, starts)
    cursors.expect(bytes([FEATURES << 3 | 2]))
    entry_end = cursors.end()
    cursors.expect(b"\x0a\x06values\x12")
    value_end = cursors.end()
    cursors.expect(b"\x12")
    tensor_end = cursors.end()
    cursors.expect(b"\x0a")
    values_end = cursors.end()
    values_at, cursors.at = cursors.at, values_end
    cursors.expect(b"\x12")
    keys_end = cursors.end()
    keys_at, cursors.at = cursors.at, keys_end
    cursors.expect(b"\x1a")
    shape_end = cursors.end()
    widths = cursors.number()
    known = cursors.good & (widths <= MAX_COLUMNS)
    for end in (shape_end, tensor_end, value_end, entry_end):
        known &= cursors.at == end
    known &= (values_end > values_at) & ((values_end - values_at) % 4 == 0) & (keys_end > keys_at)
    labelled = entry_end < ends
    label = _Cursors(flat, entry_end)
    label.expect(tensor_prefix(LABEL, 1))
    known &= np.where(labelled, label.good & (label.at + 4 == ends), entry_end == ends)
    # Keys that end inside a number would continue in the next record's.
    known &= flat.take(keys_end - 1, mode="clip") <= 0x7F
    known, counts, keys = _keys(flat, known, keys_at, keys_end, (values_end - values_at) // 4, widths)
    labelled, label_at = labelled[known], label.at[known]
    labels = np.full(len(labelled), np.nan, np.float32)
    labels[labelled] = _join(flat, label_at[labelled], label_at[labelled] + 4).view("<f4")
    values = _join(flat, values_at[known], values_end[known]).view("<f4").astype(np.float32, copy=False)
    return known, RowArrays(counts, keys, values, widths[known], labels, labelled)


def _keys(
    flat: Bytes, known: Bools, start: Int64Array, end: Int64Array, n_values: Int64Array, widths: Int64Array
) -> tuple[Bools, Int64Array, npt.NDArray[np.int32]]:
    """Decode the keys; records without one key per value, ascending and below the width, are not known."""
    start, end, n_values, widths = start[known], end[known], n_values[known], widths[known]
    packed = _join(flat, start, end)
    last = np.flatnonzero(packed <= 0x7F)
    bounds = np.searchsorted(last, np.concatenate([[0], np.cumsum(end - start)]))
    counts = np.diff(bounds)
    numbers, is_short = _varints(packed, last)
    row = np.repeat(np.arange(len(counts)), counts)
    bad = ~is_short | (numbers >= widths[row])
    bad[1:] |= (np.diff(numbers) <= 0) & (np.diff(row) == 0)
    good = (counts == n_values) & (np.bincount(row, weights=bad, minlength=len(counts)) == 0)
    still_known = known.copy()
    still_known[known] = good
    return still_known, counts[good], numbers[good[row]].astype(np.int32)


def _varints(packed: Bytes, last: Int64Array) -> tuple[Int64Array, Bools]:
    """Return the numbers that end at the bytes ``last``, and whether each has at most five bytes."""
    first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    lengths = last - first + 1
    numbers = (packed[first] & 0x7F).astype(np.int64)
    for place in range(1, min(int(lengths.max(initial=1)), _VARINT_BYTES)):
        has = np.flatnonzero(lengths > place)
        numbers[has] |= (packed[first[has] + place] & 0x7F).astype(np.int64) << 7 * place
    return numbers, lengths <= _VARINT_BYTES


def _join(flat: Bytes, starts: Int64Array, ends: Int64Array) -> Bytes:
    """Concatenate ranges of bytes."""
    view = flat.data
    return np.frombuffer(
        b"".join([view[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]), np.uint8
    )


@dataclass(frozen=True)
class _Block:
    """The rows of consecutive records, and the byte offset of each record."""

    starts: Int64Array
    rows: RowArrays
    is_sparse: bool


def read(flat: Bytes) -> tuple[Float32Array | CsrMatrix, Float32Array | None]:
    """Decode at least one record.

    Args:
        flat: the bytes of a file.

    Returns:
        ``(features, labels)``, float32. Features, shape ``(n, d)``, are sparse if any record is (all values of dense
        records are then stored), else dense. Labels, shape ``(n,)``, are None if no record has one.

    Raises:
        DataError: the data are damaged, or mix widths or labelled and unlabelled records. The message has the byte
            offset.
    """
    blocks = []
    n_columns = None
    for starts, ends in _blocks(flat):
        block = _read_block(flat, starts, ends)
        n_columns = int(block.rows.widths[0]) if n_columns is None else n_columns
        _check_widths(flat, block, ends, n_columns=n_columns)
        blocks.append(block)
    assert n_columns is not None, "an empty file has no records to read"
    labels = _labels(blocks)
    values = np.concatenate([block.rows.values for block in blocks])
    counts = np.concatenate([block.rows.counts for block in blocks])
    if not any(block.is_sparse for block in blocks):
        return values.reshape(len(counts), n_columns), labels
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    keys = np.concatenate([block.rows.keys for block in blocks])
    return CsrMatrix(indptr, keys, values, (len(counts), n_columns)), labels


def _blocks(flat: Bytes) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Yield the starts and ends of the payloads of consecutive records, some megabytes at a time."""
    starts: list[int] = []
    ends: list[int] = []
    for start, payload in frames(flat):
        starts.append(start)
        ends.append(start + len(payload))
        if ends[-1] - starts[0] >= _BLOCK_BYTES:
            yield np.array(starts, np.int64), np.array(ends, np.int64)
            starts, ends = [], []
    if starts:
        yield np.array(starts, np.int64), np.array(ends, np.int64)


def _read_block(flat: Bytes, starts: Int64Array, ends: Int64Array) -> _Block:
    known, scanned = scan(flat, starts, ends)
    if known.all():
        return _Block(starts, scanned, is_sparse=True)
    parsed = [
        _read_row(flat, start, end) for start, end in zip(starts[~known].tolist(), ends[~known].tolist(), strict=True)
    ]
    counts = _merged(known, scanned.counts, np.array([len(row.values) for row in parsed], np.int64))
    is_known = np.repeat(known, counts)
    labels = np.array([np.nan if row.label is None else row.label for row in parsed], np.float32)
    rows = RowArrays(
        counts,
        _merged(is_known, scanned.keys, np.concatenate([row.keys for row in parsed])),
        _merged(is_known, scanned.values, np.concatenate([row.values for row in parsed])),
        _merged(known, scanned.widths, np.array([row.width for row in parsed], np.int64)),
        _merged(known, scanned.labels, labels),
        _merged(known, scanned.labelled, np.array([row.label is not None for row in parsed], np.bool_)),
    )
    return _Block(starts, rows, is_sparse=bool(known.any()) or any(row.is_sparse for row in parsed))


def _read_row(flat: Bytes, start: int, end: int) -> Row:
    return row_of(parse_record(flat[start:end].data, offset=start))


def _merged(first: Bools, ones: npt.NDArray[Any], others: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Merge two arrays: ``first`` marks the places of the elements of ``ones``, and ``others`` fill the rest."""
    merged = np.empty(len(first), ones.dtype)
    merged[first], merged[~first] = ones, others
    return merged


def _check_widths(flat: Bytes, block: _Block, ends: Int64Array, *, n_columns: int) -> None:
    other = np.flatnonzero(block.rows.widths != n_columns)
    if other.size:
        row = _read_row(flat, int(block.starts[other[0]]), int(ends[other[0]]))
        raise DataError(f"The record at byte {row.offset} has {row.width} features, the first has {n_columns}.")


def _labels(blocks: list[_Block]) -> Float32Array | None:
    labelled = np.concatenate([block.rows.labelled for block in blocks])
    if not labelled.any():
        return None
    if not labelled.all():
        starts = np.concatenate([block.starts for block in blocks])
        raise DataError(f"The record at byte {starts[np.argmin(labelled)]} has no label, but others have one.")
    return np.concatenate([block.rows.labels for block in blocks])
