"""The emulator's state: one directory that outlives the process, as SQLite keeps a database in a file.

``DIR/state.sqlite3`` (WAL) holds everything small. ``DIR/objects/`` holds S3 bodies as files, written to a
temporary name and renamed. ``DIR/jobs/REGION/NAME/`` is a training job's container directory. Other files are in
``DIR/transforms/REGION/NAME/`` (a transform job's), ``DIR/processings/REGION/NAME/`` (a processing job's),
``DIR/tunings/REGION/NAME/`` (a tuning job's) and ``DIR/endpoints/REGION/NAME/`` (an endpoint's copy of its artifact).
These folders are the emulator's alone. Acknowledged writes survive ``kill -9``. Only this user can read the files.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.run.atomic import atomic_write, refused_by_system

DATABASE = "state.sqlite3"
LOG = "emulator.log"
OTHER_S3 = "other-s3.json"
"""A file that exists if the account's buckets are in another emulator. A reset keeps it."""

DOWNLOADS = "downloads"
"""The folder with the last object that a process has read from another emulator, but not for a job."""

FOLDERS = ("objects", "jobs", "transforms", "processings", "tunings", "endpoints", DOWNLOADS)
"""The emulator's folders in the directory of the state, which a reset removes."""

IAM_MARK = "iam"
"""A file that exists while the account evaluates IAM policies: each request looks for it, which costs no query."""

BODY_NAME = re.compile(r"[0-9a-f]{32}(?:-(?P<size>\d+)-(?P<crc32>[0-9a-f]{8}))?\.\d+")
"""The name of the file of an object's body, see `asteroid_ll.emulator.s3.body_files`."""

ACCOUNT_ID = "000000000000"
"""The emulated account. Roles, bucket owners and ARNs with another number belong to someone else."""

LOCK = threading.RLock()
"""Is held while a request is answered, because threads share the state's one connection."""

_SETTINGS_SCHEMA = "CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL);"


@dataclass(frozen=True)
class Settings:
    """Settings of the emulated account, shared by every process that uses the directory.

    Attributes:
        training_starting_s: seconds that a training, transform or processing job takes until its instances are up.
        endpoint_creating_s: seconds that an endpoint spends in ``Creating`` or ``Updating``.
        endpoint_deleting_s: seconds that an endpoint spends in ``Deleting``.
        invisible_polls: how many describes after a create still answer "not found" (eventual consistency).
        stop_grace_s: seconds between SIGTERM and SIGKILL for a container that is stopped.
        quotas: instance limits by AWS's name, such as ``ml.m5.large for endpoint usage``; a type without an entry
            has no limit.
        types_without_capacity: instance types for which AWS has no capacity at the moment, such as ``ml.m5.large``.
        spot_interruptions: how often each managed spot job loses its instances.
        container_command: the command line of the containers of training and processing jobs, to which ``--root DIR``
            is appended; empty for Linear Learner's and that of the stages.
        iam: whether policies are evaluated. If not, every access key may do everything, and every role of the account
            is accepted.
        caller_arn: the user who has every access key that IAM did not make; empty if it is the account's root user.
        service_control_policies: the policies of the account's organization.
    """

    training_starting_s: float = 0.0
    endpoint_creating_s: float = 0.0
    endpoint_deleting_s: float = 0.0
    invisible_polls: int = 0
    stop_grace_s: float = 120.0
    quotas: Mapping[str, int] = field(default_factory=dict)
    types_without_capacity: tuple[str, ...] = ()
    spot_interruptions: int = 0
    container_command: tuple[str, ...] = ()
    iam: bool = False
    caller_arn: str = ""
    service_control_policies: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class OtherS3:
    """The S3 of another emulator, which has the buckets of the account.

    Attributes:
        url: its address.
        account_id: the account there, which is the number of this account too.
    """

    url: str
    account_id: str


