"""The run directory: where each stage keeps its files, and how a file appears there whole or not at all.

A killed process can leave temporary files; the next holder of the lock removes them.
"""

from __future__ import annotations

from pathlib import Path

from asteroid_ll.run import paths
from asteroid_ll.run.atomic import TEMPORARY_PREFIX, atomic_path, atomic_write, sha256_file

__all__ = ["Workspace", "atomic_path", "atomic_write", "sha256_file"]


class Workspace:
    """One run directory.

    Args:
        directory: the run directory; made when something is written to it.

    Attributes:
        directory: the same.
        journal_path: the directory's journal, see ``Journal``.
        lock_path: what whoever writes to the directory must hold, see ``Lock``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal_path = directory / paths.JOURNAL
        self.lock_path = directory / paths.LOCK

    atomic_path = staticmethod(atomic_path)
    atomic_write = staticmethod(atomic_write)
    sha256_file = staticmethod(sha256_file)

    def path(self, stage: str, *names: str) -> Path:
        """Return the path of a stage's folder, or of a file in it."""
        return self.directory.joinpath(stage, *names)

    def remove_temporaries(self) -> tuple[Path, ...]:
        """Remove the temporary files of killed processes in the directory and below it.

        Only the holder of the lock may call it: a temporary file may otherwise be somebody's work.

        Returns:
            The files removed, in no particular order.
        """
        found = tuple(path for path in self.directory.rglob(f"{TEMPORARY_PREFIX}*") if not path.is_dir())
        for path in found:
            path.unlink(missing_ok=True)
        return found
