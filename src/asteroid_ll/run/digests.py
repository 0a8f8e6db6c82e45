"""SHA-256 digests of files in a run directory; a large file that has not changed is not read again.

A file is unchanged if its inode, its size, and the times of its content and of its inode are the same. The last one
cannot be set, so a content that was changed under its old time is noticed. As in git's index, a file that was changed
shortly before it was read is read again: another change in the same tick of the clock would leave all four as
they were.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from asteroid_ll.errors import DataError
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import sha256_file
from asteroid_ll.run.files import write_json

LARGE_BYTES = 8 << 20
"""The digest of a smaller file takes some milliseconds, and is stored for the life of the process only."""

_SETTLED_NS = 2_000_000_000
"""Age from which a change is older than any tick of a file system's clock; FAT's is two seconds."""

_State = tuple[int, int, int, int]


class Digests:
    """Digests of the files of one run directory.

    Args:
        directory: the run directory. Digests of large files are stored there, if it can be written.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, tuple[_State, str]] = {}
        self._stored: dict[str, tuple[_State, str]] | None = None

    def of(self, relative: str) -> str | None:
        """Return the sha256, hexadecimal, of a file, or None if there is no such file.

        Raises:
            DataError: it cannot be read.
        """
        path = self._directory / relative
        try:
            status = path.stat()
        except OSError:
            return None
        if not S_ISREG(status.st_mode):
            return None
        state = _state(status)
        for known in (self._known, self._large() if status.st_size >= LARGE_BYTES else {}):
            if relative in known and known[relative][0] == state:
                return known[relative][1]
        started_ns = time.time_ns()
        digest = sha256_file(path)
        self._known[relative] = (state, digest)
        is_settled = max(status.st_ctime_ns, status.st_mtime_ns) + _SETTLED_NS < started_ns
        if status.st_size >= LARGE_BYTES and is_settled:
            self._store(relative, state, digest)
        return digest

    def _large(self) -> dict[str, tuple[_State, str]]:
        """Return the stored digests; none if the file is missing or damaged."""
        if self._stored is None:
            self._stored = {}
            with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
                entries = json.loads((self._directory / paths.DIGESTS).read_bytes())["digests"].items()
                self._stored = {name: (_read(entry["state"]), str(entry["sha256"])) for name, entry in entries}
        return self._stored

    def _store(self, relative: str, state: _State, digest: str) -> None:
        stored = self._large()
        stored[relative] = (state, digest)
        entries = {name: {"state": list(known), "sha256": sha256} for name, (known, sha256) in stored.items()}
        with suppress(OSError, DataError):
            write_json(self._directory / paths.DIGESTS, {"version": 1, "digests": entries})


def _state(status: os.stat_result) -> _State:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(values: list[int]) -> _State:
    inode, size, mtime_ns, ctime_ns = values
    return inode, size, mtime_ns, ctime_ns
