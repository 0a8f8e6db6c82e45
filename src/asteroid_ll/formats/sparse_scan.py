"""The fast decoder of sparse records, which decodes many at once.

It decodes the one layout in which a protobuf runtime writes a sparse float32 record.
``asteroid_ll.formats.protobuf`` decodes all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.arrays import Bools, Bytes, Float32Array, Int64Array
from asteroid_ll.formats.protobuf import FEATURES, LABEL, tensor_prefix
from asteroid_ll.formats.record_row import MAX_COLUMNS

_VARINT_BYTES = 5


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
