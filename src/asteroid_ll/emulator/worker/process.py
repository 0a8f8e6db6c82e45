"""What the worker processes of all kinds of jobs share: the claim, the role, the log, the containers and the end.

A worker outlives the client that created its job. Imports stay light because they delay every job.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from asteroid_ll.emulator.processes import ProcessId, clean_environment, limit_resources
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.files import Buckets, buckets_of
from asteroid_ll.emulator.worker.jobs import NO_CAPACITY, JobKind, Jobs
from asteroid_ll.emulator.worker.log import LogStore

if TYPE_CHECKING:
    from asteroid_ll.emulator.worker.execution_role import ExecutionRole

MAX_FAILURE_REASON_LENGTH = 1024
_READ_BYTES = 1 << 16
_TURN_S = 0.05
"""After this time at the latest, a stop request and the end of a container are noticed."""


class JobEndedError(Exception):
    """The job ends early.

    Args:
        status: ``Failed`` or ``Stopped``.
        facts: as for `Jobs.finish`.
    """

    def __init__(self, status: str, **facts: Any) -> None:
        super().__init__(status)
        self.status = status
        self.facts = facts


def failure(reason: str, **facts: Any) -> JobEndedError:
    """Return the failure of a job.

    Args:
        reason: its ``FailureReason``.
        facts: further facts, as for `Jobs.finish`.
    """
    return JobEndedError("Failed", reason=reason[:MAX_FAILURE_REASON_LENGTH], **facts)


class Worker(ABC):
    """Runs one claimed job to its end. Each kind of job has a subclass.

    Args:
        state: the emulator's state.
        job: the job, claimed by this process.
    """

    kind: ClassVar[JobKind]
    group: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, state: State, job: Resource) -> None:
        self.state = state
        self.job = job
        self.request: dict[str, Any] = job.body["request"]
        self.role_arn: str = job.body.get("role_arn") or self.request["RoleArn"]
        self.jobs = Jobs(state, self.kind)
        self.logs = LogStore(state)
        self.directory = self.jobs.directory(job)
        self.settings = state.settings
        self.is_stopping = False
        self._buckets = buckets_of(state, job.region, scratch=self.directory, is_patient=True)
        self._may_log: bool | None = None
        self.containers = self.new_containers()

    def new_containers(self) -> Containers:
        """Return the containers of a start, none of which is started yet."""
        return Containers(log=self.log, stop_signal=self.stop_signal, grace_s=self.settings.stop_grace_s)

    @abstractmethod
    def work(self) -> dict[str, Any]:
        """Do the job's work; return the facts of a job that has ended well, as for `Jobs.finish`.

        Raises:
            JobEndedError: the job has failed or was stopped.
        """

    def run(self) -> None:
        """Run the job to its end and record the result in its row."""
        try:
            facts = self.work()
        except JobEndedError as end:
            self.jobs.finish(self.job, end.status, **end.facts)
        else:
            self.jobs.finish(self.job, "Stopped" if self.is_stopping else "Completed", **facts)

    def stop(self, _number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Handle SIGTERM: end the job early. Stop its containers, and kill them after the grace time."""
        self.is_stopping = True
        self.containers.stop()

    def follow(self, limit_s: float, *, on_look: Callable[[], None] = lambda: None) -> int:
        """Follow the containers, as `Containers.follow` does, for so many seconds."""
        self.jobs.note(self.job, containers=self.containers.processes())
        if self.is_stopping:
            self.containers.stop()
        return self.containers.follow(time.monotonic() + limit_s, on_look=on_look)

    def pause(self, duration_s: float) -> None:
        """Wait for so many seconds, or until the job is to stop."""
        until_s = time.monotonic() + duration_s
        while not self.is_stopping and (remaining_s := until_s - time.monotonic()) > 0:
            time.sleep(min(remaining_s, _TURN_S))

    def step(self, secondary: str) -> None:
        """Go to the next secondary status.

        Raises:
            JobEndedError: the job is being stopped.
        """
        if self.is_stopping or not self.jobs.step(self.job, secondary):
            raise JobEndedError("Stopped")

    def check_capacity(self, instance_type: str) -> None:
        """End a job whose instances never come.

        Raises:
            JobEndedError: the settings have no instances of that type.
        """
        if instance_type in self.settings.types_without_capacity:
            raise failure(NO_CAPACITY)

    def role(self) -> ExecutionRole | None:
        """Return what the job's role may do now; None if the account evaluates no policies."""
        if not self.state.evaluates_iam:
            return None
        from asteroid_ll.emulator.worker.execution_role import execution_role  # only if policies are evaluated

        return execution_role(ObjectStore(self.state), self.role_arn, region=self.job.region)

    def denial(self, check: Callable[[ExecutionRole], str]) -> str:
        """Return AWS's message if the role may not do what is checked, else an empty text."""
        role = self.role()
        return "" if role is None else check(role)

    def buckets(self) -> Buckets:
        """Return the buckets with what the job's role may do now."""
        return self._buckets.as_role(self.role())

    def check_image(self, image: str, *, what: str) -> None:
        """Refuse an image that the role may not read.

        Raises:
            JobEndedError: a policy denies it.
        """
        denied = self.denial(lambda role: role.pull_denial(image)[1])
        if denied:
            raise failure(
                f"ClientError: Cannot pull {what} container. Either the image does not exist or its permissions are "
                f"incorrect. ({denied})"
            )

    def log(self, stream: str, lines: Sequence[str]) -> None:
        """Add lines to a log stream, if the role may; on AWS, the job runs without a log if not."""
        if self._may_log is None:
            denied = self.denial(lambda role: role.log_denial(self.group, stream))
            if denied:
                self.state.log(f"{self.job.arn} has no log: {denied}")
            self._may_log = not denied
        if self._may_log:
            now_s = self.state.now()
            self.logs.append(self.job.region, self.group, stream, lines=[(now_s, line) for line in lines])


