"""HTTP connections whose every byte counts: an endless answer and one that drips both end.

A read timeout alone stops neither, because a byte now and then satisfies it. So each response reads from its socket
through an `Allowance`, which covers the body, the headers and the framing.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import parse_url

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.base import Web
from asteroid_ll.redaction import shown

SCHEMES = ("http", "https")

GRACE_S = 60.0
"""Time that a server has in addition to that of the slowest accepted transfer."""

MIN_BYTES_PER_S = 5_000
"""Slowest accepted transfer, about that of a first-generation mobile phone."""

_OVERHEAD_BYTES = 1 << 20
"""Accepted headers and framing beside the body, which make up less than a tenth of this."""


@dataclass
class Allowance:
    """The bytes and the time that one answer may take.

    Attributes:
        url: the address in messages.
        web: the clock.
        max_bytes: the longest accepted body.
    """

    url: str
    web: Web
    max_bytes: int
    _n_bytes: int = 0
    _started_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._started_s = self.web.now_s()

    def refuse_length(self, n_bytes: int) -> None:
        """Raise DataError if a body of that length is too long."""
        if n_bytes > self.max_bytes:
            raise DataError(
                f"{shown(self.url)} answered more than {self.max_bytes} bytes.",
                hint="Check the address: no list of asteroids is that long.",
            )

    def count(self, n_bytes: int) -> None:
        """Count received bytes; raise DataError if there are too many, or too few for the time."""
        self._n_bytes += n_bytes
        self.refuse_length(self._n_bytes - _OVERHEAD_BYTES)
        elapsed_s = self.web.now_s() - self._started_s
        if elapsed_s > GRACE_S + self._n_bytes / MIN_BYTES_PER_S:
            raise DataError(
                f"{shown(self.url)} is too slow: {self._n_bytes} bytes in {elapsed_s:.0f} s.",
                hint="Run the same command again later, or download the file by hand.",
            )


_allowance: ContextVar[Allowance] = ContextVar("allowance")


@contextmanager
def allowed(allowance: Allowance) -> Iterator[None]:
    """Apply an allowance to the responses that arrive within the block."""
    token = _allowance.set(allowance)
    try:
        yield
    finally:
        _allowance.reset(token)


class _Counted(io.RawIOBase):
    """A socket's bytes, counted."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._allowance = _allowance.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        n_bytes = self._raw.readinto(buffer)
        self._allowance.count(n_bytes or 0)
        return n_bytes

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Counted(self.fp.detach()))


class _Http(urllib3.HTTPConnectionPool):
    ConnectionCls = type("Counted", (HTTPConnection,), {"debuglevel": 0, "response_class": _Response})


class _Https(urllib3.HTTPSConnectionPool):
    ConnectionCls = type("Counted", (HTTPSConnection,), {"debuglevel": 0, "response_class": _Response})


@cache
def manager_through(proxy: str) -> urllib3.PoolManager:
    """Return the connections through a proxy, or direct ones for an empty address."""
    if proxy:
        address = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        headers = urllib3.make_headers(proxy_basic_auth=unquote(address.auth)) if address.auth else None
        manager: urllib3.PoolManager = urllib3.ProxyManager(address.url, proxy_headers=headers)
    else:
        manager = urllib3.PoolManager()
    manager.pool_classes_by_scheme = {"http": _Http, "https": _Https}
    return manager


def address_of(url: str) -> SplitResult:
    """Return the parts of an http or https address.

    Raises:
        ConfigError: it has another scheme, or is not valid.
    """
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        usable = bool(parts.hostname) and parts.port != 0 and bool(parse_url(url).host)
    except ValueError:  # also UnicodeError and urllib3's LocationParseError
        raise _invalid(url) from None
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"{shown(url)} is neither an http:// nor an https:// address.", hint="Correct the address.")
    if not usable:
        raise _invalid(url)
    return parts


def _invalid(url: str) -> ConfigError:
    return ConfigError(f"{shown(url)} is not a valid address.", hint="Write it as https://HOST/PATH.")
