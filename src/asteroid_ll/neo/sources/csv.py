"""A CSV file: a path, an http(s) URL, or any other URL that ``Web.download_other`` can download."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.base import Source, Web
from asteroid_ll.neo.sources.web import download, shown


@dataclass(frozen=True)
class CsvSource(Source):
    """A CSV file, plain, gzip, or alone in a zip archive: the 40-column export, or a table with canonical names."""

    location: str

    def write(self, target: Path, *, final: Path) -> str:
        """Copy or download the file."""
        transfer(self.location, target, final=final, web=self.web)
        return shown(self.location)


def transfer(location: str, target: Path, *, final: Path, web: Web) -> None:
    """Copy or download a location into ``target``.

    Args:
        location: path or URL.
        target: file to fill.
        final: file that ``target`` will replace.
        web: progress, clock and further protocols of downloads.

    Raises:
        ConfigError: the URL has a scheme that cannot be downloaded.
        DataError: the file is missing, cannot be reached, or is truncated.
    """
    parts = urlsplit(location)
    if parts.scheme in ("http", "https"):
        download(location, target, final=final, web=web)
    elif parts.scheme == "file":
        _copy(Path(unquote(parts.path)), target)
    elif "://" not in location:
        _copy(Path(location).expanduser(), target)
    elif web.download_other is not None:
        web.download_other(location, target)
    else:
        raise ConfigError(
            f"{parts.scheme}:// URLs cannot be downloaded.", hint="Use a path, an https:// or an s3:// URL."
        )


def _copy(path: Path, target: Path) -> None:
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        raise DataError(
            f"The file {path} cannot be read: {error.strerror or error}.", hint="Check the source's location."
        ) from error
