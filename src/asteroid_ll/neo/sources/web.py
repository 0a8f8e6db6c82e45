"""HTTP for the sources: body lengths are checked, and interrupted downloads resume.

A key travels in a header of one request only: a redirect to another host or scheme is not followed, and the debug
output of ``http.client``, which prints headers, stays off.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Progress, Web
from asteroid_ll.run.atomic import refused_by_system

TIMEOUT_S = 30.0
"""Longest wait for a connection, and for the next bytes."""

ATTEMPTS = 3
"""Attempts to start or resume a download before it fails."""

PAUSE_S = 2.0
"""Pause after the first attempt; each later pause is twice as long."""

MAX_REDIRECTS = 10
"""Redirects that one request follows."""

MAX_BODY_BYTES = 1 << 26
"""Longest body that is read into memory, 67 MB. A page of NeoWs is shorter than 1 MB."""

_BLOCK_BYTES = 1 << 16


class CutError(Exception):
    """A failed connection, or a body that is shorter than announced. Another attempt may succeed."""


class _Http(urllib3.HTTPConnectionPool):
    ConnectionCls = type("Quiet", (HTTPConnection,), {"debuglevel": 0})


class _Https(urllib3.HTTPSConnectionPool):
    ConnectionCls = type("Quiet", (HTTPSConnection,), {"debuglevel": 0})


@cache
def _manager(proxy: str) -> urllib3.PoolManager:
    """Return the connections through a proxy, or direct ones for an empty address."""
    if proxy:
        address = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        headers = urllib3.make_headers(proxy_basic_auth=unquote(address.auth)) if address.auth else None
        manager: urllib3.PoolManager = urllib3.ProxyManager(address.url, proxy_headers=headers)
    else:
        manager = urllib3.PoolManager()
    manager.pool_classes_by_scheme = {"http": _Http, "https": _Https}
    return manager


@contextmanager
def _opened(url: str, headers: Mapping[str, str], *, same_host: bool) -> Iterator[urllib3.BaseHTTPResponse]:
    """Send a GET request, follow its redirects, and yield the response.

    Args:
        url: http or https.
        headers: further headers, which redirects repeat.
        same_host: do not follow redirects to another host or scheme, and yield them instead.

    Raises:
        CutError: the connection failed, also within the block, or there are too many redirects.
        DataError: the disk is full, or another resource of the machine is exhausted.
    """
    origin = urlsplit(url)[:2]
    try:
        for _ in range(MAX_REDIRECTS):
            with _request(url, headers) as response:
                location = response.get_redirect_location()
                target = urljoin(url, location or "")
                if not location or (same_host and urlsplit(target)[:2] != origin):
                    yield response
                    return
            url = target
    except (OSError, HTTPError, ValueError) as error:
        # A full disk is not a network failure, so another attempt would not help.
        raise refused_by_system(error) or CutError(_reason(error)) from error
    raise CutError("too many redirects")


def _request(url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
    """Send one request, through the proxy that the environment names for the host."""
    parts = urlsplit(url)
    proxy = "" if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme, "")
    return _manager(proxy).request(
        "GET",
        url,
        headers={"User-Agent": "asteroid-ll", **headers},
        timeout=TIMEOUT_S,
        redirect=False,
        retries=False,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
    )


def shown(location: str) -> str:
    """Return a location without its user, password, query and fragment, which may contain secrets."""
    parts = urlsplit(location)
    if not parts.netloc:
        return location
    return urlunsplit(SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def get(url: str, *, headers: Mapping[str, str]) -> tuple[urllib3.BaseHTTPResponse, bytes]:
    """Send one request, and return the response, of any status, with its whole body.

    Args:
        url: http or https.
        headers: further headers. They may contain a key, so only redirects to the same host and scheme are followed.

    Raises:
        CutError: the connection failed, or the body is shorter than announced.
        DataError: the body is longer than ``MAX_BODY_BYTES``.
    """
    with _opened(url, headers, same_host=True) as response:
        body = response.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise DataError(f"{shown(url)} answered more than {MAX_BODY_BYTES} bytes.", hint="Check the address.")
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and len(body) < int(announced):
        raise CutError(f"{len(body)} of {announced} bytes came")
    return response, body


def _reason(error: BaseException) -> str:
    """Return the first cause of an error. The messages of urllib3 itself may repeat the address with its secrets."""
    while error.__cause__ is not None and not isinstance(error, ValueError):
        error = error.__cause__
    if isinstance(error, ValueError):
        return "the address is not valid"
    return str(error) or type(error).__name__


@dataclass(frozen=True)
class _Partial:
    """A download that can resume: its bytes so far, and the validator of the version that they belong to."""

    path: Path
    note: Path
    url_digest: str

    @classmethod
    def beside(cls, target: Path, url: str) -> _Partial:
        # The address itself may contain a signature, so only its digest is stored.
        digest = hashlib.sha256(url.encode()).hexdigest()
        folder = target.parent
        return cls(folder / f".{target.name}.partial", folder / f".{target.name}.partial.json", digest)

    def validator(self) -> str:
        """Return the validator of the bytes so far, empty if the download cannot resume."""
        try:
            note = json.loads(self.note.read_bytes())
            if note["url"] == self.url_digest and self.path.is_file():
                return str(note["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return ""

    def remember(self, validator: str) -> None:
        self.note.write_text(json.dumps({"url": self.url_digest, "validator": validator}), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(url: str, target: Path, *, final: Path, web: Web) -> None:
    """Stream a URL into a file, and resume an earlier attempt of this or another process.

    The whole file is requested again if the server gives no validator (ETag, Last-Modified) or does not support ranges.

    Args:
        url: http or https.
        target: file to fill.
        final: file that ``target`` will replace; the partial download is kept beside it.
        web: progress, clock and pauses.

    Raises:
        DataError: the server refuses, or the download is cut off ``ATTEMPTS`` times.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = _Partial.beside(final, url)
    for attempt in range(ATTEMPTS):
        try:
            _attempt(url, partial, web)
        except CutError as error:
            failure = error
        except DataError:
            partial.remove()
            raise
        else:
            partial.path.replace(target)
            partial.remove()
            return
        if attempt < ATTEMPTS - 1:
            web.sleep(PAUSE_S * 2**attempt)
    n_bytes = partial.path.stat().st_size if partial.path.is_file() else 0
    resumes = "; it resumes the download" if partial.validator() else ""
    if not resumes:
        partial.remove()
    raise DataError(
        f"The download of {shown(url)} failed after {n_bytes} bytes: {failure}.",
        hint=f"Check the network and run the fetch stage again{resumes}.",
    ) from failure


