"""The HTTP transport: the emulator on a port, for any AWS client that reads ``AWS_ENDPOINT_URL``.

By default the emulator checks no signatures, and a request can start a process. So only programs of this machine are
answered, or those that know a token. A web page in a browser of this machine is refused: it has a foreign ``Origin``,
or a foreign ``Host`` if its name was pointed at the loopback address (DNS rebinding).
"""

from __future__ import annotations

import errno
import hmac
import io
import logging
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

from asteroid_ll import http_server
from asteroid_ll.emulator import protocols
from asteroid_ll.emulator.s3.payload import MAX_PUT_BYTES
from asteroid_ll.emulator.transport.in_process import IN_MEMORY_BYTES, Handler, answer, new_body, to_request
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response, too_large
from asteroid_ll.errors import AsteroidError, ConfigError
from asteroid_ll.http_server import BodyTooLargeError, Head, Receive, Send

LOOPBACK = "127.0.0.1"
MIN_TOKEN_CHARACTERS = 16

MAX_FRAMED_BYTES = MAX_PUT_BYTES + MAX_PUT_BYTES // 64
"""The largest body of a PUT: an object with its aws-chunked framing. That of any other method stays in memory."""

_TOKEN = re.compile(rf"[A-Za-z0-9._~-]{{{MIN_TOKEN_CHARACTERS},}}")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?")
_LOGGER = logging.getLogger(__name__)


def serve(emulator: Handler, *, ready: Callable[[int], None], **options: Any) -> None:
    """Answer HTTP requests until SIGINT or SIGTERM.

    Args:
        emulator: the emulator.
        ready: called with the port once connections are accepted.
        options: as for `serving`.

    Raises:
        ConfigError: as for `serving`.
    """
    signals: SimpleQueue[int] = SimpleQueue()
    with _queue_signals(signals), serving(emulator, **options) as bound:
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
    gate = _Gate(host, token)
    try:
        listener = http_server.listen(host, port)
    except OSError as error:
        is_taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        hint = "Port 0 takes a free one." if is_taken else f"Use an address of this machine, such as {LOOPBACK}."
        raise ConfigError(f"Port {port} on {host} cannot be used: {error.strerror}.", hint=hint) from error
    gate.port = listener.getsockname()[1]
    with http_server.running(_Application(emulator, gate, spool), listener):
        yield gate.port


class _Gate:
    """Admits requests to a server.

    Attributes:
        port: the server's port, once it is known.

    Raises:
        ConfigError: the address is not a loopback address and there is no token, or the token is too easy.
    """

    def __init__(self, host: str, token: str) -> None:
        self.port = 0
        self._is_local = http_server.is_loopback(host)
        self._token = token
        if token and not _TOKEN.fullmatch(token):
            raise ConfigError(
                f"The token has to be at least {MIN_TOKEN_CHARACTERS} letters, digits and the characters . _ ~ -",
                hint="Leave --token out; a random one is then made and printed.",
            )
        if not self._is_local and not token:
            raise ConfigError(
                f"The emulator does not listen on {host} without a token.",
                hint="Use a loopback address such as 127.0.0.1.",
            )

    def admit(self, head: Head) -> str:
        """Return the URL, without the token, of a request that may pass.

        Raises:
            ApiError: ``AccessDenied``, or ``InvalidRequest`` for a request that is not HTTP.
        """
        match = _HOST.fullmatch(head.headers.get("host", ""))
        if match is None or int(match[3] or 80) > 65_535 or not head.target.startswith("/"):
            raise ApiError("InvalidRequest", "The Host header or the request's target is malformed.")
        host = (match[1] or match[2]).lower()
        if self._is_local and (int(match[3] or 80) != self.port or not http_server.is_loopback(host)):
            raise _denied("The Host header is not this server's address")
        server_origin = f"http://{head.headers['host']}"
        if head.headers.get("origin", server_origin) != server_origin:
            raise _denied("The request comes from a web page of another origin")
        if head.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise _denied("The request comes from a web page of another site")
        return f"http://{f'[{host}]' if match[1] else host}{self._without_token(head.target)}"

    def _without_token(self, target: str) -> str:
        if not self._token:
            return target
        path, question_mark, query = target.partition("?")
        token, _, rest = path[1:].partition("/")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise _denied("The URL does not have the server's token")
        return f"/{rest}{question_mark}{query}"


class _Application:
    """The emulator behind its gate, as an ASGI application."""

    def __init__(self, emulator: Handler, gate: _Gate, spool: Path | None) -> None:
        self._emulator = emulator
        self._gate = gate
        self._spool = spool

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Read a request, let a thread answer it, and write its response."""
        head = http_server.head_of(scope)
        most = MAX_FRAMED_BYTES if head.method == "PUT" else IN_MEMORY_BYTES
        with new_body(self._spool) as file:
            try:
                url = self._gate.admit(head)
                await http_server.read_body(receive, head, file, most=most)
            except (ApiError, BodyTooLargeError) as error:
                refused = _refusal(error if isinstance(error, ApiError) else too_large(), head.headers)
                await http_server.refuse(send, head, refused.status, refused.headers, refused.body)
                return
            except ConnectionError:
                return
            request = to_request(head.method, url, headers=head.headers, body=file, target=head.target)
            response, body = await http_server.in_thread(partial(self._answer, request))
        with body:
            length = {"Content-Length": str(response.stop - response.start)} if response.file else {}
            content = body if response.file else response.body
            await http_server.respond(send, response.status, {**length, **response.headers}, content)

    def _answer(self, request: Request) -> tuple[Response, BinaryIO]:
        try:
            return answer(self._emulator, request)
        except AsteroidError as failure:
            _LOGGER.error("%s", failure)
            response = _refusal(ApiError("InternalFailure", str(failure), status=500), request.headers)
        except Exception:
            _LOGGER.exception("The emulator failed on %s %s", request.method, request.path)
            response = Response(500)
        return response, io.BytesIO()


def _refusal(error: ApiError, headers: Mapping[str, str]) -> Response:
    """Return the error response of a request that did not reach a service, in the format that the client expects."""
    request = Request("", "", "/", headers=headers)
    protocol = protocols.protocol_of(request, protocols.scope_of(request)[2])
    return protocols.refusal(error, protocol, request_id="")


def _denied(reason: str) -> ApiError:
    return ApiError("AccessDenied", f"{reason}. See the emulator's documentation on serving.", status=403)


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
