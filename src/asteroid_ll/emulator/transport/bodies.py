"""Request bodies: small ones in memory, large ones in a file without a name. Only an object may be large."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from asteroid_ll.emulator.s3.payload import MAX_PUT_BYTES
from asteroid_ll.emulator.transport.messages import too_large

IN_MEMORY_BYTES = 16 * 2**20
"""A larger body is written to disk. The body of any method but PUT is at most this long."""

MAX_FRAMED_BYTES = MAX_PUT_BYTES + MAX_PUT_BYTES // 64
"""The largest body of a PUT: an object with its aws-chunked framing."""

_COPY_BYTES = 1 << 20


def most_bytes(method: str) -> int:
    """Return the length of the longest body that a request with this method may have."""
    return MAX_FRAMED_BYTES if method == "PUT" else IN_MEMORY_BYTES


def collect(chunks: Iterable[bytes], *, most: int, spool: Path | None = None) -> tuple[bytes, BinaryIO | None]:
    """Return a body as bytes, or as an open file if it is large.

    Args:
        chunks: the body.
        most: the length of the longest body.
        spool: the directory of the file; None for the system's temporary directory.

    Raises:
        ApiError: ``MaxMessageLengthExceeded``.
    """
    file: BinaryIO = io.BytesIO()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            file.close()
            raise too_large()
        if size > IN_MEMORY_BYTES and isinstance(file, io.BytesIO):
            start, file = file, tempfile.TemporaryFile(dir=spool)  # noqa: SIM115 - the caller closes it
            file.write(start.getbuffer())
        file.write(chunk)
    return (file.getvalue(), None) if isinstance(file, io.BytesIO) else (b"", file)


def copied_chunks(body: object) -> Iterator[bytes]:
    """Yield the bytes of a botocore body: None, bytes, text, a file or stream, or an iterable of bytes."""
    if isinstance(body, str):
        body = body.encode("utf-8")
    if body is None:
        return
    if isinstance(body, bytes | bytearray | memoryview):
        yield bytes(body)
    elif hasattr(body, "read"):
        while chunk := body.read(_COPY_BYTES):
            yield chunk.encode("utf-8") if isinstance(chunk, str) else chunk
    elif isinstance(body, Iterable):
        yield from body
