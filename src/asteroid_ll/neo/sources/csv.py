"""A CSV file: a path, an http(s) URL, or any other URL that ``Web.download_other`` can download."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.sources.base import Source, Web
from asteroid_ll.neo.sources.connections import SCHEMES
from asteroid_ll.neo.sources.packed import MAX_TEXT_BYTES
from asteroid_ll.neo.sources.web import download
from asteroid_ll.redaction import shown
from asteroid_ll.run.atomic import refused_by_system

_BLOCK_BYTES = 1 << 20


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
        ConfigError: the URL is not valid, or has a scheme that cannot be downloaded.
        DataError: the file is missing, too long, too slow, cannot be reached, or is truncated.
    """
    scheme, is_url, rest = location.partition("://")
    scheme = scheme.lower()
    if not is_url:
        _copy(Path(location), target, max_bytes=web.max_bytes)
    elif scheme in SCHEMES:
        download(location, target, final=final, web=web)
    elif scheme == "file":
        path = re.split("[?#]", rest[rest.find("/") :], maxsplit=1)[0]
        _copy(Path(unquote(path)), target, max_bytes=web.max_bytes)
    elif web.download_other is not None:
        web.download_other(location, target)
    else:
        raise ConfigError(f"{scheme}:// URLs cannot be downloaded.", hint="Use a path, an https:// or an s3:// URL.")


def _copy(path: Path, target: Path, *, max_bytes: int) -> None:
    """Copy a file. A device may be endless, such as /dev/zero."""
    n_bytes = 0
    try:
        path = path.expanduser()
        if path.is_fifo():
            raise DataError(f"{path} is a named pipe.", hint="Write its content to a file, and name that.")
        if not path.is_file():
            max_bytes = min(max_bytes, MAX_TEXT_BYTES)
        with path.open("rb") as stream, target.open("wb") as copy:
            while block := stream.read(_BLOCK_BYTES):
                n_bytes += len(block)
                if n_bytes > max_bytes:
                    raise DataError(f"The file {path} has more than {max_bytes} bytes.", hint="Use a smaller export.")
                copy.write(block)
    except (OSError, RuntimeError, ValueError) as error:  # no such home directory; a name that no file can have
        reason = (error.strerror if isinstance(error, OSError) else "") or error
        raise refused_by_system(error) or DataError(
            f"The file {path} cannot be read: {reason}.", hint="Check the source's location."
        ) from error
