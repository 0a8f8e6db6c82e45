"""A processing job's worker process, in the place of SageMaker Processing.

It runs no code of a client. The service accepts only jobs of this package's own stages, with its own wheel, and each
host's container is a process of this interpreter that runs `asteroid_ll.processing_container.MODULE`.

Sources: the developer guide, "Build Your Own Processing Container": the exit codes, and SIGINT and SIGKILL to stop a
container. The API reference, ProcessingStoppingCondition: a job that runs too long is stopped. The words of
FailureReason are those of public reports: ``AlgorithmError: , exit code: 1`` in the developer guide, "SageMaker Python
SDK Troubleshooting Guide", and ``ClientError: Failed to download data.`` in sagemaker-run-notebook, issue 32. Those for
an image that the role may not read are a training job's: no report of a processing job was found. No source tells what
becomes of the outputs if a container fails or is stopped; here they are not uploaded. Nor does one tell how long
SageMaker waits before SIGKILL; here it is as long as for a training job.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator.buckets import buckets_of
from asteroid_ll.emulator.isolation import clean_environment, python_command
from asteroid_ll.emulator.logs.store import PROCESSING_GROUP, LogStore
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker import processing_files
from asteroid_ll.emulator.worker.containers import Containers
from asteroid_ll.emulator.worker.files import MAX_FAILURE_REASON_LENGTH, DownloadError
from asteroid_ll.emulator.worker.jobs import NO_CAPACITY, PROCESSING, Jobs
from asteroid_ll.emulator.worker.process import run_claimed, wait
from asteroid_ll.processing_container import MODULE

if TYPE_CHECKING:
    from asteroid_ll.emulator.worker.execution_role import ExecutionRole


class ProcessingWorker:
    """Runs one claimed job to its end.

    Args:
        state: the emulator's state.
        job: the job, claimed by this process.
    """

    def __init__(self, state: State, job: Resource) -> None:
        self.state = state
        self.job = job
        self.jobs = Jobs(state, PROCESSING)
        self.store = ObjectStore(state)
        self.logs = LogStore(state)
        self.request: dict[str, Any] = job.body["request"]
        self.directory = self.jobs.directory(job)
        self.buckets = buckets_of(state, job.region, scratch=self.directory, is_patient=True)
        self.roots = {name: self.directory / "hosts" / name for name in processing_files.host_names(self.request)}
        self.settings = state.settings
        self.containers = Containers(
            store=self._store_lines, stop_signal=signal.SIGINT, grace_s=self.settings.stop_grace_s
        )
        self.has_log = True
        self._stopping = Event()

    def stop(self, _number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Handle SIGTERM: stop the containers."""
        self._stopping.set()
        self.containers.stop()

    def run(self) -> None:
        """Run the job to its end and record the result in its row."""
        instances = self.request["ProcessingResources"]["ClusterConfig"]
        if instances["InstanceType"] in self.settings.types_without_capacity:
            return self._fail(NO_CAPACITY)
        wait(self.settings.training_starting_s, unless=self._stopping.is_set)
        if self._stopping.is_set() or not self.jobs.step(self.job, "Processing"):
            return self.jobs.finish(self.job, "Stopped")
        try:
            self._prepare()
        except DownloadError as error:
            return self._fail(f"ClientError: Failed to download data. {error}")
        if self._stopping.is_set():
            return self.jobs.finish(self.job, "Stopped")
        role = self._role()
        _, denied = ("", "") if role is None else role.pull_denial(self.request["AppSpecification"]["ImageUri"])
        if denied:
            return self._fail(
                "ClientError: Cannot pull processing container. Either the image does not exist or its permissions are "
                f"incorrect. ({denied})"
            )
        return self._conclude(self._run_containers())

    def _prepare(self) -> None:
        """Write every host's files.

        Raises:
            DownloadError: an input cannot be read.
        """
        role = self._role()
        if role is not None:
            denied = role.sources_denial([source["S3Input"] for source in self.request.get("ProcessingInputs", [])])
            if denied:
                raise DownloadError(denied)
        names = {"ProcessingJobArn": self.job.arn, "ProcessingJobName": self.job.name}
        for host, root in self.roots.items():
            processing_files.prepare(root, {**names, **self.request}, host=host, store=self.buckets)

    def _run_containers(self) -> int:
        """Run all hosts' containers to their end; return 0 or the exit code of the first that failed."""
        own = self.settings.container_command
        started_s = int(self.state.now())
        self.has_log = self._may_log(f"{self.job.name}/algo-1-{started_s}")
        variables = {"OPENBLAS_NUM_THREADS": "1", **clean_environment(), "PYTHONUNBUFFERED": "1"}
        for host, root in self.roots.items():
            command = [*own, "--root", str(root)] if own else python_command(MODULE, str(root))
            stream = f"{self.job.name}/{host}-{started_s}"
            self.containers.start(host, command, directory=root, stream=stream, environment=variables)
        self.jobs.note(self.job, containers=self.containers.processes())
        if self._stopping.is_set():
            self.containers.stop()
        limit_s: float = self.request["StoppingCondition"]["MaxRuntimeInSeconds"]
        return self.containers.follow(time.monotonic() + limit_s)

    def _conclude(self, exit_code: int) -> None:
        """Upload the outputs and record the job's end."""
        try:
            message = processing_files.exit_message(self.roots.values())
        except processing_files.MessageError as error:
            return self._fail(f"ClientError: {error}")
        facts = {"exit_message": message} if message else {}
        if self._stopping.is_set() or self.containers.is_over_time:
            return self.jobs.finish(self.job, "Stopped", **facts)
        if exit_code:
            return self._fail(f"AlgorithmError: , exit code: {exit_code}", **facts)
        refusal = self._upload()
        if refusal:
            return self._fail(f"ClientError: Failed to upload data. {refusal}", **facts)
        return self.jobs.finish(self.job, "Stopped" if self._stopping.is_set() else "Completed", **facts)

    def _upload(self) -> str:
        """Upload every host's outputs in turn; return S3's reason if it refuses one, else an empty text."""
        role = self._role()
        for root in self.roots.values():
            for bucket, key, path in processing_files.uploads(root, self.request):
                denied = "" if role is None else role.write_denial(bucket, key)
                try:
                    if denied:
                        raise ApiError("AccessDenied", denied)
                    self.buckets.put_file(bucket, key, path)
                except ApiError as error:
                    return f"Unable to upload s3://{bucket}/{key} ({error})"
        return ""

    def _fail(self, reason: str, **facts: Any) -> None:
        self.jobs.finish(self.job, "Failed", reason=reason[:MAX_FAILURE_REASON_LENGTH], **facts)

    def _role(self) -> ExecutionRole | None:
        """Return what the job's role may do now; None if the account evaluates no policies."""
        if not self.state.evaluates_iam:
            return None
        from asteroid_ll.emulator.worker.execution_role import execution_role  # only if policies are evaluated

        return execution_role(self.store, self.request["RoleArn"], region=self.job.region)

    def _may_log(self, stream: str) -> bool:
        """Return whether the role may write the job's log; on AWS, the job runs without a log if not."""
        role = self._role()
        denied = "" if role is None else role.log_denial(PROCESSING_GROUP, stream)
        if denied:
            self.state.log(f"{self.job.arn} has no log: {denied}")
        return not denied

    def _store_lines(self, stream: str, lines: Sequence[str]) -> None:
        if self.has_log:
            now_s = self.state.now()
            self.logs.append(self.job.region, PROCESSING_GROUP, stream, lines=[(now_s, line) for line in lines])


def main(arguments: Sequence[str]) -> None:
    """Claim the job and run it."""
    run_claimed(arguments, kind=PROCESSING, runner=ProcessingWorker)


if __name__ == "__main__":
    main(sys.argv[1:])
