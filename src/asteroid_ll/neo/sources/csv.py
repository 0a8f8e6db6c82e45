"""A CSV file of the user's: a path, an http(s) URL, or any other URL that a given callable can download."""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.base import Download, Provenance, Reading, verified, whole_file

TIMEOUT_S = 30.0
"""Longest wait for the next bytes of a download."""

_BLOCK_BYTES = 1 << 16


class CsvSource:
    """One CSV file, plain or gzip: the 40-column NeoWs export, or a table with canonical names.

    Args:
        location: path or URL.
    """

    name = "csv"
    title = "CSV file"
    file_name = "asteroids.csv"

    def __init__(self, location: str) -> None:
        self.location = location

    def fetch(self, raw_path: Path, *, sha256: str | None = None, download: Download | None = None) -> Provenance:
        """Copy or download the file to ``raw_path``.

        Args:
            raw_path: where to write.
            sha256: expected digest in hexadecimal; None when it is not known.
            download: called for URLs that are neither a file nor http(s).

        Raises:
            ConfigError: the URL's scheme is one that nothing here can download.
            DataError: the file is missing, cannot be reached, is empty, cut, a web page, or has another digest.
        """
        with whole_file(raw_path) as temporary:
            self._transfer(temporary, download)
            return verified(temporary, source=self.name, location=_shown(self.location), sha256=sha256)

    def read(self, raw_path: Path) -> Reading:
        """Return the file's canonical table."""
        from asteroid_ll.neo.sources.tabular import read

        return read(raw_path)

    def _transfer(self, target: Path, download: Download | None) -> None:
        parts = urlsplit(self.location)
        if parts.scheme in ("http", "https"):
            _download_http(self.location, target)
        elif parts.scheme == "file":
            _copy(Path(unquote(parts.path)), target)
        elif "://" not in self.location:
            _copy(Path(self.location).expanduser(), target)
        elif download is not None:
            download(self.location, target)
        else:
            raise ConfigError(
                f"Nothing here can download {parts.scheme}:// URLs.", hint="Use a path, an https:// or an s3:// URL."
            )


def _copy(path: Path, target: Path) -> None:
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        raise DataError(
            f"The file {path} cannot be read: {error.strerror or error}.", hint="Check the source's location."
        ) from error


def _download_http(url: str, target: Path) -> None:
    """Stream ``url`` into ``target`` and compare the length with the one announced."""
    shown = _shown(url)
    request = urllib.request.Request(url, headers={"User-Agent": "asteroid-ll"})  # noqa: S310 - the caller checked it
    received = 0
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response, target.open("wb") as stream:  # noqa: S310
            announced = response.headers.get("Content-Length")
            while block := response.read(_BLOCK_BYTES):
                stream.write(block)
                received += len(block)
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(
            f"{shown} answered {error.code} {error.reason}.", hint="Check the URL, or download the file by hand."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DataError(
            f"The download of {shown} failed after {received} bytes: {reason}.",
            hint="Check the network and run the fetch stage again.",
        ) from error
    if announced is not None and announced.isdigit() and int(announced) != received:
        raise DataError(
            f"The download of {shown} was cut: {received} of {announced} bytes came.",
            hint="Run the fetch stage again.",
            received=received,
            announced=int(announced),
        )


def _shown(location: str) -> str:
    """Return a location without user, password, query and fragment, where secrets travel."""
    parts = urlsplit(location)
    if not parts.netloc:
        return location
    return urlunsplit(SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