class Runner(Protocol):
    """Runs one claimed job in its directory."""

    directory: Path

    def run(self) -> None:
        """Run the job to its end and record the result in its row."""

    def stop(self, _number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Handle SIGTERM: end the job early."""


def run_claimed(arguments: Sequence[str], *, kind: JobKind, runner: Callable[[State, Resource], Runner]) -> None:
    """Claim a job and run it. A bug fails the job, with its traceback in ``worker.log``.

    Args:
        arguments: ``STATE_DIR REGION JOB CLOCK_AHEAD_S``.
        kind: the kind of job.
        runner: makes what runs it.
    """
    directory, region, name, ahead_s = arguments
    offset_s = float(ahead_s)
    limit_resources()
    state = State(Path(directory), clock=lambda: time.time() + offset_s)
    jobs = Jobs(state, kind)
    job = jobs.claim(region, name)
    if job is None:
        return
    worker = runner(state, job)
    os.chdir(worker.directory)
    signal.signal(signal.SIGTERM, worker.stop)
    # The row has a stop request that came before the handler was installed.
    current = jobs.get(region, name)
    if current is None or current.status == "Stopping":
        worker.stop()
    try:
        worker.run()
    except Exception:
        traceback.print_exc()
        worker.stop()
        jobs.finish(job, "Failed", reason="InternalServerError: We encountered an internal error. Please try again.")
    finally:
        state.close()


@dataclass
class Host:
    """A running container, its log stream, and the incomplete last line of its output."""

    name: str
    process: subprocess.Popen[bytes]
    stream: str
    rest: bytes = b""
    has_written: bool = False


class Containers:
    """The containers of one job, one for each host: their processes, what they print, and their end.

    Args:
        log: adds lines to a log stream.
        stop_signal: the signal that asks a container to end.
        grace_s: seconds between that signal and SIGKILL.

    Attributes:
        hosts: in the order of their start.
        failed: the host that failed first; None if none did.
        is_over_time: whether the time of `follow` has passed.
    """

    def __init__(self, *, log: Callable[[str, Sequence[str]], None], stop_signal: signal.Signals, grace_s: float):
        self.hosts: list[Host] = []
        self.failed: Host | None = None
        self.is_over_time = False
        self._log = log
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
        variables: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start the container of a host.

        One BLAS thread is the default, so a model's bits do not depend on the caller or the number of cores.

        Args:
            host: its name, such as ``algo-1``.
            command: the command line.
            directory: the working directory.
            stream: the log stream of its output.
            variables: those of the container's contract, beside the clean environment.
            pass_fds: open files that the process gets.
        """
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={"OPENBLAS_NUM_THREADS": "1", **clean_environment(), "PYTHONUNBUFFERED": "1", **variables},
            pass_fds=pass_fds,
        )
        self.hosts.append(Host(host, process, stream))

    def processes(self) -> list[dict[str, Any]]:
        """Return the identities of the processes that still run, as JSON values for the job's row."""
        return [vars(process) for host in self.hosts if (process := ProcessId.of(host.process.pid))]

    def follow(self, limit_at_s: float, *, on_look: Callable[[], None] = lambda: None) -> int:
        """Log the containers' output until all of them have ended. If one fails, the others are stopped.

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
                self._send_due_signals(limit_at_s)
                for key, _ in selector.select(_TURN_S):
                    if not self._read(key.data):
                        selector.unregister(key.fileobj)
                        key.data.process.stdout.close()
                on_look()
                self.failed = self.failed or next((host for host in self.hosts if host.process.poll()), None)
                if self.failed is not None:
                    self.stop()
        for host in self.hosts:  # some may have closed their output and run on
            while host.process.returncode is None:
                self._send_due_signals(limit_at_s)
                with suppress(subprocess.TimeoutExpired):
                    host.process.wait(_TURN_S)
        codes = [host.process.returncode for host in self.hosts]
        code: int = self.failed.process.returncode if self.failed else max(codes, key=abs)
        return code if code >= 0 else 128 - code

    def were_killed(self) -> bool:
        """Return whether SIGKILL ended the host that failed first, or any if none failed."""
        # The others may have been killed after the first failure.
        hosts = self.hosts if self.failed is None else [self.failed]
        return any(host.process.returncode == -signal.SIGKILL for host in hosts)

    def stop(self) -> None:
        """Send the stop signal, and SIGKILL after the grace time."""
        if self.hosts and self._kill_at_s == float("inf"):
            self._kill_at_s = time.monotonic() + self._grace_s
            self._signal(self._stop_signal)

    def kill(self) -> None:
        """Send SIGKILL at once."""
        self._signal(signal.SIGKILL)

    def _send_due_signals(self, limit_at_s: float) -> None:
        now_s = time.monotonic()
        if now_s >= limit_at_s and not self.is_over_time:
            self.is_over_time = True
            self.stop()
        if now_s >= self._kill_at_s:
            self.kill()

    def _read(self, host: Host) -> bool:
        """Read the available output and log its whole lines; return False at the end."""
        stdout = host.process.stdout
        assert stdout is not None
        chunk = os.read(stdout.fileno(), _READ_BYTES)
        *lines, host.rest = (host.rest + chunk).split(b"\n")
        if not chunk and host.rest:
            lines, host.rest = [host.rest], b""
        if lines:
            host.has_written = True
            self._log(host.stream, [line.decode("utf-8", errors="replace").rstrip("\r") for line in lines])
        return bool(chunk)

    def _signal(self, number: signal.Signals) -> None:
        for host in self.hosts:
            host.process.send_signal(number)  # which ignores processes that have ended
