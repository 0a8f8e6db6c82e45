"""The emulator's state: one directory that outlives the process, as SQLite keeps a database in a file.

``DIR/state.sqlite3`` (WAL) contains everything small. ``DIR/objects/`` contains S3 bodies as files, written to a
temporary name and renamed. ``DIR/jobs/REGION/NAME/`` is a training job's container directory. Acknowledged writes
survive ``kill -9``.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

ACCOUNT_ID = "000000000000"
"""The emulated account. Roles, bucket owners and ARNs with another number belong to someone else."""

_SETTINGS_SCHEMA = "CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL);"


@dataclass(frozen=True)
class Settings:
    """Settings of the emulated account, shared by every process that uses the directory.

    Attributes:
        training_starting_s: seconds that a training job spends in ``Starting``.
        endpoint_creating_s: seconds that an endpoint spends in ``Creating`` or ``Updating``.
        endpoint_deleting_s: seconds that an endpoint spends in ``Deleting``.
        invisible_polls: how many describes after a create still answer "not found" (eventual consistency).
        stop_grace_s: seconds between SIGTERM and SIGKILL for a container that is stopped.
        quotas: instance limits by AWS's name, such as ``ml.m5.large for endpoint usage``; a type without an entry
            has no limit.
        container_command: the training container's command line, to which ``--root DIR`` is appended; empty for
            Linear Learner's.
    """

    training_starting_s: float = 0.0
    endpoint_creating_s: float = 0.0
    endpoint_deleting_s: float = 0.0
    invisible_polls: int = 0
    stop_grace_s: float = 120.0
    quotas: Mapping[str, int] = field(default_factory=dict)
    container_command: tuple[str, ...] = ()


class State:
    """A directory with a SQLite database and object files.

    Args:
        directory: created if it is missing.
        clock: seconds since 1970; tests pass a virtual one.
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
        self._lock = threading.RLock()

    @property
    def connection(self) -> sqlite3.Connection:
        """The database, opened at first use: WAL, autocommit, waits up to 30 s for other writers."""
        with self._lock:
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
        """Create a service's tables once with a script of ``CREATE TABLE IF NOT EXISTS``."""
        with self._lock:
            if schema not in self._ensured:
                self.connection.executescript(schema)
                self._ensured.add(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run the block as one write transaction; other threads and processes wait. It does not nest."""
        with self._lock:
            connection = self.connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # An interrupt can come between any two of these lines, also before BEGIN and after COMMIT.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @property
    def settings(self) -> Settings:
        """The settings last written by `configure` in any process, else the defaults."""
        self.ensure(_SETTINGS_SCHEMA)
        row = self.connection.execute("SELECT body FROM settings").fetchone()
        if row is None:
            return Settings()
        values = json.loads(row["body"])
        return Settings(**{**values, "container_command": tuple(values["container_command"])})

    def configure(self, settings: Settings) -> None:
        """Replace the settings for every process that uses this directory."""
        self.ensure(_SETTINGS_SCHEMA)
        body = json.dumps({**asdict(settings), "quotas": dict(settings.quotas)})
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (1, ?)", (body,))

    def close(self) -> None:
        """Close the database; the state can be opened again later."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._ensured.clear()
