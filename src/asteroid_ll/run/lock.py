"""The lock of a run directory: one process works in it at a time, and others see who holds it.

The kernel holds the lock (``flock``) while the process lives, so a killed process leaves nothing to clean up. The
file's content names the holder and is only for people. It is empty while no process holds the lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from asteroid_ll.errors import AsteroidError, DataError

_POLL_INTERVAL_S = 0.05
_HOLDER_PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that works in a directory.

    Attributes:
        pid: process number on its host.
        host: name of the machine.
        since: start of its work, ISO 8601 with a time zone offset.
        command: its command, such as ``run-all``.
    """

    pid: int
    host: str
    since: str
    command: str

    def __str__(self) -> str:
        began = datetime.fromisoformat(self.since)
        is_today = began.date() == datetime.now(began.tzinfo).date()
        machine = "" if self.host == os.uname().nodename else f" on {self.host}"
        time_format = "%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S"
        return f'PID {self.pid}{machine}, "{self.command}", since {began:{time_format}}'


class Lock:
    """Exclusive work in a directory, as a context manager; not re-entrant.

    Args:
        path: the lock file, in the directory that it guards; created if missing.
        command: the holder's command, shown to others.
    """

    def __init__(self, path: Path, *, command: str) -> None:
        self.path = path
        self._command = command
        self._descriptor: int

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            AsteroidError: a process, this one included, holds it. The exit code is 1, because the configuration and
                the data are fine and the same command succeeds later.
            DataError: the file cannot be created, or its file system has no locks.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._refused(error) from error
        try:
            self._acquire(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the lock."""
        try:
            os.ftruncate(self._descriptor, 0)
        finally:
            os.close(self._descriptor)

    def _acquire(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            _write(descriptor, Holder(os.getpid(), os.uname().nodename, since, self._command))
        except BlockingIOError:
            raise self._busy(_read_patiently(descriptor)) from None
        except OSError as error:
            raise self._refused(error) from error

    def _busy(self, holder: Holder | None) -> AsteroidError:
        who = f" ({holder})" if holder else ""
        stop = f" or stop it with: kill {holder.pid}" if holder and holder.host == os.uname().nodename else ""
        return AsteroidError(
            f"Another asteroid-ll{who} is working in {self.path.parent}.",
            hint=f"Wait for it{stop}, or choose another directory with --workdir.",
            holder=asdict(holder) if holder else None,
        )

    def _refused(self, error: OSError) -> DataError:
        return DataError(
            f"{self.path.parent} cannot be used as a run directory: {error.strerror}.",
            hint="Choose another directory with --workdir.",
            path=str(self.path),
        )


def _write(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(holder)).encode("ascii"), 0)


def _read_patiently(descriptor: int) -> Holder | None:
    """Return the holder of the lock, or None if the file does not name one.

    Between taking the lock and writing its name, a holder has no name or that of a dead predecessor, so read again
    until the name is that of a living process.
    """
    deadline_s = time.monotonic() + _HOLDER_PATIENCE_S
    while True:
        holder = _read(descriptor)
        if holder is not None and _may_live(holder):
            return holder
        if time.monotonic() >= deadline_s:
            return None
        time.sleep(_POLL_INTERVAL_S)


def _read(descriptor: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(descriptor, 65_536, 0)))
    except (ValueError, TypeError):
        return None


def _may_live(holder: Holder) -> bool:
    if holder.host != os.uname().nodename:
        return True
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it belongs to another user
    return True
