"""The start of a worker process: it claims its job, runs it, and records a bug as the job's failure."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Protocol

from asteroid_ll.emulator.isolation import limit_resources
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.jobs import JobKind, Jobs

_WAIT_POLL_S = 0.05


class Runner(Protocol):
    """Runs one claimed job in its directory."""

    directory: Path

    def run(self) -> None:
        """Run the job to its end and record the result in its row."""

    def stop(self, _number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Handle SIGTERM: end the job early."""


def wait(duration_s: float, *, unless: Callable[[], bool]) -> None:
    """Wait for so many seconds, or until ``unless`` returns true."""
    until_s = time.monotonic() + duration_s
    while not unless() and (remaining_s := until_s - time.monotonic()) > 0:
        time.sleep(min(remaining_s, _WAIT_POLL_S))


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
