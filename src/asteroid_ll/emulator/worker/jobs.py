"""The rows of all kinds of jobs: states, AWS's status messages, processes and billed intervals.

Both the service and the job's worker process use this module. Every change re-reads the row inside a write
transaction, so they never overwrite each other.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.ledger import BilledInterval
from asteroid_ll.emulator.processes import ProcessId, clean_environment, of_aws_client, python_command, spawn_detached
from asteroid_ll.emulator.resources import (
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TUNING_JOB,
    Resource,
    Resources,
)
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.files import remove_input


@dataclass(frozen=True)
class JobKind:
    """A kind of job that runs in a worker process.

    Attributes:
        name: the resource type in its ARN.
        worker: the module of the worker process.
        folder: the folder of the jobs' directories in the state.
        billed_as: the ledger's kind of interval.
        resources: the path of the request's member with the instances; empty for a job without any.
        is_resumed: whether a new process continues a job whose process died. If not, the job fails.
    """

    name: str
    worker: str
    folder: str
    billed_as: str
    resources: tuple[str, ...]
    is_resumed: bool = False


TRAINING = JobKind(TRAINING_JOB, "asteroid_ll.emulator.worker.main", "jobs", ledger.TRAINING, ("ResourceConfig",))
TRANSFORM = JobKind(
    TRANSFORM_JOB, "asteroid_ll.emulator.worker.transform", "transforms", ledger.TRANSFORM, ("TransformResources",)
)
PROCESSING = JobKind(
    PROCESSING_JOB,
    "asteroid_ll.emulator.worker.processing",
    "processings",
    ledger.PROCESSING,
    ("ProcessingResources", "ClusterConfig"),
)
TUNING = JobKind(TUNING_JOB, "asteroid_ll.emulator.sagemaker.tuning", "tunings", "", (), is_resumed=True)

ACTIVE = ("InProgress", "Stopping")
TERMINAL = ("Completed", "Failed", "Stopped")

MESSAGES: Mapping[str, str] = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Interrupted": "The managed spot training instances were interrupted",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}
"""The status message of each secondary status in DescribeTrainingJob; other kinds of jobs show none."""

WORKER_DIED = (
    "InternalServerError: We encountered an internal error. Please try again. (The job's worker process has died.)"
)
NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
"""The reason with which AWS fails a job that it has no instances for."""
_CLAIM_PATIENCE_S = 10.0
"""If a worker has not claimed its job after this time, it was killed and a new one is started."""


class JobDeletedError(Exception):
    """The job was deleted, or another job has its name now."""


class Jobs:
    """The jobs of one kind in a state.

    Args:
        state: the emulator's state.
        kind: the kind of job.
    """

    def __init__(self, state: State, kind: JobKind = TRAINING) -> None:
        self.state = state
        self.kind = kind
        self.resources = Resources(state)
        self._spawned: dict[str, ProcessId] = {}
        ledger.ensure(state)

    def get(self, region: str, name: str) -> Resource | None:
        """Return the job of that name, or None."""
        return self.resources.get(self.kind.name, region, name)

    def directory(self, job: Resource) -> Path:
        """Return the job's directory, with the containers' files and the worker's log."""
        return self.state.directory / self.kind.folder / job.region / job.name

    def new(
        self, region: str, name: str, *, request: dict[str, Any], tags: Mapping[str, str], **facts: Any
    ) -> Resource | None:
        """Record a job with its tags and its billed interval; return None if the name is taken.

        Args:
            region: the job's region.
            name: the job's name.
            request: the create request.
            tags: the job's tags.
            facts: what the worker needs beside the request; JSON values.
        """
        now_s, polls = self.state.now(), self.state.settings.invisible_polls
        body = {"request": request, "spawned_s": now_s, "transitions": [], **facts}
        job = Resource(self.kind.name, region, name, "InProgress", now_s, now_s, body, polls, self.state.account_id)
        job = _with_secondary(job, "Starting", now_s)
        with self.state.transaction() as db:
            if self.get(region, name) is not None:
                return None
            self.resources.save(db, job)
            self.resources.put_tags(db, job.arn, tags)
            if not self.kind.resources:
                return job
            resources = request
            for member in self.kind.resources:
                resources = resources[member]
            type_and_count = resources["InstanceType"], resources["InstanceCount"]
            billed_as = ledger.SPOT_TRAINING if request.get("EnableManagedSpotTraining") else self.kind.billed_as
            ledger.open_interval(db, BilledInterval(job.arn, billed_as, *type_and_count, now_s, None, tags))
        return job

    def spawn(self, job: Resource) -> None:
        """Start the job's worker, a process that outlives this one."""
        directory = self.state.private_folder(self.directory(job))
        ahead_s = self.state.now() - time.time()
        state_directory = str(self.state.directory.resolve())
        command = python_command(self.kind.worker, state_directory, job.region, job.name, f"{ahead_s:.6f}")
        variables = clean_environment() if self.state.other_s3 is None else clean_environment() | of_aws_client()
        pid = spawn_detached(command, log=directory / "worker.log", environment=variables)
        worker = ProcessId.of(pid)
        if worker is not None:
            self._spawned[job.arn] = worker

    def claim(self, region: str, name: str) -> Resource | None:
        """Make this process the job's worker; return None if another one runs or the job has ended."""
        me = ProcessId.of(os.getpid())
        assert me is not None
        with self.state.transaction() as db:
            job = self.get(region, name)
            if job is None or job.status not in ACTIVE:
                return None
            worker = _process(job, "worker")
            if worker is not None and worker.is_alive():
                return None
            job = replace(job, body={**job.body, "worker": {"pid": me.pid, "started": me.started}})
            self.resources.save(db, job)
        return job

    def note(self, job: Resource, **facts: Any) -> None:
        """Add facts to the job's row."""
        with self.state.transaction() as db:
            current = self._reload(job)
            self.resources.save(db, replace(current, body={**current.body, **facts}))

    def step(self, job: Resource, secondary: str) -> bool:
        """Go to the next secondary status; return False instead if the job is being stopped."""
        now_s = self.state.now()
        with self.state.transaction() as db:
            current = self._reload(job)
            if current.status != "InProgress":
                return False
            if "started_s" not in current.body:
                current.body["started_s"] = now_s
                ledger.start_interval(db, current.arn, started_s=now_s)
            self.resources.save(db, _with_secondary(current, secondary, now_s))
        return True

    def request_stop(self, job: Resource) -> None:
        """Go to ``Stopping`` and send SIGTERM to the worker."""
        with self.state.transaction() as db:
            current = self._reload(job)
            if current.status != "InProgress":
                return
            self.resources.save(db, _with_secondary(replace(current, status="Stopping"), "Stopping", self.state.now()))
        worker = _process(current, "worker")
        if worker is not None:
            worker.send(signal.SIGTERM)

    def finish(self, job: Resource, status: str, *, secondary: str = "", **facts: Any) -> None:
        """Go to a terminal status and end the billed interval; a job that has ended does not change.

        Args:
            job: the job.
            status: ``Completed``, ``Failed`` or ``Stopped``.
            secondary: the secondary status if it differs, such as ``MaxRuntimeExceeded``.
            facts: ``reason``, ``artifact`` (an S3 URI) or ``metrics``.
        """
        remove_input(self.directory(self._reload(job)))
        with self.state.transaction() as db:
            current = self._reload(job)
            if current.status not in ACTIVE:
                return
            now_s = self.state.now()
            if secondary == "MaxWaitTimeExceeded":  # AWS stops it, and the stop is a step of its own
                current = _with_secondary(replace(current, status="Stopping"), "Stopping", now_s)
            body = {**current.body, **facts, "ended_s": now_s}
            ended = replace(current, status=status, body=body)
            self.resources.save(db, _with_secondary(ended, secondary or status, now_s))
            ledger.close_intervals(db, current.arn, ended_s=now_s if "started_s" in current.body else 0.0)

    def settle(self) -> None:
        """Fail or continue jobs whose worker died; start a worker again if it died before it claimed its job."""
        for job in self.resources.find(self.kind.name, statuses=ACTIVE):
            worker = _process(job, "worker")
            with suppress(JobDeletedError):  # another process has settled and deleted it meanwhile
                if worker is None and self.state.now() - job.body["spawned_s"] > _CLAIM_PATIENCE_S:
                    self.note(job, spawned_s=self.state.now())
                    self.spawn(job)
                elif worker is not None and not worker.is_alive():
                    if not self.kind.is_resumed:
                        self._end_orphan(job)
                    elif self._release(job):
                        self.spawn(job)

    def delete_all(self) -> None:
        """Delete every job and kill its processes; none of them runs when this returns."""
        with self.state.transaction() as db:
            # A worker that has not claimed its job yet finds no row and exits.
            jobs = self.resources.find(self.kind.name)
            for job in jobs:
                self.resources.delete(db, job)
        _kill([process for job in jobs for process in _processes(job)])
        _kill(self._spawned.values())

    def stop_spawned(self) -> None:
        """Kill the processes that this object started; their jobs end as ``Stopped``."""
        for arn, worker in self._spawned.items():
            job = self.resources.by_arn(arn)
            _kill([worker])
            if job is not None:
                self.kill(job)

    def has_spawned(self, job: Resource) -> bool:
        """Return whether this object started a process of the job."""
        return job.arn in self._spawned

    def kill(self, job: Resource) -> None:
        """Kill a job's processes; it ends as ``Stopped``."""
        _kill(list(_processes(self._reload(job))))
        self.finish(job, "Stopped")

    def _release(self, job: Resource) -> bool:
        """Make a job free for a new worker; return False if another process has done so since it was read."""
        with self.state.transaction() as db:
            current = self._reload(job)
            if current.status not in ACTIVE or current.body.get("worker") != job.body["worker"]:
                return False
            body = {**current.body, "worker": None, "spawned_s": self.state.now()}
            self.resources.save(db, replace(current, body=body))
        return True

    def _end_orphan(self, job: Resource) -> None:
        """End a job whose worker died, and kill its containers."""
        current = self._reload(job)
        for process in _processes(current):
            process.send(signal.SIGKILL)
        if current.status == "Stopping":
            self.finish(job, "Stopped")
        else:
            self.finish(job, "Failed", reason=WORKER_DIED)

    def _reload(self, job: Resource) -> Resource:
        """Return the job as it is now; raise JobDeletedError if it was deleted."""
        current = self.get(job.region, job.name)
        if current is None or current.created_s != job.created_s:
            raise JobDeletedError(f"The job {job.arn} was deleted.")
        return current


def _with_secondary(job: Resource, secondary: str, now_s: float) -> Resource:
    """Return the job in its next secondary status, with the transition recorded."""
    before = [dict(step) for step in job.body["transitions"]]
    if before and "EndTime" not in before[-1]:
        before[-1]["EndTime"] = now_s
    step: dict[str, Any] = {"Status": secondary, "StartTime": now_s, "StatusMessage": MESSAGES.get(secondary, "")}
    if job.status in TERMINAL:
        step["EndTime"] = now_s
    body = {**job.body, "secondary": secondary, "transitions": [*before, step]}
    return replace(job, body=body, modified_s=now_s)


def _process(job: Resource, role: str) -> ProcessId | None:
    process = job.body.get(role)
    return None if process is None else ProcessId(**process)


def _processes(job: Resource) -> Iterator[ProcessId]:
    """Yield a job's processes: its worker, and the containers that the worker has noted."""
    stored = [job.body.get("worker"), job.body.get("container"), *job.body.get("containers", [])]
    return (ProcessId(**process) for process in stored if process is not None)


def _kill(processes: Collection[ProcessId]) -> None:
    for process in processes:
        process.kill_session()
    while any(process.is_alive() for process in processes):
        time.sleep(0.001)
