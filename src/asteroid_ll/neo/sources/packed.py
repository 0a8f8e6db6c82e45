"""The text in a file: plain, gzip, or alone in a zip archive."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path
from typing import IO

from asteroid_ll.errors import DataError

MAX_TEXT_BYTES = 1 << 28
"""Longest text of a file, 268 MB: forty times the bundled catalogue's."""

_HINT_AGAIN = "Run the fetch stage again with --force."
_KINDS = {b"\x1f\x8b": "gzip", b"PK": "zip"}
_TEXT_SUFFIXES = (".csv", ".txt", ".json")


def unpacked(path: Path, *, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """Return the text of a file.

    Args:
        path: plain, gzip, or a zip archive with one text file.
        max_bytes: longest text to accept, which protects the memory from wrong files and zip bombs.

    Raises:
        DataError: the file is missing, damaged, too long, a workbook, or an archive without exactly one text.
    """
    head = b""
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
            stream.seek(0)
            if head.startswith(b"\x1f\x8b"):
                with gzip.GzipFile(fileobj=stream) as packed:
                    return _limited(packed, path, max_bytes)
            if head == b"PK\x03\x04":
                return _from_archive(stream, path, max_bytes)
            return _limited(stream, path, max_bytes)
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, NotImplementedError) as error:
        raise DataError(f"{path} is a damaged or cut {_KINDS[head[:2]]} file: {error}.", hint=_HINT_AGAIN) from error
    except OSError as error:
        raise DataError(
            f"The file {path} cannot be read: {error.strerror or error}.", hint="Run the fetch stage first."
        ) from error


def _limited(stream: IO[bytes] | gzip.GzipFile, path: Path, max_bytes: int) -> bytes:
    parts = io.BytesIO()
    while block := stream.read(1 << 20):
        parts.write(block)
        if parts.tell() > max_bytes:
            raise DataError(f"{path} contains more than {max_bytes} bytes.", hint="Split it, or use a smaller export.")
    return parts.getvalue()


def _from_archive(stream: IO[bytes], path: Path, max_bytes: int) -> bytes:
    with zipfile.ZipFile(stream) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        if "[Content_Types].xml" in names:
            raise DataError(f"{path} is a spreadsheet workbook.", hint="Export the sheet as CSV, and use that.")
        texts = [name for name in names if name.lower().endswith(_TEXT_SUFFIXES) and not name.startswith("__MACOSX/")]
        if len(texts) != 1:
            listed = ", ".join(texts[:5]) or "none"
            raise DataError(
                f"{path} is a zip archive with {len(texts)} text files ({listed}), expected one.",
                hint="Unpack it, and use the file with the asteroids.",
            )
        try:
            with archive.open(texts[0]) as member:
                return _limited(member, path, max_bytes)
        except RuntimeError as error:
            raise DataError(f"{path} cannot be unpacked: {error}.", hint="Unpack it by hand.") from error
