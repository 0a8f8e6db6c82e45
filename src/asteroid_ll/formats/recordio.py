"""recordIO-protobuf, the training format of SageMaker's built-in algorithms, for whole arrays at a time.

A file is a plain concatenation of frames: the magic ``0xCED7230A`` (uint32, little-endian), the payload's length
(uint32), the payload (one ``aialgs.data.Record`` message) and zeros up to a multiple of four bytes. All dense float32
records of a data set have the same length, and a file of them is a matrix of bytes: it is written by filling columns
of that matrix, and read as strided views of it. ``asteroid_ll.formats.sparse`` reads every other layout.

Sources: the SageMaker developer guide, "Common data formats for training", and MXNet's ``dmlc/recordio.h``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Bytes, Float32Array
from asteroid_ll.formats.protobuf import FEATURES, LABEL, MAGIC_BYTES, Buffer, frames, parse_record, tensor_prefix
from asteroid_ll.formats.sparse import CsrMatrix, checked_labels, read
from asteroid_ll.run.atomic import atomic_path

_BLOCK_BYTES = 1 << 20
_LARGE_PAGE = 1 << 21
_MIN_LARGE = 1 << 23
_MAX_DENSE_BYTES = 1 << 32


@dataclass(frozen=True)
class _FrameLayout:
    """The bytes that all dense records share, and the places of the numbers."""

    n_features: int
    labelled: bool
    head: bytes
    label_head: bytes
    n_padding: int

    @classmethod
    def of(cls, n_features: int, *, labelled: bool) -> _FrameLayout:
        head = tensor_prefix(FEATURES, n_features)
        label_head = tensor_prefix(LABEL, 1) if labelled else b""
        n_payload = len(head) + 4 * n_features + len(label_head) + 4 * labelled
        frame = MAGIC_BYTES + n_payload.to_bytes(4, "little")
        return cls(n_features, labelled, frame + head, label_head, -n_payload % 4)

    @property
    def label_head_at(self) -> int:
        return len(self.head) + 4 * self.n_features

    @property
    def label_at(self) -> int:
        return self.label_head_at + len(self.label_head)

    @property
    def n_bytes(self) -> int:
        return self.label_at + 4 * self.labelled + self.n_padding

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The type of a record; a row of numbers is one field, whose bytes are copied at once."""
        fields: list[tuple[str, str, int]] = [("values", f"V{4 * self.n_features}", len(self.head))]
        if self.labelled:
            fields.append(("label", "<f4", self.label_at))
        names, formats, offsets = zip(*fields, strict=True)
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.n_bytes})


def encode(features: Float32Array, labels: Float32Array | None = None) -> memoryview:
    """Encode rows as recordIO-protobuf, byte for byte as a protobuf runtime would.

    Args:
        features: shape ``(n, d)``, d >= 1; cast to float32.
        labels: shape ``(n,)``, or None for records without a label (inference).

    Returns:
        The frames of the n records, concatenated.

    Raises:
        DataError: the shapes do not fit.
    """
    features = np.asarray(features, np.float32)
    labels = checked_labels(features.shape, labels)
    layout = _FrameLayout.of(features.shape[1], labelled=labels is not None)
    n_block = _rows_at_once(layout, len(features))
    constant = _template(layout, n_block)
    data = _new_bytes(len(features) * layout.n_bytes)
    records = data.view(layout.dtype)
    # A block stays in the cache while its constant bytes and its numbers are written.
    for start in range(0, len(features), n_block):
        block = records[start : start + n_block]
        block.view(np.uint8)[:] = constant[: len(block)].view(np.uint8)
        _fill(block, features[start : start + n_block], None if labels is None else labels[start : start + n_block])
    return data.data


def decode(buffer: Buffer, *, source: str = "The recordIO data") -> tuple[Float32Array, Float32Array | None]:
    """Decode recordIO-protobuf.

    Uniform dense float32 records are not copied: both arrays are strided views into ``buffer``, possibly unaligned, and
    read-only if the buffer is. Any other layout (sparse, float64, int32, unknown fields) is decoded into new arrays,
    and sparse rows become dense.

    Args:
        buffer: the bytes of one file or of several concatenated files.
        source: the subject of error messages, such as a file's name.

    Returns:
        ``(features, labels)``: float32, shapes ``(n, d)`` and ``(n,)``; labels are None if no record has one.
        An empty buffer gives shape ``(0, 0)`` and None.

    Raises:
        DataError: the data are damaged, mix widths or labelled and unlabelled records, or would take more than 4 GiB
            as a dense array. The message has the byte offset of a wrong record.
    """
    features, labels = decode_rows(buffer, source=source)
    if not isinstance(features, CsrMatrix):
        return features, labels
    n_rows, n_columns = features.shape
    if n_rows * n_columns * 4 > _MAX_DENSE_BYTES:
        raise DataError(
            f"{source} cannot be read: {n_rows} rows of {n_columns} columns do not fit in memory as a dense array.",
            hint="Split the data into smaller files.",
        )
    return features.toarray(), labels


def decode_rows(
    buffer: Buffer, *, source: str = "The recordIO data"
) -> tuple[Float32Array | CsrMatrix, Float32Array | None]:
    """Decode recordIO-protobuf as ``decode`` does, but leave it sparse if any record is sparse.

    Raises:
        DataError: the data are damaged, or mix widths or labelled and unlabelled records. The message has the byte
            offset.
    """
    flat = np.frombuffer(buffer, np.uint8)
    if not len(flat):
        return np.empty((0, 0), np.float32), None
    try:
        return _uniform(flat) or read(flat)
    except DataError as error:
        reason = error.what[:1].lower() + error.what[1:]
        raise DataError(f"{source} cannot be read: {reason}", hint=error.hint) from error


