"""The emulator's state: one directory that outlives the process, as SQLite keeps a database in a file.

``DIR/state.sqlite3`` (WAL) holds everything small; ``DIR/objects/`` holds S3 bodies as files, written to a
temporary name and renamed; ``DIR/jobs/REGION/NAME/`` is a training job's container directory. What was
acknowledged survives ``kill -9``.
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
"""The emulated account; a role, bucket owner or ARN of another account is a stranger's."""


_SETTINGS_SCHEMA = "CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL);"


@dataclass(frozen=True)
class Settings:
    """How the emulated account behaves; kept in the state, so that every process sees the same.

    Attributes:
        training_starting_s: time a training job spends in ``Starting`` before its instances are there.
        endpoint_creating_s: time an endpoint spends in ``Creating`` or ``Updating``.
        endpoint_deleting_s: time an endpoint spends in ``Deleting``.
        invisible_polls: eventual consistency: how many describes after a create still say "not found".
        stop_grace_s: time between SIGTERM and SIGKILL for a container that is stopped.
        quotas: instance limits by AWS's own name, such as ``ml.m5.large for endpoint usage``; no entry, no limit.
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
        self._lock = threading.RLock()

    @property
    def connection(self) -> sqlite3.Connection:
        """The database, opened at first use: WAL, 30 s of patience with other writers, autocommit."""
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
        """Create a service's tables once; ``schema`` is a script of ``CREATE TABLE IF NOT EXISTS``."""
        with self._lock:
            if schema not in self._ensured:
                self.connection.executescript(schema)
                self._ensured.add(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing; other threads and processes wait. It does not nest."""
        with self._lock:
            connection = self.connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # An interrupt can come between any two of these lines, before the beginning and after the end too.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @property
    def settings(self) -> Settings:
        """The settings as last written by `configure`, in whatever process; the defaults before that."""
        self.ensure(_SETTINGS_SCHEMA)
        row = self.connection.execute("SELECT body FROM settings").fetchone()
        if row is None:
            return Settings()
        values = json.loads(row["body"])
        return Settings(**{**values, "container_command": tuple(values["container_command"])})

    def configure(self, settings: Settings) -> None:
        """Replace the settings, for every process that uses this directory."""
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
