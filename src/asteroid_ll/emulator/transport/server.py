"""The HTTP transport: the emulator on a loopback port, for any AWS client that reads ``AWS_ENDPOINT_URL``.

Large bodies are streamed to and from disk.
"""

from __future__ import annotations

import errno
import io
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from queue import SimpleQueue

from asteroid_ll.emulator.transport.bodies import collect, most_bytes
from asteroid_ll.emulator.transport.gate import Gate, refusal
from asteroid_ll.emulator.transport.in_process import Handler, answer, to_request
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response, too_large
from asteroid_ll.errors import AsteroidError, ConfigError
from asteroid_ll.http_server import BodyTooLargeError, Connection, Server, running, sent_chunks

LOOPBACK = "127.0.0.1"
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
    signals: SimpleQueue[int] = SimpleQueue()
    with _queue_signals(signals), serving(emulator, port=port, host=host, token=token, spool=spool) as bound:
        ready(bound)
        signals.get()


@contextmanager
def serving(
    emulator: Handler, *, port: int = 0, host: str = LOOPBACK, token: str = "", spool: Path | None = None
) -> Iterator[int]:
    """Answer HTTP requests in the background during the block; at its end, finish the requests under way.

    Args:
        emulator: the emulator.
        port: the port; 0 chooses a free one.
        host: the address to listen on. Any but a loopback address needs a token, as signatures are not always checked.
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
        is_taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        hint = "Port 0 takes a free one." if is_taken else f"Use an address of this machine, such as {LOOPBACK}."
        raise ConfigError(f"Port {port} on {host} cannot be used: {error.strerror}.", hint=hint) from error
    with running(server):
        yield server.port


class _Server(Server):
    """The emulator's server."""

    def __init__(self, address: tuple[str, int], emulator: Handler, *, gate: Gate, spool: Path | None) -> None:
        self.emulator = emulator
        self.gate = gate
        self.spool = spool
        super().__init__(address, _Connection)
        gate.port = self.port


class _Connection(Connection):
    """One connection to the emulator."""

    server: _Server

    def _serve(self) -> None:
        """Read a request and write its response."""
        headers = self.header_fields()
        # Not self.path, which merges leading slashes: a key may start with one.
        sent = self.requestline.split()[1]
        try:
            if len(self.headers.get_all("Host", ())) != 1:
                raise ApiError("InvalidRequest", "A request needs one Host header.")
            host, target = self.server.gate.admit(headers, sent)
            most = most_bytes(self.command)
            body, file = collect(sent_chunks(self.rfile, headers, most=most), most=most, spool=self.server.spool)
        except ApiError as error:
            self._refuse(error, headers)
            return
        except BodyTooLargeError:
            self._refuse(too_large(), headers)
            return
        except (ValueError, EOFError, TimeoutError, ConnectionError):
            self.close_connection = True
            return
        with file or nullcontext():
            url = f"http://{f'[{host}]' if ':' in host else host}{target}"
            request = to_request(self.command, url, headers=headers, body=body, file=file, target=sent)
            try:
                self._answer(request)
            except (ConnectionError, TimeoutError):
                self.close_connection = True

    def _refuse(self, error: ApiError, headers: Mapping[str, str]) -> None:
        response = refusal(error, headers)
        self.refuse(response.status, response.headers, response.body)

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
            n_bytes = response.stop - response.start if response.file else len(response.body)
            self.respond(response.status, response.headers, body, n_bytes=n_bytes)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815 - http.server's names


@contextmanager
def _queue_signals(signals: SimpleQueue[int]) -> Iterator[None]:
    """Put SIGINT and SIGTERM into a queue.

    A signal can come while the main thread holds the lock of what it waits for. A simple queue has none that blocks.
    """

    def put(number: int, _frame: object) -> None:
        signals.put(number)

    before = {number: signal.signal(number, put) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
