"""Bodies: files of immutable bytes under a directory, each written once, under a name that is never used again."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Body:
    """Bytes that are on disk and belong to no object yet: file name, length, MD5 (hex), CRC-32 (base64)."""

    name: str
    size_bytes: int
    md5: str
    crc32: str


class Bodies:
    """A directory of bodies that several processes write at once.

    Args:
        directory: it must exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> Path:
        """The file of a body."""
        return self.directory / name

    def write(self, chunks: Iterable[bytes | memoryview]) -> Body:
        """Put bytes on disk.

        The file's name ends in the writer's process id, so that a body on its way can be told from a lost one.

        Raises:
            OSError: the disk is full; nothing is left behind.
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
        """Remove bodies that nothing names any more."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def ownerless(self) -> set[str]:
        """Names of the bodies whose writer is dead: lost, unless a row names them."""
        return {path.name for path in self.directory.iterdir() if not _is_alive(path.name.rpartition(".")[2])}


def read_chunks(*sources: Path, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes of files, one after another, a chunk at a time; of each the range ``[start, stop)``."""
    for source in sources:
        with source.open("rb") as file:
            file.seek(start)
            left = CHUNK_BYTES if stop is None else stop - start
            while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
                yield chunk
                if stop is not None:
                    left -= len(chunk)


def _is_alive(pid: str) -> bool:
    """Whether a body's writer still runs; a name without a process id was not made by a writer."""
    if not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