class State:
    """A directory with a SQLite database and object files.

    Args:
        directory: created if it is missing.
        clock: seconds since 1970; tests pass a virtual one.

    Attributes:
        other_s3: where the buckets are; None if they are in this directory.
        account_id: the account's number.

    Raises:
        ConfigError: the directory has files, but no emulator's state, or the system refuses it.
    """

    def __init__(self, directory: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.directory = directory
        self.now = clock
        self.objects = directory / "objects"
        self._iam_mark = str(directory / IAM_MARK)
        self._create()
        other = directory / OTHER_S3
        self.other_s3 = OtherS3(**json.loads(other.read_bytes())) if other.exists() else None
        self.account_id = ACCOUNT_ID if self.other_s3 is None else self.other_s3.account_id
        self._connection: sqlite3.Connection | None = None
        self._ensured: set[str] = set()
        self._lock = threading.RLock()

    @property
    def connection(self) -> sqlite3.Connection:
        """The database, opened at first use: WAL, autocommit, waits up to 30 s for other writers."""
        with self._lock:
            if self._connection is None:
                connection = sqlite3.connect(
                    self.directory / DATABASE, timeout=30, isolation_level=None, check_same_thread=False
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
        values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return Settings(**values)

    @property
    def evaluates_iam(self) -> bool:
        """Whether the settings say that policies are evaluated."""
        return os.access(self._iam_mark, os.F_OK)  # cheaper than Path.exists, for every request

    def configure(self, settings: Settings) -> None:
        """Replace the settings for every process that uses this directory."""
        self.ensure(_SETTINGS_SCHEMA)
        body = json.dumps(vars(settings), default=dict)
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (1, ?)", (body,))
            if settings.iam:
                Path(self._iam_mark).touch(mode=0o600)
            else:
                Path(self._iam_mark).unlink(missing_ok=True)

    def private_folder(self, path: Path) -> Path:
        """Create a folder below the directory that only this user can open, and return it."""
        if path.parent != self.directory:
            self.private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def log(self, text: str) -> None:
        """Append lines to ``emulator.log``."""
        descriptor = os.open(self.directory / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "a", encoding="utf-8", errors="replace") as log:  # noqa: PTH123 - a descriptor
            log.write(f"{text}\n")

    def empty(self) -> None:
        """Delete what the emulator created. Other processes that use the directory see an empty account at once."""
        with self.transaction() as connection:
            for table in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                connection.execute(f"DELETE FROM {table['name']}")  # noqa: S608 - a name of our schema
        _remove_files(self.directory)
        self._create()

    def close(self) -> None:
        """Close the database; the state can be opened again later."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._ensured.clear()

    def _create(self) -> None:
        """Create what is missing. The database comes first, because it marks the directory as a state.

        Raises:
            ConfigError: the directory has other files, or the system refuses it.
        """
        database = self.directory / DATABASE
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not database.exists():
                if any(self.directory.iterdir()) and not database.exists():  # another process may create it
                    raise ConfigError(
                        f"{self.directory} is not empty and has no emulator's state.",
                        hint="Name an empty or new directory, or remove this one.",
                    )
                database.touch(mode=0o600)
            self.private_folder(self.objects)
        except OSError as error:
            if refused_by_system(error) is not None:  # a full disk, say
                raise
            raise ConfigError(
                f"The emulator's state cannot be in {self.directory}: {error.strerror}.",
                hint="Name another directory with --state or --workdir.",
            ) from error


@contextmanager
def others_first() -> Iterator[None]:
    """Let other requests be answered during the block, which waits for another server and uses no state."""
    depth = 0
    try:
        while True:
            LOCK.release()
            depth += 1
    except RuntimeError:  # this thread does not hold it any more
        pass
    try:
        yield
    finally:
        for _ in range(depth):
            LOCK.acquire()


@contextmanager
def naming_damage(directory: Path) -> Iterator[None]:
    """Turn the errors of a damaged database in the block into a failure that names the directory.

    Raises:
        DataError: the database is damaged.
    """
    try:
        yield
    except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
        # Its subclasses mean a full disk, a lock or a bug; the class itself means damage.
        if isinstance(error, sqlite3.DatabaseError) and type(error) is not sqlite3.DatabaseError:
            raise
        raise DataError(
            f"The emulator's state in {directory} is damaged: {error}.",
            hint=f"asteroid-ll emulator reset --yes --state {shlex.quote(str(directory))}   makes an empty one.",
            path=str(directory / DATABASE),
        ) from error


def remove_state(directory: Path) -> None:
    """Delete what the emulator created in its directory, and leave an empty database. Other files stay."""
    _remove_files(directory)
    for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (directory / name).unlink(missing_ok=True)
    atomic_write(directory / DATABASE, b"")
    (directory / DATABASE).chmod(0o600)


def _remove_files(directory: Path) -> None:
    """Delete the folders of objects, jobs and endpoints, the log, and the mark of IAM policies."""
    for folder in FOLDERS:
        shutil.rmtree(directory / folder, ignore_errors=True)  # another process may write into it
    for name in (LOG, IAM_MARK):
        (directory / name).unlink(missing_ok=True)
