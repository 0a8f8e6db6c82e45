"""Files with the bodies of objects: each is written once, under a name that is never used again.

A name has the body's length and CRC-32, so damage on disk is noticed before the bytes reach a reader:
``UUID-LENGTH-CRC32.PID``. Bodies of version 0.1.0 are named ``UUID.PID``, and nothing is known about their content.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asteroid_ll.emulator.processes import ProcessId
from asteroid_ll.emulator.state import BODY_NAME

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Body:
    """Bytes on disk that do not belong to an object yet: file name, length, MD5 (hex), CRC-32 (base64)."""

    name: str
    size_bytes: int
    md5: str
    crc32: str


class BodyFiles:
    """A directory of bodies, which several processes may write at once.

    Args:
        directory: an existing directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> Path:
        """Return the file of a body."""
        return self.directory / name

    def write(self, chunks: Iterable[bytes | memoryview]) -> Body:
        """Write bytes to a new file.

        The file's name ends in the writer's process id, which separates a body under way from a lost one. Until the
        body is complete, its name has no length and no checksum.

        Raises:
            OSError: the disk is full. The file is removed.
        """
        unique, pid = uuid.uuid4().hex, os.getpid()
        path = self.path(f"{unique}.{pid}")
        md5, crc32, size_bytes = hashlib.md5(usedforsecurity=False), 0, 0
        try:
            with open(path, "xb", opener=_private) as file:
                for chunk in chunks:
                    file.write(chunk)
                    md5.update(chunk)
                    crc32 = zlib.crc32(chunk, crc32)
                    size_bytes += len(chunk)
            path = path.rename(self.path(f"{unique}-{size_bytes}-{crc32:08x}.{pid}"))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(path.name, size_bytes, md5.hexdigest(), base64.b64encode(crc32.to_bytes(4, "big")).decode())

    def is_intact(self, name: str) -> bool:
        """Return whether a body is on disk with the length and the checksum that it was written with."""
        expected, size_bytes, crc32 = BODY_NAME.fullmatch(name), 0, 0
        if expected is None or expected["crc32"] is None:
            return self.path(name).is_file()
        try:
            for chunk in read_chunks(self.path(name)):
                size_bytes, crc32 = size_bytes + len(chunk), zlib.crc32(chunk, crc32)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EIO):
                raise
            return False
        return (size_bytes, crc32) == (int(expected["size"]), int(expected["crc32"], 16))

    def discard(self, *names: str) -> None:
        """Remove bodies."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def names(self) -> set[str]:
        """Return the names of all files, which are bodies unless somebody else put a file here."""
        return {entry.name for entry in os.scandir(self.directory)}

    def ownerless(self, names: Iterable[str]) -> set[str]:
        """Return the names of bodies whose writer is dead. Such a body is lost unless a row names it."""
        return {name for name in names if BODY_NAME.fullmatch(name) and not _is_alive(name)}


def read_chunks(*sources: Path, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield the bytes ``[start, stop)`` of each file in chunks."""
    for source in sources:
        with source.open("rb") as file:
            file.seek(start)
            remaining = CHUNK_BYTES if stop is None else stop - start
            while remaining > 0 and (chunk := file.read(min(remaining, CHUNK_BYTES))):
                yield chunk
                if stop is not None:
                    remaining -= len(chunk)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_alive(name: str) -> bool:
    """Return whether the process that wrote a body still runs."""
    return ProcessId.of(int(name.rpartition(".")[2])) is not None
