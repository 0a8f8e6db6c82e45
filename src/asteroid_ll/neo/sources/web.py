"""HTTP for the sources: lengths, times and redirects are checked, and interrupted downloads resume.

A key travels in a header of one request only: a redirect to another host or scheme is not followed, and the debug
output of ``http.client``, which prints headers, stays off. Only http and https are spoken, also after a redirect.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.base import Progress, Web
from asteroid_ll.neo.sources.connections import Allowance, address_of, allowed, manager_through
from asteroid_ll.redaction import shown
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


@contextmanager
def _opened(
    url: str, headers: Mapping[str, str], *, same_host: bool, web: Web, max_bytes: int
) -> Iterator[urllib3.BaseHTTPResponse]:
    """Send a GET request, follow its redirects, and yield the response.

    Args:
        url: http or https.
        headers: further headers, which redirects repeat.
        same_host: do not follow redirects to another host or scheme, and yield them instead.
        web: the clock.
        max_bytes: longest body.

    Raises:
        ConfigError: the address is not valid.
        CutError: the connection failed, also within the block, or there are too many redirects.
        DataError: the answer is too long or too slow, a redirect is not an http or https address, the disk is full, or
            another resource of the machine is exhausted.
    """
    origin = address_of(url)[:2]
    try:
        for _ in range(MAX_REDIRECTS):
            with allowed(Allowance(url, web, max_bytes)), _request(url, headers) as response:
                target = _redirected(url, response)
                if target is None or (same_host and urlsplit(target)[:2] != origin):
                    yield response
                    return
            url = target
    except (OSError, HTTPError, ValueError) as error:
        # A full disk is not a network failure, so another attempt would not help.
        raise refused_by_system(error) or CutError(_reason(error)) from error
    raise CutError("too many redirects")


def _redirected(url: str, response: urllib3.BaseHTTPResponse) -> str | None:
    """Return the address to which an answer redirects, or None.

    Raises:
        DataError: the address is not valid, or neither http nor https.
    """
    location = response.get_redirect_location()
    if not location:
        return None
    try:
        target = urljoin(url, location)
        address_of(target)
    except (ConfigError, ValueError) as error:
        problem = error.what if isinstance(error, ConfigError) else f"{shown(location)} is not a valid address."
        raise DataError(f"{shown(url)} redirects elsewhere: {problem}", hint="Check the address.") from error
    return target


def _request(url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
    """Send one request, through the proxy that the environment names for the host.

    A user and a password in the address are sent as basic authentication, to its host only.
    """
    parts = urlsplit(url)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    login = urllib3.make_headers(basic_auth=user) if parts.username else {}
    proxy = "" if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme, "")
    return manager_through(proxy).request(
        "GET",
        url,
        headers={"User-Agent": "asteroid-ll", **login, **headers},
        timeout=TIMEOUT_S,
        redirect=False,
        retries=False,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
    )


def get(url: str, *, headers: Mapping[str, str], web: Web) -> tuple[urllib3.BaseHTTPResponse, bytes]:
    """Send one request, and return the response, of any status, with its whole body.

    Args:
        url: http or https.
        headers: further headers. They may contain a key, so only redirects to the same host and scheme are followed.
        web: the clock.

    Raises:
        ConfigError: the address is not valid.
        CutError: the connection failed, or the body is shorter than announced.
        DataError: the body is longer than ``MAX_BODY_BYTES``, or too slow.
    """
    with _opened(url, headers, same_host=True, web=web, max_bytes=MAX_BODY_BYTES) as response:
        body = response.read(MAX_BODY_BYTES + 1)
    Allowance(url, web, MAX_BODY_BYTES).refuse_length(len(body))
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
        ConfigError: the address is not valid.
        DataError: the server refuses, the file is longer than ``web.max_bytes`` or too slow, or the download is cut off
            ``ATTEMPTS`` times.
    """
    address_of(url)
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
    with _opened(url, headers, same_host=False, web=web, max_bytes=web.max_bytes) as response:
        if response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            _receive(response, partial.path, start=start, url=url, web=web)
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
        _receive(response, partial.path, start=0, url=url, web=web)


def _receive(response: urllib3.BaseHTTPResponse, path: Path, *, start: int, url: str, web: Web) -> None:
    allowance = Allowance(url, web, web.max_bytes)
    announced = response.headers.get("Content-Length", "")
    total = start + int(announced) if announced.isdigit() else None
    received = start
    allowance.refuse_length(total or 0)
    progress = Progress(web)
    with path.open("ab" if start else "wb") as stream:
        while block := response.read(_BLOCK_BYTES):
            received += len(block)
            allowance.refuse_length(received)
            stream.write(block)
            of = f" of {total / 1e6:.1f}" if total else ""
            progress(f"{received / 1e6:.1f}{of} MB")
    if total is not None and received != total:
        raise CutError(f"it was cut: {received} of {total} bytes came")
