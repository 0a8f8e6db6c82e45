"""The HTTP transport: the emulator on a loopback port, for any AWS client that reads ``AWS_ENDPOINT_URL``.

HTTP/1.1 with connections kept alive. ``Expect: 100-continue`` is answered at once, as an S3 client would wait a second
for it. Large bodies are streamed to and from disk.
"""

from __future__ import annotations

import io
import logging
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

from asteroid_ll.emulator.transport.bodies import collect, most_bytes, sent_chunks
from asteroid_ll.emulator.transport.gate import Gate, refusal
from asteroid_ll.emulator.transport.in_process import Handler, answer, to_request
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response
from asteroid_ll.errors import AsteroidError, ConfigError

IDLE_S = 60.0
"""An idle connection is closed after this time."""

LOOPBACK = "127.0.0.1"
_COPY_BYTES = 1 << 20
_LINGER_S = 2.0
_LOGGER = logging.getLogger(__name__)


def serve(
    emulator: Handler,
    *,
    ready: Callable[[int], None],
    port: int = 0,
    host: str = LOOPBACK,
    token: str = "",
    spool: Path | None = None,
) -> None:
    """Answer HTTP requests in the main thread until SIGINT or SIGTERM.

    Args:
        emulator: the emulator.
        ready: called with the port once connections are accepted.
        port: as for `serving`.
        host: as for `serving`.
        token: as for `serving`.
        spool: as for `serving`.

    Raises:
        ConfigError: as for `serving`.
    """
    stopped = threading.Event()
    with _stop_on_signals(stopped), serving(emulator, port=port, host=host, token=token, spool=spool) as bound:
        ready(bound)
        stopped.wait()


@contextmanager
def serving(
    emulator: Handler, *, port: int = 0, host: str = LOOPBACK, token: str = "", spool: Path | None = None
) -> Iterator[int]:
    """Answer HTTP requests in the background during the block; at its end, finish the requests under way.

    Args:
        emulator: the emulator.
        port: the port; 0 chooses a free one.
        host: the address to listen on. Any but a loopback address needs a token, as the emulator checks no signatures.
        token: the first segment of the path of every URL; empty for a server without one.
        spool: the directory of large request bodies; None for the system's temporary directory.

    Yields:
        The port.

    Raises:
        ConfigError: the address or the port cannot be used, or the token is missing or too short.
    """
    gate = Gate(host, token=token)
    try:
        server = _Server((host, port), emulator, gate=gate, spool=spool)
    except OSError as error:
        raise ConfigError(
            f"Port {port} on {host} cannot be used: {error.strerror}.", hint="Port 0 takes a free one."
        ) from error
    with server:
        accepting = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        accepting.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            accepting.join()
            server.finish()


class _Server(ThreadingHTTPServer):
    """A server with a thread for each connection, which can end them."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], emulator: Handler, *, gate: Gate, spool: Path | None) -> None:
        self.emulator = emulator
        self.gate = gate
        self.spool = spool
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, _Connection)
        gate.port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver passes both
        """Log what ended a connection, unless the client has gone away."""
        if not isinstance(sys.exception(), ConnectionError):
            _LOGGER.exception("The connection from %s failed", client_address)

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
        # Not self.path, which merges leading slashes: a key may start with one.
        target = self.requestline.split()[1]
        try:
            if len(self.headers.get_all("Host", ())) != 1:
                raise ApiError("InvalidRequest", "A request needs one Host header.")
            host, target = self.server.gate.admit(headers, target)
            most = most_bytes(self.command)
            body, file = collect(sent_chunks(self.rfile, headers, most=most), most=most, spool=self.server.spool)
        except ApiError as error:
            self._refuse(refusal(error, headers))
            return
        except (ValueError, EOFError, TimeoutError, ConnectionError):
            self.close_connection = True
            return
        with file or nullcontext():
            url = f"http://{f'[{host}]' if ':' in host else host}{target}"
            request = to_request(self.command, url, headers=headers, body=body, file=file)
            try:
                self._answer(request)
            except (ConnectionError, TimeoutError):
                self.close_connection = True

    def _refuse(self, response: Response) -> None:
        """Write a response to a request whose body is unread, and close the connection.

        What the client still sends is read for a moment, or it could miss the response.
        """
        self.close_connection = True
        with suppress(OSError):
            self._write(response, io.BytesIO(response.body), with_body=self.command != "HEAD")
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_S)
            deadline_s = time.monotonic() + _LINGER_S
            while time.monotonic() < deadline_s and self.rfile.read1(_COPY_BYTES):
                pass

    def _answer(self, request: Request) -> None:
        try:
            response, body = answer(self.server.emulator, request)
        except AsteroidError as failure:
            _LOGGER.error("%s", failure)
            response = refusal(ApiError("InternalFailure", str(failure), status=500), request.headers)
            body = io.BufferedReader(io.BytesIO(response.body))
        except Exception:
            _LOGGER.exception("The emulator failed on %s %s", request.method, request.path)
            response, body = Response(500), io.BufferedReader(io.BytesIO())
        with body:
            self._write(response, body, with_body=request.method != "HEAD")

    def _write(self, response: Response, body: BinaryIO, *, with_body: bool) -> None:
        length = response.stop - response.start if response.file else len(response.body)
        self.send_response_only(response.status)
        for name, text in response.headers.items():
            self.send_header(name, text)
        if "content-length" not in {name.lower() for name in response.headers} and response.status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if with_body:
            shutil.copyfileobj(body, self.wfile, _COPY_BYTES)
        self.wfile.flush()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log the lines that http.server would print."""
        _LOGGER.debug(format, *args)


@contextmanager
def _stop_on_signals(stopped: threading.Event) -> Iterator[None]:
    """Make SIGINT and SIGTERM set an event."""
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
