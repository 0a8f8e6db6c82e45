"""The lock of a run directory: one process works in it at a time, and the next one is told who.

The kernel holds the lock (``flock``) for as long as the process lives, so that a killed process leaves nothing to
clean up. What the file says is for people: it names the holder. The file itself stays, empty when nobody works.
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
    """Who works in a directory.

    Attributes:
        pid: process number on its host.
        host: name of the machine.
        since: when it began, ISO 8601 with the offset of its time zone.
        command: the command it runs, such as ``run-all``.
    """

    pid: int
    host: str
    since: str
    command: str

    def __str__(self) -> str:
        began = datetime.fromisoformat(self.since)
        is_today = began.date() == datetime.now(began.tzinfo).date()
        where = "" if self.host == os.uname().nodename else f" on {self.host}"
        return (
            f'PID {self.pid}{where}, "{self.command}", since {began:{"%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S"}}'
        )


class Lock:
    """Exclusive work in a directory, as a context manager; not re-entrant.

    Args:
        path: the lock's file, in the directory that it guards; made when it is missing.
        command: what the holder does, for the message to others.
        wait_s: seconds to wait for another holder before giving up.
    """

    def __init__(self, path: Path, *, command: str, wait_s: float = 0.0) -> None:
        self.path = path
        self._command = command
        self._wait_s = wait_s
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            AsteroidError: another process, or this one already, holds it; exit code 1, because neither the
                configuration nor the data are wrong: the same command will do later.
            DataError: the file cannot be made, or its file system has no locks.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._refused(error) from error
        try:
            if not self._acquire(descriptor):
                raise self._busy(descriptor)
            _write(descriptor, self._holder())
        except OSError as error:
            os.close(descriptor)
            raise self._refused(error) from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the lock back."""
        descriptor, self._descriptor = self._descriptor, -1
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int) -> bool:
        deadline_s = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    return False
                time.sleep(_POLL_INTERVAL_S)
            else:
                return True

    def _holder(self) -> Holder:
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        return Holder(os.getpid(), os.uname().nodename, since, self._command)

    def _busy(self, descriptor: int) -> AsteroidError:
        holder = _read_patiently(descriptor)
        who = f" ({holder})" if holder else ""
        stop = f" or stop it with: kill {holder.pid}" if holder and holder.host == os.uname().nodename else ""
        return AsteroidError(
            f"Another asteroid-ll{who} is working in {self.path.parent}.",
            hint=f"Wait for it{stop}, or choose another directory with --workdir.",
            holder=asdict(holder) if holder else None,
        )

    def _refused(self, error: OSError) -> DataError:
        return DataError(
            f"{self.path.parent} cannot be worked in: {error.strerror}.",
            hint="Choose another directory with --workdir.",
            path=str(self.path),
        )


def _write(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(holder)).encode("ascii"), 0)


def _read_patiently(descriptor: int) -> Holder | None:
    """Return who holds the lock; None where the file does not say.

    Between taking the lock and writing its name a holder is nameless, or bears the name of a dead predecessor,
    for an instant: so a name is read again until it is that of a living process.
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
        return True
    return True
