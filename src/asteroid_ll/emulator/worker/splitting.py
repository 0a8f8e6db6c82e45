"""Batch transform's mini-batches: an object's bytes as the bodies of requests.

Source: the API reference, TransformInput, "SplitType", and CreateTransformJob, "BatchStrategy" and "MaxPayloadInMB".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Literal

Split = Literal["None", "Line", "RecordIO"]


class SplitError(Exception):
    """An object cannot be split into requests; the message is a line of the job's data log."""


def payloads(file: IO[bytes], split: Split, *, is_single: bool, max_bytes: int) -> Iterator[bytes]:
    """Yield the bodies of an object's requests, in order; none for an object without records.

    Args:
        file: the object.
        split: ``None`` sends the whole object, ``Line`` and ``RecordIO`` send whole records.
        is_single: one record per request instead of as many as fit.
        max_bytes: longest body.

    Raises:
        SplitError: a record is longer than ``max_bytes``, or is no recordIO record.
    """
    batch: list[bytes] = []
    size = 0
    for record in _records(file, split, max_bytes=max_bytes):
        if len(record) > max_bytes:
            raise SplitError(f"ClientError: Too much data for max payload size: {max_bytes} bytes")
        if batch and (is_single or size + len(record) > max_bytes):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield b"".join(batch)


def _records(file: IO[bytes], split: Split, *, max_bytes: int) -> Iterator[bytes]:
    """Yield the records of an object. One that is too long may be truncated, but not below ``max_bytes + 1``."""
    if split == "Line":
        while line := file.readline(max_bytes + 1):
            if line.strip():
                yield line
    elif split == "RecordIO":
        from asteroid_ll.formats.protobuf import MAGIC_BYTES  # numpy, which would delay the claim of the job

        while head := file.read(8):
            if len(head) < 8 or head[:4] != MAGIC_BYTES:
                raise SplitError("ClientError: The data are not in the recordIO format")
            size = int.from_bytes(head[4:], "little")
            rest = size + -size % 4
            body = file.read(min(rest, max_bytes + 1))
            if len(body) < min(rest, max_bytes + 1):
                raise SplitError("ClientError: The last recordIO record is truncated")
            yield head + body
    else:
        yield file.read(max_bytes + 1)
