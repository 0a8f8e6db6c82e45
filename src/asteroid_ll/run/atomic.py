"""Files that appear whole or not at all.

A file is written under a temporary name in its final folder, synced, and renamed over the old one. After a crash or on
a full disk, the file has its old content or its new content, never a part. A killed process can leave a temporary file.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from asteroid_ll.errors import DataError

TEMPORARY_PREFIX = ".asteroid-ll-tmp-"

_REFUSALS: Mapping[int | None, str] = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be too large",
    errno.EACCES: "permission is denied",
    errno.EPERM: "the operation is not permitted",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk reported an error",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOTDIR: "a part of its path is a file",
    errno.EISDIR: "there is a directory of that name",
    errno.ENOTEMPTY: "there is a directory of that name, with files in it",
    errno.EEXIST: "a part of its path is a file",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ENOENT: "its directory takes no new files",
    errno.EBADF: "it is not open for writing",
}
"""Reasons for which a file system refuses to write."""

_HINTS: Mapping[int | None, str] = {
    errno.ENOTDIR: "Move the file away that is in place of a directory",
    errno.EEXIST: "Move the file away that is in place of a directory",
    errno.EISDIR: "Move the directory away that is in place of the file",
    errno.ENOTEMPTY: "Move the directory away that is in place of the file",
    errno.ENOENT: "Choose another directory",
}
"""Hints for obstacles that neither room nor another directory removes."""

_EXHAUSTED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}
"""The subset that always means the machine is out of resources."""


def refused_by_system(error: BaseException) -> DataError | None:
    """Return the failure of a machine that is out of resources (disk, open files), or None for any other error.

    SQLite reports these only in words, so all its operational errors count.
    """
    if isinstance(error, OSError):
        if error.errno not in _EXHAUSTED:
            return None
        reason = _REFUSALS[error.errno]
        problem = (
            f"{os.fsdecode(error.filename)} could not be used" if error.filename else "A file could not be written"
        )
    elif type(error).__module__ == "sqlite3" and type(error).__name__ == "OperationalError":
        reason, problem = str(error), "The emulator's state could not be used"
    else:
        return None
    return DataError(
        f"{problem}: {reason}.",
        hint="Make room, allow more open files (ulimit -n), or choose another directory with --workdir; "
        "then run the same command again.",
    )


PRIVATE_MODE = 0o600
"""Mode of a file that only its owner may read."""


@contextmanager
def atomic_path(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Provide a temporary path that replaces ``path`` when the block succeeds.

    The temporary name ends like the final one, for writers that choose a format by suffix. No file takes the place of a
    device, a named pipe or a link to an open file such as ``/dev/stdout``: they are written to. An open file is written
    at the end of the block, from its present position on.

    Args:
        path: the file to create or replace; missing folders are created.
        private: only its owner may read it.

    Yields:
        The path to write to. The block must leave a closed file there.

    Raises:
        DataError: the file system refused (full, read-only, no permission ...); the old file is intact.
    """
    with _refusals(path, path):
        descriptor = _descriptor_of(path)
        if path.exists() and not path.is_file() and not path.is_dir():
            yield path
            return
        if not path.name:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if descriptor is not None:
        with _copied(path, descriptor) as temporary:
            yield temporary
        return
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}-{path.name[-128:]}")
    try:
        with _refusals(path, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            if private:
                temporary.touch(mode=PRIVATE_MODE, exist_ok=False)
            yield temporary
            _sync(temporary)
            if path.is_dir():
                path.rmdir()  # an empty directory that took the file's place; a full one is refused
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    sync_directory(path.parent)


def atomic_write(path: Path, data: bytes | bytearray | memoryview, *, private: bool = False) -> None:
    """Create or replace a file, see ``atomic_path``.

    Raises:
        DataError: the file system refused; the old file is intact.
    """
    with atomic_path(path, private=private) as temporary, temporary.open("wb") as file:
        file.write(data)


def remove_temporaries(directory: Path) -> None:
    """Remove the temporary files that killed processes left in a run directory.

    The caller must hold the directory's lock. Otherwise a temporary file may belong to a running process.
    """
    for path in directory.rglob(f"{TEMPORARY_PREFIX}*"):
        if not path.is_dir():
            path.unlink(missing_ok=True)


def sha256_file(path: Path) -> str:
    """Return a file's SHA-256, 64 hexadecimal digits.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} could not be read: {error.strerror}.",
            hint="Run the stage that makes it again, with --force.",
            path=str(path),
        ) from error


def sync_directory(path: Path) -> None:
    """Flush a directory's entries to disk if its file system can."""
    with suppress(OSError):
        _sync(path)


def _descriptor_of(path: Path) -> int | None:
    """Return the open file of this process that a path stands for, as ``/dev/stdout`` does for 1; None for another."""
    if not path.exists():
        return None
    while True:
        if path.name.isdecimal() and os.path.realpath(path.parent) in ("/dev/fd", f"/proc/{os.getpid()}/fd"):
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()


@contextmanager
def _copied(path: Path, descriptor: int) -> Iterator[Path]:
    """Provide a temporary path whose content is written to an open file when the block succeeds."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder:
        temporary = Path(folder, path.name)
        with _refusals(path, temporary):
            yield temporary
            with temporary.open("rb") as source, os.fdopen(os.dup(descriptor), "wb") as target:
                shutil.copyfileobj(source, target)


@contextmanager
def _refusals(path: Path, temporary: Path) -> Iterator[None]:
    """Raise a file system's refusal of the file as a DataError."""
    try:
        yield
    except OSError as error:
        reason = _REFUSALS.get(error.errno) or (error.strerror if error.filename is not None else None)
        if reason is None or not _concerns(error, path, temporary):
            raise
        raise DataError(
            f"{path} could not be written: {reason}; the old output is intact.",
            hint=_HINTS.get(error.errno, "Make room or choose another directory with --workdir")
            + ", then run the same command again.",
            path=str(path),
        ) from error


def _concerns(error: OSError, path: Path, temporary: Path) -> bool:
    """Return whether an error concerns the file being written, not one that the block reads."""
    if error.filename is None:
        return True
    named = Path(os.fsdecode(error.filename))
    return named in {path, temporary} or named in path.parents


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
