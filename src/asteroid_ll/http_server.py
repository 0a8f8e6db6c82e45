"""A small HTTP/1.1 server, for the emulator and for the serving container.

Each connection has a thread and is kept alive. ``Expect: 100-continue`` is answered at once, because an S3 client would
wait a second for it. The end is clean: no request is read any more, and responses under way are still written.
"""

from __future__ import annotations

import io
import ipaddress
import logging
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, BinaryIO

IDLE_S = 60.0
"""An idle connection is closed after this time."""

GRACE_S = 10.0
"""At the end, a response that its client does not read is cut off after this time."""

_COPY_BYTES = 1 << 20
_LINGER_S = 2.0
_MAX_LINE_BYTES = 4096
_MAX_TRAILERS = 64
_LOGGER = logging.getLogger(__name__)


class BodyTooLargeError(Exception):
    """A request's body is longer than the server accepts."""


class Server(ThreadingTCPServer):
    """A listening server with a thread for each connection.

    Not an ``HTTPServer``, which looks up the machine's name and can wait for DNS.

    Args:
        address: the address and the port; port 0 chooses a free one.
        connection: the class that answers a connection's requests.

    Raises:
        OSError: the address or the port cannot be used.
    """

    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], connection: type[Connection]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, connection)
        # Processes that share the socket may race for a connection; the loser must not wait for the next one.
        self.socket.setblocking(False)

    @property
    def port(self) -> int:
        """The port."""
        port: int = self.server_address[1]
        return port

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection and start its thread."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection and close it."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's signature
        """Log a connection that failed: a bug with its traceback, a client that went away for debugging only."""
        level = logging.DEBUG if isinstance(sys.exception(), ConnectionError | TimeoutError) else logging.ERROR
        _LOGGER.log(level, "A connection from %s failed", client_address, exc_info=True)

    def end_connections(self, how: int) -> None:
        """Shut the open connections down; ``how`` is that of ``socket.shutdown``."""
        with self._guard:
            for connection in self._open:
                with suppress(OSError):  # the client may already be gone
                    connection.shutdown(how)


@contextmanager
def running(server: Server, *, grace_s: float = GRACE_S) -> Iterator[None]:
    """Accept connections in the background during the block; at its end, finish the requests under way and close.

    Args:
        server: the server.
        grace_s: seconds until responses are cut off that their clients do not read.
    """
    with server:
        accepting = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        accepting.start()
        try:
            yield
        finally:
            server.shutdown()
            accepting.join()
            server.end_connections(socket.SHUT_RD)
            cut = threading.Timer(grace_s, server.end_connections, (socket.SHUT_RDWR,))
            cut.start()
            server.server_close()
            cut.cancel()


class Connection(BaseHTTPRequestHandler):
    """One connection, request after request. A subclass has the methods ``do_GET`` and so on."""

    protocol_version = "HTTP/1.1"
    error_content_type = "text/plain"
    error_message_format = "%(message)s\n"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    timeout = IDLE_S

    def handle_expect_100(self) -> bool:
        """Ask for the body at once."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def header_fields(self) -> dict[str, str]:
        """Return the request's header, names in lower case."""
        return {name.lower(): text for name, text in self.headers.items()}

    def respond(self, status: int, headers: Mapping[str, str], body: bytes | BinaryIO, *, n_bytes: int = 0) -> None:
        """Write a response.

        Args:
            status: HTTP status.
            headers: the header; ``Content-Length`` is added if it is missing.
            body: the body, which a response to HEAD does not have.
            n_bytes: its length if it is a file.

        Raises:
            ConnectionError: the client is gone.
            TimeoutError: the client does not read.
        """
        file = io.BytesIO(body) if isinstance(body, bytes) else body
        self.send_response_only(status)
        for name, text in headers.items():
            self.send_header(name, text)
        if "content-length" not in {name.lower() for name in headers} and status not in (204, 304):
            self.send_header("Content-Length", str(len(body) if isinstance(body, bytes) else n_bytes))
        self.end_headers()
        if self.command != "HEAD":
            shutil.copyfileobj(file, self.wfile, _COPY_BYTES)
        self.wfile.flush()

    def refuse(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Write a response to a request whose body is unread, and close the connection.

        What the client still sends is read for a moment, or it could miss the response.
        """
        self.close_connection = True
        with suppress(OSError):
            self.respond(status, headers, body)
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_S)
            deadline_s = time.monotonic() + _LINGER_S
            while time.monotonic() < deadline_s and self.rfile.read1(_COPY_BYTES):
                pass

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log the lines that http.server would print."""
        _LOGGER.debug(format, *args)


def sent_chunks(stream: io.BufferedIOBase, headers: Mapping[str, str], *, most: int) -> Iterator[bytes]:
    """Yield a request's body as it comes in, by its length or in chunks.

    Args:
        stream: the connection, after the header.
        headers: the header, names in lower case.
        most: the length of the longest body.

    Raises:
        ValueError: a length is not a number, or negative.
        EOFError: the connection ended before the body.
        BodyTooLargeError: before anything of a body with a known length is read.
    """
    is_chunked = "chunked" in headers.get("transfer-encoding", "")
    length = 0 if is_chunked else int(headers.get("content-length") or 0)
    if length > most:
        raise BodyTooLargeError
    size = 0
    for chunk in _http_chunks(stream) if is_chunked else _exactly(stream, length):
        size += len(chunk)
        if size > most:
            raise BodyTooLargeError
        yield chunk


def _http_chunks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Yield a body in HTTP's chunked coding (RFC 9112, section 7.1); trailers are dropped."""
    while length := int(_line(stream).partition(b";")[0], 16):
        yield from _exactly(stream, length)
        _line(stream)
    for _ in range(_MAX_TRAILERS):
        if not _line(stream).strip():
            return
    raise ValueError("too many trailers")


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is this machine's, whatever a name server says."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _line(stream: io.BufferedIOBase) -> bytes:
    line = stream.readline(_MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise ValueError("a line of the chunked coding is too long")
    return line


def _exactly(stream: io.BufferedIOBase, length: int) -> Iterator[bytes]:
    if length < 0:
        raise ValueError(length)
    while length:
        data = stream.read(min(length, _COPY_BYTES))
        if not data:
            raise EOFError
        length -= len(data)
        yield data
