"""HTTP as the sources need it: one opener, bodies checked against their announced length, downloads that go on.

A secret travels in a header of the first request only: a redirect to another host, or to plain http, is refused, and
debugging output of the standard library's client is off whatever the process has set, because it prints headers.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from asteroid_ll.errors import DataError
from asteroid_ll.run.atomic import refused_by_system

TIMEOUT_S = 30.0
"""Longest wait for the next bytes."""

ATTEMPTS = 3
"""How often a download is begun or gone on with before it fails."""

PAUSE_S = 2.0
"""First pause between two attempts; each further one is twice as long."""

MAX_BODY_BYTES = 1 << 26
"""Longest body that is held in memory, 67 MB: a page of NeoWs has less than one."""

_BLOCK_BYTES = 1 << 16
_PROGRESS_EVERY_S = 2.0
_USER_AGENT = "asteroid-ll"


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class Web:
    """How the network is used.

    Attributes:
        say: shows a line of progress.
        sleep: waits so many seconds.
        now_s: a clock in seconds that never goes back.
    """

    say: Callable[[str], None] = _silent
    sleep: Callable[[float], None] = time.sleep
    now_s: Callable[[], float] = time.monotonic


class Progress:
    """Says where a long transfer is, but not more often than every other second."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._told_s = web.now_s()

    def __call__(self, text: str) -> None:
        """Say it, or leave it out."""
        now_s = self._web.now_s()
        if now_s - self._told_s >= _PROGRESS_EVERY_S:
            self._told_s = now_s
            self._web.say(text)


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, headers by lower-case name, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class CutError(Exception):
    """A connection that failed, or a body that is shorter than announced; another attempt may succeed."""


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but carries no secret to another host and none over plain http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the next request, None to refuse it."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        secret = any(name.lower() == "x-api-key" for name in req.headers)
        if secret and (old.hostname != new.hostname or (old.scheme == "https" and new.scheme != "https")):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(
        urllib.request.HTTPHandler(debuglevel=0), urllib.request.HTTPSHandler(debuglevel=0), _SameHost()
    )


def shown(location: str) -> str:
    """Return a location without user, password, query and fragment, where secrets travel."""
    parts = urlsplit(location)
    if not parts.netloc:
        return location
    return urlunsplit(SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def get(url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request and read its whole answer, whatever its status.

    Args:
        url: http or https.
        headers: further headers.

    Raises:
        CutError: the connection failed, or the body is shorter than announced.
        DataError: the body is longer than ``MAX_BODY_BYTES``.
    """
    request = urllib.request.Request(url, headers={"User-Agent": _USER_AGENT, **(headers or {})})  # noqa: S310
    try:
        try:
            response = _opener().open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            body = response.read(MAX_BODY_BYTES + 1)
            told = {name.lower(): value for name, value in response.headers.items()}
            status = int(response.status)
    except (OSError, http.client.HTTPException) as error:
        raise CutError(_reason(error)) from error
    if len(body) > MAX_BODY_BYTES:
        raise DataError(f"{shown(url)} answered more than {MAX_BODY_BYTES} bytes.", hint="Check the address.")
    announced = told.get("content-length", "")
    if announced.isdigit() and len(body) < int(announced):
        raise CutError(f"{len(body)} of {announced} bytes came")
    return Answer(status, told, body)


def _reason(error: Exception) -> str:
    return str(error.reason if isinstance(error, urllib.error.URLError) else error) or type(error).__name__


@dataclass
class _Partial:
    """A download that may go on later: the bytes so far, and the validator that says of which version they are."""

    path: Path
    note: Path
    url: str

    @classmethod
    def beside(cls, target: Path, url: str) -> _Partial:
        # The address itself may hold a signature: a digest tells it from another one.
        key = hashlib.sha256(url.encode()).hexdigest()
        folder = target.parent
        return cls(folder / f".{target.name}.partial", folder / f".{target.name}.partial.json", key)

    def validator(self) -> str:
        """Return the validator of the bytes so far, empty where there is nothing to go on with."""
        try:
            told = json.loads(self.note.read_bytes())
            if told["url"] == self.url and self.path.is_file():
                return str(told["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return ""

    def remember(self, validator: str) -> None:
        self.note.write_text(json.dumps({"url": self.url, "validator": validator}), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(url: str, target: Path, *, final: Path, web: Web) -> None:
    """Stream a URL into a file; go on where an earlier attempt, also one of another process, was cut.

    A server that gives no validator (ETag, Last-Modified), or does not take ranges, is asked for the whole again.

    Args:
        url: http or https.
        target: file to fill.
        final: file that ``target`` will replace; the partial download is kept beside it.
        web: progress, clock and pauses.

    Raises:
        DataError: the server refuses, or the download is cut ``ATTEMPTS`` times.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = _Partial.beside(final, url)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _attempt(url, partial, web)
        except CutError as error:
            keep = bool(partial.validator())
            if attempt == ATTEMPTS:
                n_bytes = partial.path.stat().st_size if partial.path.is_file() else 0
                if not keep:
                    partial.remove()
                raise DataError(
                    f"The download of {shown(url)} failed after {n_bytes} bytes: {error}.",
                    hint="Check the network and run the fetch stage again"
                    + ("; it goes on where it was cut." if keep else "."),
                ) from error
            web.sleep(PAUSE_S * 2 ** (attempt - 1))
        except DataError:
            partial.remove()
            raise
        else:
            partial.path.replace(target)
            partial.remove()
            return


def _attempt(url: str, partial: _Partial, web: Web) -> None:
    validator = partial.validator()
    start = partial.path.stat().st_size if validator else 0
    headers = {"User-Agent": _USER_AGENT}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the caller checked the scheme
    try:
        with _opener().open(request, timeout=TIMEOUT_S) as response:
            goes_on = response.status == 206 and _starts_at(response.headers.get("Content-Range", ""), start)
            if response.status == 206 and not goes_on:
                partial.remove()
                raise CutError("the server sent another range than the one asked for")
            if not goes_on:
                start = 0
                partial.remove()
                found = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
                if found and not found.startswith("W/") and response.headers.get("Accept-Ranges") == "bytes":
                    partial.remember(found)
            _receive(response, partial.path, start=start, web=web)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:
            partial.remove()
            raise CutError("the server has no more of it") from error
        if error.code >= 500:
            raise CutError(f"the server answered {error.code} {error.reason}") from error
        raise DataError(
            f"{shown(url)} answered {error.code} {error.reason}.", hint="Check the URL, or download the file by hand."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        # A full disk is no fault of the network: to ask again would not help.
        raise refused_by_system(error) or CutError(_reason(error)) from error


def _starts_at(content_range: str, start: int) -> bool:
    return content_range.startswith(f"bytes {start}-")


def _receive(response: Any, path: Path, *, start: int, web: Web) -> None:
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
