"""The text in a file: plain, gzip, or alone in a zip archive. It is read whole, or in pieces."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from asteroid_ll.errors import DataError

MAX_TEXT_BYTES = 1 << 28
"""Longest text that is read whole, and longest piece of a text that is read in pieces, 268 MB."""

MAX_FILE_BYTES = 1 << 36
"""Longest file that is read in pieces, 69 GB: 400 million asteroids."""

MAX_EXPANSION = 100
"""Largest text of more than ``MAX_TEXT_BYTES``, in sizes of its packed file; a catalogue has less than 10."""

_HINT_AGAIN = "Run the fetch stage again with --force."
_KINDS = {b"\x1f\x8b": "gzip", b"PK": "zip"}
_TEXT_SUFFIXES = (".csv", ".txt", ".json")


class Text:
    """The bytes of a text, for a parser that reads them in pieces.

    Args:
        stream: the unpacked bytes.
        path: the file, for messages.
    """

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream = stream
        self._path = path
        self._max_bytes = max(MAX_TEXT_BYTES, MAX_EXPANSION * path.stat().st_size)
        self._ahead = b""
        self._n_piece = self._n_bytes = 0

    def peek(self, n_bytes: int) -> bytes:
        """Return the first bytes without reading them."""
        while len(self._ahead) < n_bytes and (block := self._read(n_bytes - len(self._ahead))):
            self._ahead += block
        return self._ahead

    def read(self, n_bytes: int = 1 << 20, /) -> bytes:
        """Return at least one byte and at most ``n_bytes``, or nothing at the end.

        Raises:
            DataError: the file is damaged, or more than ``MAX_TEXT_BYTES`` were read since `begin_piece`, or it is an
                archive that unpacks to far more than its size.
        """
        if self._ahead:
            block, self._ahead = self._ahead[:n_bytes], self._ahead[n_bytes:]
        else:
            block = self._read(n_bytes)
        self._n_piece += len(block)
        self._n_bytes += len(block)
        if self._n_piece > MAX_TEXT_BYTES:
            raise DataError(
                f"{self._path} has a piece of more than {MAX_TEXT_BYTES} bytes that does not end.",
                hint="Look for a quotation mark that is never closed, or use a smaller export.",
            )
        if self._n_bytes > self._max_bytes:
            raise DataError(
                f"{self._path} unpacks to more than {MAX_EXPANSION} times its size.",
                hint="If this is right, unpack it by hand, and use the plain file.",
            )
        return block

    def begin_piece(self) -> None:
        """Begin a new piece of the text."""
        self._n_piece = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks of bytes."""
        return iter(self.read, b"")

    def _read(self, n_bytes: int) -> bytes:
        with _translated(self._path):
            return self._stream.read(n_bytes)


@contextmanager
def opened(path: Path) -> Iterator[Text]:
    """Open the text of a file, to read it in pieces.

    Args:
        path: plain, gzip, or a zip archive with one text file.

    Raises:
        DataError: the file is missing, damaged, a workbook, or an archive without exactly one text.
    """
    with ExitStack() as stack:
        with _translated(path):
            stream: Any = stack.enter_context(path.open("rb"))
            head = stream.read(4)
            stream.seek(0)
            if head.startswith(b"\x1f\x8b"):
                stream = stack.enter_context(gzip.GzipFile(fileobj=stream))
            elif head == b"PK\x03\x04":
                archive = stack.enter_context(zipfile.ZipFile(stream))
                stream = stack.enter_context(_member(archive, path))
        yield Text(stream, path)


def unpacked(path: Path, *, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """Return the whole text of a file.

    Args:
        path: plain, gzip, or a zip archive with one text file.
        max_bytes: longest text to accept, which protects the memory from wrong files and zip bombs.

    Raises:
        DataError: the file is missing, damaged, too long, a workbook, or an archive without exactly one text.
    """
    parts = io.BytesIO()
    with opened(path) as text:
        for block in text:
            text.begin_piece()
            parts.write(block)
            if parts.tell() > max_bytes:
                raise DataError(
                    f"{path} contains more than {max_bytes} bytes.", hint="Split it, or use a smaller export."
                )
    return parts.getvalue()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the errors of reading and unpacking into a sentence."""
    try:
        yield
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, NotImplementedError) as error:
        with path.open("rb") as stream:
            kind = _KINDS[stream.read(2)]
        raise DataError(f"{path} is a damaged or cut {kind} file: {error}.", hint=_HINT_AGAIN) from error
    except OSError as error:
        raise DataError(
            f"The file {path} cannot be read: {error.strerror or error}.", hint="Run the fetch stage first."
        ) from error


def _member(archive: zipfile.ZipFile, path: Path) -> IO[bytes]:
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
        return archive.open(texts[0])
    except RuntimeError as error:
        raise DataError(f"{path} cannot be unpacked: {error}.", hint="Unpack it by hand.") from error
