"""A CSV file of the user's: a path, an http(s) URL, or any other URL that a given callable can download."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.base import Download, Provenance, Reading, verified, whole_file
from asteroid_ll.neo.sources.web import Web, shown
from asteroid_ll.neo.sources.web import download as download_http


class CsvSource:
    """One CSV file, plain, gzip, or alone in a zip archive: the 40-column export, or a table with canonical names.

    Args:
        location: path or URL.
        web: how the network is used.
    """

    name = "csv"
    title = "CSV file"
    file_name = "asteroids.csv"

    def __init__(self, location: str, *, web: Web | None = None) -> None:
        self.location = location
        self.web = web or Web()

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
            transfer(self.location, temporary, final=raw_path, web=self.web, fetch_other=download)
            return verified(temporary, source=self.name, location=shown(self.location), sha256=sha256)

    def read(self, raw_path: Path) -> Reading:
        """Return the file's canonical table."""
        from asteroid_ll.neo.sources.tabular import read

        return read(raw_path)


def transfer(location: str, target: Path, *, final: Path, web: Web, fetch_other: Download | None) -> None:
    """Copy or download a location into ``target``.

    Args:
        location: path or URL.
        target: file to fill.
        final: file that ``target`` will replace.
        web: how the network is used.
        fetch_other: called for URLs that are neither a file nor http(s).

    Raises:
        ConfigError: the URL's scheme is one that nothing here can download.
        DataError: the file is missing, cannot be reached, or comes cut.
    """
    parts = urlsplit(location)
    if parts.scheme in ("http", "https"):
        download_http(location, target, final=final, web=web)
    elif parts.scheme == "file":
        _copy(Path(unquote(parts.path)), target)
    elif "://" not in location:
        _copy(Path(location).expanduser(), target)
    elif fetch_other is not None:
        fetch_other(location, target)
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
