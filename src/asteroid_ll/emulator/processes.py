"""Processes of jobs: isolated from clients, detached from the emulator, and found again by number and start time.

A client of the emulator may be less trusted than its owner. Nothing that a client sends becomes a variable of a
process, a command line or a directory of Python's module search.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TZ")
"""Variables of the emulator's own environment that job processes get."""

MAX_OPEN_FILES = 4096
MAX_ADDRESS_SPACE_BYTES = 64 * 2**30
"""Far above any job's memory. It stops a process that reserves memory without end."""

_BOOT = (
    "import gc, os, sys; gc.set_threshold(50_000); sys.path[:] = sys.argv.pop(1).split('\\n'); from {} import main; "
    "code = main(sys.argv[1:]); sys.stdout.flush(); os._exit(code or 0)"
)
"""Without these settings, Python looks for garbage during the imports and frees all objects one by one at the end."""
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
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_session(self) -> None:
        """Kill the process, with its children if it leads a session, and wait for its end."""
        if self.is_alive():
            with suppress(ProcessLookupError):
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
    with suppress(ChildProcessError):
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


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module's ``main`` with these arguments.

    The interpreter ignores the environment and the current directory. It finds modules only where this process does,
    so a package that is installed nowhere is found too.
    """
    search_path = "\n".join(entry for entry in sys.path if Path(entry).is_absolute())
    return [sys.executable, "-I", "-u", "-c", _BOOT.format(module), search_path, *arguments]


def clean_environment() -> dict[str, str]:
    """Return the variables that a job process inherits.

    Only absolute directories of ``LD_LIBRARY_PATH`` are kept: a job's process starts in a directory with a client's
    files.
    """
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    entries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    libraries = [entry for entry in entries if Path(entry).is_absolute()]
    return {**kept, "LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else kept


def of_aws_client() -> dict[str, str]:
    """Return the variables with which an AWS client finds its settings and credentials.

    Only the worker process of a job gets them, and only if the buckets are in another emulator.
    """
    others = ("HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return {name: text for name, text in os.environ.items() if name.startswith("AWS_") or name.upper() in others}


def limit_resources() -> None:
    """Limit this process and its children, and make their files private. A stricter limit stays.

    There are no core dumps, which would hold a client's data.
    """
    os.umask(0o077)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
        resource.RLIMIT_AS: MAX_ADDRESS_SPACE_BYTES,
    }
    for kind, most in limits.items():
        present = [limit for limit in resource.getrlimit(kind) if limit != resource.RLIM_INFINITY]
        lowest = min([*present, most])
        with suppress(ValueError, OSError):  # macOS has no limit of the address space
            resource.setrlimit(kind, (lowest, lowest))
