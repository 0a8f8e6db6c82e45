"""The in-process transport: botocore's requests answered by the emulator, with no socket opened.

botocore emits ``before-send`` with the signed, serialised request and takes an answer given there for the
server's. Everything before (serialisation, signing, checksums) and after it (parsing, retries, streaming
bodies) is botocore's own and runs as it does against AWS.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from asteroid_ll.emulator.transport.faults import Injector, from_environment
from asteroid_ll.emulator.transport.messages import Request, Response

_TURN = threading.RLock()
"""One request at a time in this process: threads share the state's one SQLite connection."""


class Handler(Protocol):
    """What answers a request: the whole emulator, or one service of it."""

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        ...


class FileBody(io.RawIOBase):
    """Bytes ``[start, stop)`` of a file as a response body, opened at once and read as they are asked for.

    The file is closed at its end and when the body is let go, so that a caller who never reads it leaks nothing.

    Raises:
        FileNotFoundError: the file is gone.
    """

    def __init__(self, path: str | os.PathLike[str], *, start: int, stop: int) -> None:
        super().__init__()
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        os.lseek(self._descriptor, start, os.SEEK_SET)
        self._left = stop - start

    def readable(self) -> bool:
        """Whether the body can be read: it always can."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes; 0 at the end."""
        view = memoryview(buffer)[: self._left]
        chunk = os.read(self._descriptor, len(view)) if len(view) else b""
        view[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        if not self.closed and self._descriptor >= 0:
            os.close(self._descriptor)
        super().close()


class _Raw(io.BufferedReader):
    """A body in the form that botocore reads: ``read``, ``readinto`` and urllib3's ``stream``."""

    def stream(self, amt: int = 1 << 16, **_: object) -> Iterator[bytes]:
        """The bytes that are left, in pieces of at most ``amt``; the body is closed after the last."""
        while chunk := self.read(amt):
            yield chunk
        self.close()


class _Bytes(io.BytesIO):
    """A body in memory in the form that botocore reads."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """The bytes that are left, in one piece."""
        rest = self.read()
        if rest:
            yield rest


def answer(emulator: Handler, request: Request) -> tuple[Response, io.BufferedIOBase]:
    """Let the emulator answer, and open the answer's body before anything else can replace it.

    A body that another process replaced between the answer and the opening is asked for once more.

    Returns:
        The response, and its body to be read once.

    Raises:
        FileNotFoundError: the body's file is lost.
    """
    with _TURN:
        response = emulator.handle(request)
        try:
            return response, _open(response)
        except FileNotFoundError:
            response = emulator.handle(request)
            return response, _open(response)


def _open(response: Response) -> io.BufferedIOBase:
    if response.file is None:
        return _Bytes(response.body)
    return _Raw(FileBody(response.file, start=response.start, stop=response.stop), 1 << 16)


def attach(session: Any, emulator: Handler, *, faults: Injector | None = None) -> None:
    """Let the emulator answer every client that this session makes from now on.

    Args:
        session: a `boto3.session.Session` or a `botocore.session.Session`.
        emulator: what answers.
        faults: stands between the two; None for the faults that the environment asks for, if any.
    """
    emitter = session.events if hasattr(session, "events") else session.get_component("event_emitter")
    injector = faults or from_environment()

    def send(request: Any, event_name: str, **_context: object) -> Any:
        if injector is None:
            return _send(emulator, request)
        service, operation = event_name.split(".")[1:]
        return injector.send(lambda: _send(emulator, request), request, service=service, operation=operation)

    emitter.register("before-send", send)


def _send(emulator: Handler, prepared: Any) -> Any:
    """What botocore's HTTP session does, without HTTP: an `AWSPreparedRequest` to an `AWSResponse`."""
    from botocore.awsrequest import AWSResponse

    request = to_request(
        prepared.method, prepared.url, headers=_text_headers(prepared.headers), body=_body_bytes(prepared.body)
    )
    response, body = answer(emulator, request)
    result = AWSResponse(prepared.url, response.status, dict(response.headers), body)
    if not prepared.stream_output:
        # botocore empties such a body at once, which also frees the file behind it
        _ = result.content
    return result


def to_request(method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Request:
    """Build the emulator's request from a method, an absolute URL, headers (names in lower case) and a body."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(
        method=method, host=parts.hostname or "", path=parts.path or "/", query=query, headers=headers, body=body
    )


def _text_headers(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    return {
        name.lower(): value.decode("utf-8") if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
    }


def _body_bytes(body: Any) -> bytes:
    """The bytes of whatever botocore calls a body: nothing, bytes, text, a file or stream, an iterable of bytes."""
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8")
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    read = getattr(body, "read", None)
    if read is None:
        return b"".join(body)
    data = read()
    return data.encode("utf-8") if isinstance(data, str) else bytes(data)
