"""Files with the bodies of objects: each is written once, under a name that is never used again."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asteroid_ll.emulator.processes import ProcessId

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

        The file's name ends in the writer's process id, which separates a body under way from a lost one.

        Raises:
            OSError: the disk is full. The file is removed.
        """
        name = f"{uuid.uuid4().hex}.{os.getpid()}"
        path = self.path(name)
        md5, crc32, size_bytes = hashlib.md5(usedforsecurity=False), 0, 0
        try:
            with path.open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    md5.update(chunk)
                    crc32 = zlib.crc32(chunk, crc32)
                    size_bytes += len(chunk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(name, size_bytes, md5.hexdigest(), base64.b64encode(crc32.to_bytes(4, "big")).decode())

    def discard(self, *names: str) -> None:
        """Remove bodies."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def ownerless(self) -> set[str]:
        """Return the names of bodies whose writer is dead. Such a body is lost unless a row names it."""
        return {path.name for path in self.directory.iterdir() if not _is_alive(path.name.rpartition(".")[2])}


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


def _is_alive(pid: str) -> bool:
    """Return whether a body's writer still runs; False for a name without a process id."""
    return pid.isdecimal() and ProcessId.of(int(pid)) is not None
