"""The containers of a job, one for each host: their processes, what they print, and their end."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from asteroid_ll.emulator.processes import ProcessId

_READ_BYTES = 1 << 16
_LONGEST_TURN_S = 0.1
"""After this time at the latest, a stop request and the end of a process are noticed."""


@dataclass
class Host:
    """A running container, its log stream, and the incomplete last line of its output."""

    name: str
    process: subprocess.Popen[bytes]
    stream: str
    rest: bytes = b""
    has_written: bool = False


class Containers:
    """The containers of one job.

    Args:
        store: adds lines to a log stream.
        stop_signal: the signal that asks a container to end.
        grace_s: seconds between that signal and SIGKILL.

    Attributes:
        hosts: in the order of their start.
        failed: the host that failed first; None if none did.
        is_over_time: whether the time of `follow` has passed.
    """

    def __init__(
        self, *, store: Callable[[str, Sequence[str]], None], stop_signal: signal.Signals, grace_s: float
    ) -> None:
        self.hosts: list[Host] = []
        self.failed: Host | None = None
        self.is_over_time = False
        self._store = store
        self._stop_signal = stop_signal
        self._grace_s = grace_s
        self._kill_at_s = float("inf")

    def start(
        self,
        host: str,
        command: Sequence[str],
        *,
        directory: Path,
        stream: str,
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start the container of a host.

        Args:
            host: its name, such as ``algo-1``.
            command: the command line.
            directory: the working directory.
            stream: the log stream of its output.
            environment: all variables of the process.
            pass_fds: open files that the process gets.
        """
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=dict(environment),
            pass_fds=pass_fds,
        )
        self.hosts.append(Host(host, process, stream))

    def processes(self) -> list[dict[str, Any]]:
        """Return the identities of the processes that still run, as JSON values for the job's row."""
        return [vars(process) for host in self.hosts if (process := ProcessId.of(host.process.pid))]

    def follow(self, limit_at_s: float, *, on_look: Callable[[], None] = lambda: None) -> int:
        """Store the containers' output until all of them have ended. If one fails, the others are stopped.

        Args:
            limit_at_s: the time, by `time.monotonic`, at which they are stopped.
            on_look: called whenever output was looked for.

        Returns:
            0, or the exit code of the first that failed (128 + n for signal n).
        """
        with selectors.DefaultSelector() as selector:
            for host in self.hosts:
                assert host.process.stdout is not None
                selector.register(host.process.stdout, selectors.EVENT_READ, host)
            while selector.get_map():
                for key, _ in selector.select(self._turn(limit_at_s)):
                    if not self._read(key.data):
                        selector.unregister(key.fileobj)
                        key.data.process.stdout.close()
                on_look()
                self.failed = self.failed or next((host for host in self.hosts if host.process.poll()), None)
                if self.failed is not None:
                    self.stop()
        codes = [self._wait(host.process, limit_at_s) for host in self.hosts]
        code: int = self.failed.process.returncode if self.failed else max(codes, key=abs)
        return code if code >= 0 else 128 - code

    def were_killed(self) -> bool:
        """Return whether SIGKILL ended the host that failed first, or any if none failed."""
        # The others may have been killed after the first failure.
        return any(
            host.process.returncode == -signal.SIGKILL for host in ([self.failed] if self.failed else self.hosts)
        )

    def stop(self) -> None:
        """Send the stop signal, and SIGKILL after the grace time."""
        if self.hosts and self._kill_at_s == float("inf"):
            self._kill_at_s = time.monotonic() + self._grace_s
            self._signal(self._stop_signal)

    def kill(self) -> None:
        """Send SIGKILL at once."""
        self._signal(signal.SIGKILL)

    def _turn(self, limit_at_s: float) -> float:
        """Send the signals that are due, and return the seconds until the next look."""
        now_s = time.monotonic()
        if now_s >= limit_at_s and not self.is_over_time:
            self.is_over_time = True
            self.stop()
        if now_s >= self._kill_at_s:
            self.kill()
        due_s = min(self._kill_at_s, float("inf") if self.is_over_time else limit_at_s)
        return min(_LONGEST_TURN_S, max(0.0, due_s - now_s))

    def _wait(self, process: subprocess.Popen[bytes], limit_at_s: float) -> int:
        """Wait for the end of a process that has closed its output."""
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(self._turn(limit_at_s))

    def _read(self, host: Host) -> bool:
        """Read the available output and store its whole lines; return False at the end."""
        stdout: IO[bytes] | None = host.process.stdout
        assert stdout is not None
        chunk = os.read(stdout.fileno(), _READ_BYTES)
        *lines, host.rest = (host.rest + chunk).split(b"\n")
        if not chunk and host.rest:
            lines, host.rest = [host.rest], b""
        if lines:
            host.has_written = True
            self._store(host.stream, [line.decode("utf-8", errors="replace").rstrip("\r") for line in lines])
        return bool(chunk)

    def _signal(self, number: signal.Signals) -> None:
        for host in self.hosts:
            host.process.send_signal(number)  # which ignores processes that have ended
