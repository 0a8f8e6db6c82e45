"""The emulator's input and output: an HTTP request and a response, without a socket.

Both transports (in process and over loopback) build a `Request` and write out a `Response`. The rest of the emulator
does not depend on the transport.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class Request:
    """One HTTP request as botocore put it on the wire.

    Attributes:
        method: ``GET``, ``PUT`` ... in capitals.
        host: the Host header, without a port.
        path: the percent-encoded path, starting with ``/``; never with the query.
        query: decoded query parameters; a key without a value maps to ``""``.
        headers: header names in lower case.
        body: the whole body, with its aws-chunked framing if ``content-encoding`` names it.
        file: an open file that is the body instead, if it is large. Whoever built the request closes it.
        target: the path and the query as they were sent, which the client signed; empty if they are not known.
    """

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: BinaryIO | None = None
    target: str = ""

    def open_body(self) -> BinaryIO:
        """Return the body as a file at its start."""
        if self.file is None:
            return io.BytesIO(self.body)
        self.file.seek(0)
        return self.file


@dataclass(frozen=True)
class Response:
    """One HTTP response.

    Attributes:
        status: HTTP status code.
        headers: header names as AWS spells them.
        body: the body; or, for a large object, ``file`` with a byte range.
        file: a file whose bytes ``[start, stop)`` are the body, streamed without being read into memory.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: Path | None = None
    start: int = 0
    stop: int = 0


class ApiError(Exception):
    """An error response of a service.

    Args:
        code: AWS's error code, such as ``ValidationException`` or ``NoSuchBucket``.
        message: the message, in AWS's words.
        status: HTTP status.
        fields: further members of the error's shape, such as ``OriginalStatusCode``.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


def too_large() -> ApiError:
    """Return the error for a body that is larger than its operation can use."""
    return ApiError("MaxMessageLengthExceeded", "Your request was too big.", status=413)
