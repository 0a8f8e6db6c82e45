"""The emulator's state: one directory that outlives the process, as SQLite keeps a database in a file.

``DIR/state.sqlite3`` (WAL) holds everything small; ``DIR/objects/`` holds S3 bodies as files, written to a
temporary name and renamed; ``DIR/jobs/NAME/`` is a training job's container directory. What was acknowledged
survives ``kill -9``.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ACCOUNT_ID = "000000000000"
"""The emulated account; a role, bucket owner or ARN of another account is a stranger's."""


class State:
    """A directory with a SQLite database and object files.

    Args:
        directory: created where it is missing.
        clock: seconds since 1970; tests give a virtual one.
    """

    def __init__(self, directory: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.directory = directory
        self.now = clock
        self.objects = directory / "objects"
        self.jobs = directory / "jobs"
        for folder in (directory, self.objects, self.jobs):
            folder.mkdir(parents=True, exist_ok=True)
        self._connection: sqlite3.Connection | None = None
        self._ensured: set[str] = set()

    @property
    def connection(self) -> sqlite3.Connection:
        """The database, opened at first use: WAL, 30 s of patience with other writers, autocommit."""
        if self._connection is None:
            connection = sqlite3.connect(
                self.directory / "state.sqlite3", timeout=30, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._connection = connection
        return self._connection

    def ensure(self, schema: str) -> None:
        """Create a service's tables once; ``schema`` is a script of ``CREATE TABLE IF NOT EXISTS``."""
        if schema not in self._ensured:
            self.connection.executescript(schema)
            self._ensured.add(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing, other processes wait."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close the database; the state can be opened again later."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._ensured.clear()
