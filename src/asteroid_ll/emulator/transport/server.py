"""The HTTP transport: the emulator on a loopback port, for any AWS client that reads ``AWS_ENDPOINT_URL``.

HTTP/1.1 with connections kept alive. ``Expect: 100-continue`` is answered at once, as an S3 client would wait a second
for it. Large bodies are streamed to and from disk.
"""

from __future__ import annotations

import io
import logging
import mmap
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from asteroid_ll.emulator.transport.in_process import Handler, answer, to_request
from asteroid_ll.emulator.transport.messages import Request, Response
from asteroid_ll.errors import ConfigError

SPOOL_BYTES = 16 * 2**20
"""A request body longer than this is kept in a temporary file instead of memory."""

IDLE_S = 60.0
"""An idle connection is closed after this time."""

_HOST = "127.0.0.1"
_COPY_BYTES = 1 << 20
_LOGGER = logging.getLogger(__name__)


def serve(
    emulator: Handler,
    *,
    port: int,
    ready: Callable[[int], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Answer HTTP requests until SIGINT, SIGTERM or ``stop``, then finish the requests under way.

    Args:
        emulator: the emulator.
        port: a port of the loopback interface; 0 chooses a free one. The emulator checks no signatures, so it does not
            listen on other interfaces.
        ready: called with the port once connections are accepted.
        stop: set it to end the server from another thread. Signals are handled only in the main thread.

    Raises:
        ConfigError: the port is taken.
    """
    stopped = stop or threading.Event()
    try:
        server = _Server((_HOST, port), emulator)
    except OSError as error:
        raise ConfigError(
            f"Port {port} on {_HOST} cannot be used: {error.strerror}.", hint="Port 0 takes a free one."
        ) from error
    with server, _stop_on_signals(stopped):
        accepting = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        accepting.start()
        try:
            if ready is not None:
                ready(server.server_address[1])
            stopped.wait()
        finally:
            server.shutdown()
            accepting.join()
            server.finish()


class _Server(ThreadingHTTPServer):
    """A server with a thread for each connection, which can end them."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], emulator: Handler) -> None:
        self.emulator = emulator
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def finish(self) -> None:
        """Read no more requests; responses under way are still written."""
        with self._guard:
            for connection in self._open:
                with suppress(OSError):  # the client may already be gone
                    connection.shutdown(socket.SHUT_RD)


class _Connection(BaseHTTPRequestHandler):
    """One connection, request after request."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: _Server

    def handle_expect_100(self) -> bool:
        """Ask for the body at once."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _serve(self) -> None:
        """Read a request and write its response."""
        headers = {name.lower(): text for name, text in self.headers.items()}
        try:
            body = _read_body(self.rfile, headers)
        except (ValueError, EOFError, TimeoutError):
            self.close_connection = True
            return
        # Not self.path, which merges leading slashes: a key may start with one.
        url = f"http://{headers.get('host') or 'localhost'}{self.requestline.split()[1]}"
        request = to_request(self.command, url, headers=headers, body=body)
        try:
            self._write(request)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True

    def _write(self, request: Request) -> None:
        try:
            response, body = answer(self.server.emulator, request)
        except Exception:
            _LOGGER.exception("The emulator failed on %s %s", request.method, request.path)
            response, body = Response(500), None
        length = response.stop - response.start if response.file else len(response.body)
        self.send_response_only(response.status)
        for name, text in response.headers.items():
            self.send_header(name, text)
        if "content-length" not in {name.lower() for name in response.headers} and response.status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if body is not None:
            with body:
                if request.method != "HEAD":
                    shutil.copyfileobj(body, self.wfile, _COPY_BYTES)
        self.wfile.flush()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log the lines that http.server would print."""
        _LOGGER.debug(format, *args)


def _read_body(stream: io.BufferedIOBase, headers: dict[str, str]) -> bytes:
    """Read a request's body, by its length or in chunks.

    Raises:
        ValueError: the length is not a number, or negative.
        EOFError: the connection ended before the body.
    """
    if "chunked" in headers.get("transfer-encoding", ""):
        return b"".join(_chunks(stream))
    length = int(headers.get("content-length") or 0)
    if length <= SPOOL_BYTES:
        return _exactly(stream, length)
    with tempfile.TemporaryFile() as spool:
        for start in range(0, length, _COPY_BYTES):
            spool.write(_exactly(stream, min(length - start, _COPY_BYTES)))
        spool.flush()
        # A mapping works like bytes but keeps only the pages in use in memory.
        return cast(bytes, mmap.mmap(spool.fileno(), length, access=mmap.ACCESS_READ))


def _chunks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Yield the chunks of a body in HTTP's chunked coding (RFC 9112, section 7.1); trailers are dropped."""
    while length := int(stream.readline().partition(b";")[0], 16):
        yield _exactly(stream, length)
        stream.readline()
    while stream.readline().strip():
        pass


def _exactly(stream: io.BufferedIOBase, length: int) -> bytes:
    if length < 0:
        raise ValueError(length)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


@contextmanager
def _stop_on_signals(stopped: threading.Event) -> Iterator[None]:
    """Make SIGINT and SIGTERM set an event, if this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
