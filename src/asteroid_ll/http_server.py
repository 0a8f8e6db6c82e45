"""HTTP/1.1 by uvicorn, for the emulator and for the serving container.

Both are ASGI applications (https://asgi.readthedocs.io): functions of a request's header, of `receive` and of `send`.
uvicorn keeps connections alive, sends ``100 Continue`` when a body is first read, and refuses what is not HTTP.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, TypeVar

Result = TypeVar("Result")

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

IDLE_S = 60
"""An idle connection is closed after this time."""

GRACE_S = 10
"""At the end, a request or a response that makes its client wait is cut off after this time."""

_LOGGER = logging.getLogger(__name__)
_N_THREADS = 64
_BACKLOG = 128
_COPY_BYTES = 1 << 20
_CONTROLS = dict.fromkeys([*range(32), 127], " ")


class BodyTooLargeError(Exception):
    """A request's body is longer than the server accepts."""


class Head(NamedTuple):
    """The header of a request.

    Attributes:
        method: ``GET``, ``PUT`` ... in capitals.
        target: the path and the query exactly as the client sent them.
        headers: the header fields, names in lower case.
    """

    method: str
    target: str
    headers: dict[str, str]


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that accepts connections from now on.

    Args:
        host: the address, IPv4 or IPv6.
        port: the port; 0 chooses a free one.

    Raises:
        OSError: the address or the port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only if the protocol is given.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def running(application: Application, listener: socket.socket, *, grace_s: int = GRACE_S) -> Iterator[None]:
    """Answer requests in the background during the block; at its end, finish the requests under way and close.

    Args:
        application: answers each request. What blocks runs `in_thread`.
        listener: from `listen`.
        grace_s: seconds until requests are cut off that wait for their clients.
    """
    import uvicorn  # slow to import

    async def logged(scope: Any, receive: Receive, send: Send) -> None:
        try:
            await application(scope, receive, send)
        except Exception:  # uvicorn's own log, which has it too, is off
            _LOGGER.exception("The server failed on %s %s", scope["method"], scope["path"])
            raise

    config = uvicorn.Config(
        logged,
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=grace_s,
    )
    server = uvicorn.Server(config)

    async def serve() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_N_THREADS))
        await server.serve([listener])
        for connection in server.server_state.connections:
            connection.transport.abort()
        await asyncio.sleep(0)  # closes what was aborted

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


async def in_thread(work: Callable[[], Result]) -> Result:
    """Call a function that may block in one of 64 threads, and return its result."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


def head_of(scope: Mapping[str, Any]) -> Head:
    """Return the header of an ASGI request. Fields with the same name are joined with commas (RFC 9110, 5.3)."""
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    headers: dict[str, str] = {}
    for raw_name, raw_text in scope["headers"]:
        name, text = raw_name.decode("latin-1"), raw_text.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return Head(scope["method"], target.decode("latin-1"), headers)


async def read_body(receive: Receive, head: Head, file: BinaryIO, *, most: int) -> None:
    """Copy a request's body to a file as it comes in.

    Raises:
        BodyTooLargeError: it is longer than ``most`` bytes. If its length was announced, nothing of it has been read.
        ConnectionError: the connection ended before the body.
    """
    if int(head.headers.get("content-length", 0)) > most:
        raise BodyTooLargeError
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        most -= file.write(message["body"])
        if most < 0:
            raise BodyTooLargeError
        more = message["more_body"]


async def respond(send: Send, status: int, headers: Mapping[str, str], body: bytes | BinaryIO) -> None:
    """Write a response.

    Args:
        send: the connection.
        status: HTTP status.
        headers: the header, with ``Content-Length`` if the body is a file.
        body: the body; a response to HEAD has none, whatever is given here.
    """
    fields = [(name.encode("latin-1"), text.translate(_CONTROLS).encode("latin-1")) for name, text in headers.items()]
    if isinstance(body, bytes) and "content-length" not in map(str.lower, headers) and status not in (204, 304):
        fields.append((b"Content-Length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    if not isinstance(body, bytes):
        while chunk := body.read(_COPY_BYTES):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": body if isinstance(body, bytes) else b""})


async def refuse(send: Send, head: Head, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Write a response to a request whose body is unread.

    A client that waits for ``100 Continue`` does not send the body any more, so its connection cannot be kept. What
    any other client still sends is dropped, because it could miss the response on a closed connection.
    """
    close = {"Connection": "close"} if "expect" in head.headers else {}
    await respond(send, status, {**headers, **close}, body)


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is this machine's, whatever a name server says."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