def read_file(path: Path | str) -> tuple[Float32Array | CsrMatrix, Float32Array | None]:
    """Decode a file through a memory map as ``decode_rows`` does; a uniform dense file is not copied into memory.

    Raises:
        DataError: the file cannot be opened; or as in ``decode_rows``.
    """
    path = Path(path)
    try:
        empty = path.stat().st_size == 0
        # An empty file cannot be mapped.
        mapped = np.empty(0, np.uint8) if empty else np.memmap(path, np.uint8, mode="r")
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror}.") from error
    return decode_rows(mapped, source=str(path))


def _new_bytes(n_bytes: int) -> Bytes:
    """Return new memory; if it is long, it begins and ends with large pages, for which numpy asks the system.

    Otherwise both ends consist of small pages, and the first use of 512 of those takes four times as long.
    """
    if n_bytes < _MIN_LARGE:
        return np.empty(n_bytes, np.uint8)
    room = np.empty(-(-n_bytes // _LARGE_PAGE) * _LARGE_PAGE + _LARGE_PAGE, np.uint8)
    start = -room.ctypes.data % _LARGE_PAGE
    return room[start : start + n_bytes]


def _rows_at_once(layout: _FrameLayout, n_rows: int) -> int:
    return max(1, min(n_rows, _BLOCK_BYTES // layout.n_bytes))


def _template(layout: _FrameLayout, n_rows: int) -> npt.NDArray[np.void]:
    """Return records with the constant bytes, whose numbers are 0."""
    record = layout.head + bytes(4 * layout.n_features) + layout.label_head
    constant = np.frombuffer(record.ljust(layout.n_bytes, b"\0"), np.uint8)
    # As bytes: a copy of records would leave out the bytes between their fields.
    return np.tile(constant, n_rows).view(layout.dtype)


def _fill(records: npt.NDArray[np.void], features: Float32Array, labels: Float32Array | None) -> None:
    rows = np.ascontiguousarray(features, "<f4")
    records["values"] = rows.view(records.dtype["values"])[:, 0]
    if labels is not None:
        records["label"] = labels


def _uniform(flat: Bytes) -> tuple[Float32Array, Float32Array | None] | None:
    """Return views of the numbers if every record has the first one's dense float32 layout, else None."""
    offset, payload = next(iter(frames(flat)))
    first = parse_record(payload, offset=offset)
    tensor = first.features.get("values")
    if tensor is None or not len(tensor.values):
        return None
    layout = _FrameLayout.of(len(tensor.values), labelled=bool(first.label))
    if len(flat) % layout.n_bytes:
        return None
    matrix = flat.reshape(-1, layout.n_bytes)
    if not (_same(matrix, 0, layout.head) and _same(matrix, layout.label_head_at, layout.label_head)):
        return None
    values = matrix[:, len(layout.head) : layout.label_head_at].view("<f4")
    if not layout.labelled:
        return values, None
    return values, matrix[:, layout.label_at : layout.label_at + 4].view("<f4")[:, 0]


def _same(matrix: Bytes, column: int, expected: bytes) -> bool:
    """Return whether all rows have the expected bytes at a column; compared eight at a time in blocks of rows."""
    width = len(expected)
    if width < 8:
        return bool((matrix[:, column : column + width] == np.frombuffer(expected, np.uint8)).all())
    n_block = max(1, _BLOCK_BYTES // matrix.shape[1])
    starts = [*range(0, width - 8, 8), width - 8]
    words = [(column + at, np.frombuffer(expected, "<u8", count=1, offset=at)[0]) for at in starts]
    return all(
        bool((matrix[row : row + n_block, at : at + 8].view("<u8") == word).all())
        for row in range(0, len(matrix), n_block)
        for at, word in words
    )


Block = tuple[Float32Array, Float32Array | None]
"""Features of shape ``(n, d)``, and labels of shape ``(n,)`` or None."""


def write_shards(
    directory: Path,
    stem: str,
    blocks: Callable[[int, int], Iterable[Block]],
    *,
    n_rows: int,
    n_shards: int,
    is_written: Callable[[int], bool] = lambda _shard: True,
) -> list[Path]:
    """Write rows to n files with nearly equal row counts, each complete or absent.

    Args:
        directory: is created if it is missing.
        stem: files are named ``STEM-00000.pbr``; the order of names is the order of rows.
        blocks: returns the rows ``[start, stop)``, a block of about a megabyte at a time.
        n_rows: number of all rows.
        n_shards: number of files, at most one per row; one empty file for no rows.
        is_written: whether to write the file of a number; another machine writes the others.

    Returns:
        All files in the order of the rows, also those that are not written here.

    Raises:
        DataError: the shapes do not fit, there are more shards than rows, or a file cannot be written; an older file of
            the same name is then intact.
    """
    if n_shards < 1 or n_shards > max(1, n_rows):
        raise DataError(f"{n_rows} rows cannot be written as {n_shards} shards.", hint="Ask for fewer shards.")
    bounds = [n_rows * shard // n_shards for shard in range(n_shards + 1)]
    paths = [directory / f"{stem}-{shard:05d}.pbr" for shard in range(n_shards)]
    for shard, (start, stop) in enumerate(itertools.pairwise(bounds)):
        if not is_written(shard):
            continue
        with atomic_path(paths[shard]) as temporary, temporary.open("wb") as file:
            for features, labels in blocks(start, stop):
                file.write(encode(features, labels))
    return paths
