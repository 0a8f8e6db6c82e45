"""The reader of recordIO-protobuf of any layout, in blocks of records, into a sparse matrix.

Memory is a small multiple of the file. Records in a protobuf runtime's layout are decoded all at once, others one by
one, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Bools, Bytes, Float32Array, Int64Array
from asteroid_ll.formats.frames import frames
from asteroid_ll.formats.protobuf import parse_record
from asteroid_ll.formats.record_row import Row, row_of
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.formats.sparse_scan import RowArrays, scan

_BLOCK_BYTES = 1 << 22


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