def _attempt(url: str, partial: _Partial, web: Web) -> None:
    validator = partial.validator()
    start = partial.path.stat().st_size if validator else 0
    headers = {"Range": f"bytes={start}-", "If-Range": validator} if start else {}
    with _opened(url, headers, same_host=False) as response:
        if response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            _receive(response, partial.path, start=start, web=web)
            return
        if response.status in (206, 416):
            partial.remove()
            raise CutError("the server does not have the requested range")
        if response.status >= 500:
            raise CutError(f"the server answered {response.status} {response.reason}")
        if response.status >= 300:
            raise DataError(
                f"{shown(url)} answered {response.status} {response.reason}.",
                hint="Check the URL, or download the file by hand.",
            )
        partial.remove()
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if validator and not validator.startswith("W/") and response.headers.get("Accept-Ranges") == "bytes":
            partial.remember(validator)
        _receive(response, partial.path, start=0, web=web)


def _receive(response: urllib3.BaseHTTPResponse, path: Path, *, start: int, web: Web) -> None:
    announced = response.headers.get("Content-Length", "")
    total = start + int(announced) if announced.isdigit() else None
    received = start
    progress = Progress(web)
    with path.open("ab" if start else "wb") as stream:
        while block := response.read(_BLOCK_BYTES):
            stream.write(block)
            received += len(block)
            of = f" of {total / 1e6:.1f}" if total else ""
            progress(f"{received / 1e6:.1f}{of} MB")
    if total is not None and received != total:
        raise CutError(f"it was cut: {received} of {total} bytes came")
