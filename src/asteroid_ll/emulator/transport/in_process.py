"""The in-process transport: the emulator answers botocore's requests without a socket.

botocore emits ``before-send`` with the signed, serialised request, and uses a response returned there
in place of the server's. Serialisation, signing, checksums, parsing, retries and streaming are botocore's, as with AWS.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import parse_qsl, urlsplit

from botocore.awsrequest import AWSResponse

from asteroid_ll.emulator.state import LOCK
from asteroid_ll.emulator.transport.messages import Request, Response

IN_MEMORY_BYTES = 16 * 2**20
"""A larger request body is written to a file without a name."""

_COPY_BYTES = 1 << 20


class Handler(Protocol):
    """The whole emulator, or one service of it."""

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        ...


def attach(session: Any, emulator: Handler) -> None:
    """Make the emulator answer every client that this session creates from now on.

    Args:
        session: a `boto3.session.Session` or a `botocore.session.Session`.
        emulator: the emulator.
    """
    emitter = session.events if hasattr(session, "events") else session.get_component("event_emitter")
    emitter.register("before-send", lambda request, **_: send(emulator, request))


def send(emulator: Handler, prepared: Any) -> Any:
    """Answer a botocore `AWSPreparedRequest` with an `AWSResponse`, in place of botocore's HTTP session."""
    headers = {
        name.lower(): value.decode("utf-8") if isinstance(value, bytes) else str(value)
        for name, value in prepared.headers.items()
    }
    headers.setdefault("host", _host_header(prepared.url))
    with new_body() as body:
        _copy(prepared.body, body)
        request = to_request(prepared.method, prepared.url, headers=headers, body=body)
        response, answered = answer(emulator, request)
    result = AWSResponse(prepared.url, response.status, dict(response.headers), answered)
    if not prepared.stream_output:
        # botocore reads such a body at once, which also closes its file.
        _ = result.content
    return result


def answer(emulator: Handler, request: Request) -> tuple[Response, io.BufferedReader]:
    """Answer a request and open the response's body before another thread can replace it.

    If another process has already replaced the body, the request is answered once more.

    Returns:
        The response, and its body to be read once.

    Raises:
        FileNotFoundError: the body's file does not exist any more.
    """
    with LOCK:
        response = emulator.handle(request)
        try:
            return response, _open(response)
        except FileNotFoundError:
            response = emulator.handle(request)
            return response, _open(response)


def new_body(spool: Path | None = None) -> BinaryIO:
    """Return an empty file for a request's body: in memory while it is small, then in a directory.

    Args:
        spool: the directory; None for the system's temporary directory.
    """
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(spool) if spool else None))


def to_request(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes | BinaryIO = b"", target: str = ""
) -> Request:
    """Build the emulator's request.

    Args:
        method: the method.
        url: the absolute URL.
        headers: the header, names in lower case.
        body: the body; or a file from `new_body` at its end, which has to stay open until the request is answered.
        target: what the client sent in place of the URL's path and query, and signed; empty if it is the same.
    """
    parts = urlsplit(url)
    file = None
    if not isinstance(body, bytes):
        is_large = body.tell() > IN_MEMORY_BYTES
        body.seek(0)
        body, file = (b"", body) if is_large else (body.read(), None)
    return Request(
        method=method,
        host=parts.hostname or "",
        path=parts.path or "/",
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers=headers,
        body=body,
        file=file,
        target=target or f"{parts.path or '/'}?{parts.query}",
    )


def _copy(body: Any, file: BinaryIO) -> None:
    """Copy a botocore body to a file: None, text, bytes, or a file or stream of bytes."""
    if hasattr(body, "read"):
        shutil.copyfileobj(body, file, _COPY_BYTES)
    elif body is not None:
        file.write(body.encode() if isinstance(body, str) else body)


def _host_header(url: str) -> str:
    """Return the ``Host`` header for a URL: without the scheme's own port (RFC 9110, 4.2.3)."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.netloc.rpartition(":")[0] if parts.port == default else parts.netloc


class FileBody(io.RawIOBase):
    """Bytes ``[start, stop)`` of a file, which is opened at once and read on demand.

    The file is closed with the body, or when the body is garbage-collected, so an unread body leaks nothing.

    Raises:
        FileNotFoundError: the file does not exist any more.
    """

    def __init__(self, path: str | os.PathLike[str], *, start: int, stop: int) -> None:
        super().__init__()
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        os.lseek(self._descriptor, start, os.SEEK_SET)
        self._remaining = stop - start

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes; 0 at the end."""
        view = memoryview(buffer)[: self._remaining]
        chunk = os.read(self._descriptor, len(view)) if len(view) else b""
        view[: len(chunk)] = chunk
        self._remaining -= len(chunk)
        return len(chunk)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if not self.closed and self._descriptor >= 0:
            os.close(self._descriptor)
        super().close()


class _Body(io.BufferedReader):
    """A body as botocore reads it: ``read``, ``readinto`` and urllib3's ``stream``."""

    def stream(self, amt: int = 1 << 16, **_: object) -> Iterator[bytes]:
        """Yield the rest in chunks of at most ``amt`` bytes, then close the body."""
        while chunk := self.read(amt):
            yield chunk
        self.close()


def _open(response: Response) -> io.BufferedReader:
    if response.file is None:
        return _Body(io.BytesIO(response.body))
    return _Body(FileBody(response.file, start=response.start, stop=response.stop), 1 << 16)
