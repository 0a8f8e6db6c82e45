"""Detached processes, identified by process number and start time because numbers are reused."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_DEATH_POLL_S = 0.005
_DEATH_PATIENCE_S = 5.0
"""A killed process ends at once, unless it is in a system call to a disk that hangs."""


@dataclass(frozen=True)
class ProcessId:
    """A process: its number and its start time.

    Attributes:
        pid: the process number, which the system reuses.
        started: the machine's boot id and the process's start time, as the system reports them.
    """

    pid: int
    started: str

    @staticmethod
    def of(pid: int) -> ProcessId | None:
        """Return the identity of a running process; None if it has ended (a zombie has)."""
        started = _started(pid)
        return None if started is None else ProcessId(pid, started)

    def is_alive(self) -> bool:
        """Return whether the process is still running."""
        _reap(self.pid)
        return _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send a signal unless the process has ended."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_session(self) -> None:
        """Kill the process, with its children if it leads a session, and wait for its end."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(self.pid) == self.pid:
                    os.killpg(self.pid, signal.SIGKILL)
                else:
                    os.kill(self.pid, signal.SIGKILL)
            deadline_s = time.monotonic() + _DEATH_PATIENCE_S
            while self.is_alive() and time.monotonic() < deadline_s:
                time.sleep(_DEATH_POLL_S)


def spawn_detached(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> int:
    """Start a process in a new session, without a terminal or inherited files; its output goes to ``log``.

    Args:
        command: the command line.
        log: the file, which only this user can read.
        environment: all variables of the process.

    Returns:
        The process number.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(command[0], list(command), environment, file_actions=actions, setsid=True)
    _children.add(pid)
    return pid


def reap_children() -> None:
    """Collect the exit codes of detached children that have ended; otherwise they stay as zombies."""
    for pid in tuple(_children):
        _reap(pid)


_children: set[int] = set()


def _reap(pid: int) -> None:
    if pid not in _children:
        return
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == 0:
            return
    _children.discard(pid)


def _started(pid: int) -> str | None:
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        # The command, in parentheses, can contain spaces; field 22 (here 19 after it) is the start in clock ticks.
        fields = stat.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()}/{fields[19]}"
    answer = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
