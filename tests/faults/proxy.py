"""A fault proxy: an HTTP server between a command and ``emulator serve``, which spoils the answers to an operation.

Commands reach it with ``target: aws`` and ``AWS_ENDPOINT_URL``, so they use sockets, botocore's HTTP client and its
retries as they do on an account. A rule names an operation, a phase and a kind. ``before``: the request never reaches
the emulator, and the answer is a forgery. ``after``: the emulator does the work, and its answer is lost or spoiled.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.transport.server import serving

PHASES = ("before", "after")
KINDS = ("html", "empty", "not-utf8", "cut", "garbled", "reset", "delay")
"""Kinds of answers with status 200, a reset connection, and an answer that comes late."""

DELAY_S = 0.1

_PAGE = b"<html><head><title>Sign in</title></head><body>Please accept the terms of this network.</body></html>"
_SPOILED = {"json": b'{"garbled": [1, {"x": null}]}', "xml": b"<Garbled><x>1</x></Garbled>"}
_S3_OPERATIONS = {
    ("HEAD", True, False): "HeadObject",
    ("GET", True, False): "GetObject",
    ("PUT", True, False): "PutObject",
    ("DELETE", True, False): "DeleteObject",
    ("DELETE", True, True): "AbortMultipartUpload",
    ("HEAD", False, False): "HeadBucket",
    ("PUT", False, False): "CreateBucket",
    ("GET", False, False): "ListObjectsV2",
    ("GET", False, True): "ListMultipartUploads",
}
"""By method, whether the path has a key, and whether the query is about multipart uploads."""

_S3_SETTINGS = {"encryption": "GetBucketEncryption", "publicAccessBlock": "GetPublicAccessBlock"}


@dataclass(frozen=True)
class Rule:
    """A fault.

    Attributes:
        operation: such as ``DeleteEndpoint``.
        phase: ``before`` or ``after`` the emulator does the work.
        kind: one of `KINDS`.
        is_lasting: spoil every answer to the operation, otherwise only the first.
    """

    operation: str
    phase: str
    kind: str
    is_lasting: bool = True


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        url: for ``AWS_ENDPOINT_URL``.
        rule: the fault, if any.
        operations: every operation in the order of the requests.
    """

    url: str
    rule: Rule | None = None
    operations: list[str] = field(default_factory=list)


@contextmanager
def in_front_of_emulator(state: Path) -> Iterator[Proxy]:
    """Serve the emulator of a state directory, and a proxy in front of it."""
    with closing(Account(state)) as account, serving(account) as port, _Server(("127.0.0.1", 0), _Connection) as server:
        server.upstream = port
        server.proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
        accepting = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        accepting.start()
        try:
            yield server.proxy
        finally:
            server.shutdown()
            accepting.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    upstream: int
    proxy: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that goes away is part of the game."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        body = self._body()
        operation = _operation(self.command, self.path, self.headers.get("X-Amz-Target", ""), body)
        proxy = self.server.proxy
        proxy.operations.append(operation)
        rule = proxy.rule
        if rule is None or rule.operation != operation:
            self._answer(*self._forward(body))
            return
        if not rule.is_lasting:
            proxy.rule = None
        is_json = "X-Amz-Target" in self.headers or self.path.endswith("/invocations")
        content_type = "application/x-amz-json-1.1" if is_json else "application/xml"
        forged = (200, {"Content-Type": content_type}, b'{"forged": true}' if is_json else b"<Forged/>")
        status, headers, answer = forged if rule.phase == "before" and rule.kind != "delay" else self._forward(body)
        self._spoil(rule.kind, status, headers, answer, is_json=is_json)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _spoil(self, kind: str, status: int, headers: dict[str, str], answer: bytes, *, is_json: bool) -> None:
        if kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif kind == "cut":
            self._answer(status, headers, answer[: len(answer) // 2], announced=len(answer) or 10)
            self.close_connection = True
        elif kind == "html":
            self._answer(200, {"Content-Type": "text/html"}, _PAGE)
        elif kind == "delay":
            time.sleep(DELAY_S)
            self._answer(status, headers, answer)
        else:
            spoiled = {
                "empty": b"",
                "not-utf8": b"\xff\xfe\x80" + answer,
                "garbled": _SPOILED["json" if is_json else "xml"],
            }
            kept = {name: text for name, text in headers.items() if name.lower().startswith("content-type")}
            self._answer(200, kept, spoiled[kind])

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            chunks = []
            while length := int(self.rfile.readline().partition(b";")[0], 16):
                chunks.append(self.rfile.read(length))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send the request to the emulator; return its answer."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=30)
        dropped = {"transfer-encoding", "content-length", "expect", "connection", "host"}
        headers = {name: text for name, text in self.headers.items() if name.lower() not in dropped}
        try:
            upstream.request(self.command, self.path, body=body, headers={**headers, "Content-Length": str(len(body))})
            response = upstream.getresponse()
            kept = {
                name: text for name, text in response.getheaders() if name.lower() not in dropped - {"content-length"}
            }
            return response.status, kept, response.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, announced: int | None = None) -> None:
        self.send_response_only(status)
        lengths = {name: text for name, text in headers.items() if name.lower() == "content-length"}
        for name, text in headers.items():
            if name not in lengths:
                self.send_header(name, text)
        is_head = self.command == "HEAD"
        length = next(iter(lengths.values()), "0") if is_head else str(len(body) if announced is None else announced)
        if status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()
        if not is_head:
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Print nothing."""


def _operation(method: str, path: str, target: str, body: bytes) -> str:
    """Return the operation of a request to any of the services."""
    if target:
        return target.rpartition(".")[2]
    if path.endswith("/invocations"):
        return "InvokeEndpoint"
    action = parse_qs(body.decode("latin-1")).get("Action") if method == "POST" and len(body) < 10_000 else None
    if action:
        return action[0]
    parts = urlsplit(path)
    for subresource, name in _S3_SETTINGS.items():
        if method == "GET" and subresource in parse_qs(parts.query, keep_blank_values=True):
            return name
    if (method, parts.path) == ("GET", "/"):
        return "ListBuckets"
    has_key = re.fullmatch(r"/[^/]+/.+", parts.path) is not None
    is_about_uploads = not {"uploads", "uploadId"}.isdisjoint(parse_qs(parts.query, keep_blank_values=True))
    return _S3_OPERATIONS.get((method, has_key, is_about_uploads), f"{method} {path}")
