"""A training job's worker process, in the place of SageMaker's training platform.

Its arguments are ``STATE_DIR REGION JOB CLOCK_AHEAD_S``. It writes the container's directory,
runs the container as a child, stores its output as the job's CloudWatch log, and uploads the artifact to the output
bucket. It outlives the client that created the job. Imports stay light because they delay every job.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator.buckets import buckets_of
from asteroid_ll.emulator.isolation import clean_environment, python_command
from asteroid_ll.emulator.logs.store import TRAINING_GROUP, LogStore
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker import files as job_files
from asteroid_ll.emulator.worker.checkpoints import Checkpoints
from asteroid_ll.emulator.worker.containers import Containers
from asteroid_ll.emulator.worker.jobs import NO_CAPACITY, TRAINING, Jobs
from asteroid_ll.emulator.worker.metrics import NAMESPACE, final_metrics
from asteroid_ll.emulator.worker.pipes import Feeder, feeding
from asteroid_ll.emulator.worker.process import run_claimed, wait
from asteroid_ll.linear_learner.images import generation_of

if TYPE_CHECKING:
    from asteroid_ll.emulator.worker.execution_role import ExecutionRole

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 60.0
_LINKS = "LINEAR_LEARNER_LINKS"
_GENERATION = "LINEAR_LEARNER_GENERATION"
_CONTAINER = "asteroid_ll.linear_learner.container"


class Worker:
    """Runs one claimed job to its end.

    Args:
        state: the emulator's state.
        job: the job, claimed by this process.
    """

    def __init__(self, state: State, job: Resource) -> None:
        self.state = state
        self.job = job
        self.jobs = Jobs(state)
        self.store = ObjectStore(state)
        self.logs = LogStore(state)
        self.request: dict[str, Any] = job.body["request"]
        self.directory = self.jobs.directory(job)
        self.buckets = buckets_of(state, job.region, scratch=self.directory, is_patient=True)
        self.roots = {
            name: self.directory if name == "algo-1" else self.directory / "hosts" / name
            for name in job_files.host_names(self.request)
        }
        self.settings = state.settings
        self.is_stopping = False
        self.containers = self._new_containers()
        self.has_log = True
        self.run_time_left_s: float = self.request["StoppingCondition"]["MaxRuntimeInSeconds"]
        self.feeders: list[Feeder] = []
        config = self.request.get("CheckpointConfig")
        self.checkpoints = None if config is None else Checkpoints(config, store=self.buckets)
        is_spot = bool(self.request.get("EnableManagedSpotTraining"))
        self.interruptions_left = self.settings.spot_interruptions if is_spot else 0
        self.has_lost_instances = False
        limit_s: float = self.request["StoppingCondition"].get("MaxWaitTimeInSeconds", float("inf"))
        self.give_up_at_s = time.monotonic() + limit_s if is_spot else float("inf")
        self.streams: list[str] = []

    def stop(self, _number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Handle SIGTERM: send it to the containers and kill them after the grace time."""
        self.is_stopping = True
        self.containers.stop()

    def run(self) -> None:
        """Run the job to its end and record the result in its row."""
        if self.request["ResourceConfig"]["InstanceType"] in self.settings.types_without_capacity:
            return self._end_without_instances()
        self._pause(0 if self.job.body.get("is_warm") else self.settings.training_starting_s)
        if self.is_stopping or not self.jobs.step(self.job, "Downloading"):
            return self.jobs.finish(self.job, "Stopped")
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                self._prepare()
            except job_files.DownloadError as error:
                return self._fail(f"ClientError: Data download failed: {error}")
            if not self.jobs.step(self.job, "Training"):
                return self.jobs.finish(self.job, "Stopped")
            role, image = self._role(), self.request["AlgorithmSpecification"]["TrainingImage"]
            _, denied = ("", "") if role is None else role.pull_denial(image)
            if denied:
                return self._fail(
                    "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions "
                    f"are incorrect. ({denied})"
                )
            with feeding(self.feeders):
                exit_code = self._run_containers()
            if not self._was_interrupted():
                return self._conclude(exit_code)
            if time.monotonic() >= self.give_up_at_s:
                return self.jobs.finish(self.job, "Stopped", secondary="MaxWaitTimeExceeded")
            self.has_lost_instances = False
            interrupted = self.jobs.step(self.job, "Interrupted")
            # Wait longer for new instances each time, so a job that always dies does not spin.
            self._pause(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            if not (interrupted and all(self.jobs.step(self.job, step) for step in ("Starting", "Downloading"))):
                return self.jobs.finish(self.job, "Stopped")

    def _end_without_instances(self) -> None:
        """End a job whose instances never come: a job on demand at once, a spot job when its wait is over."""
        if not self.request.get("EnableManagedSpotTraining"):
            return self.jobs.finish(self.job, "Failed", reason=NO_CAPACITY)
        self._pause(self.give_up_at_s - time.monotonic())
        return self.jobs.finish(self.job, "Stopped", secondary="" if self.is_stopping else "MaxWaitTimeExceeded")

    def _lose_instances(self) -> None:
        """Kill the containers of a spot job that AWS interrupts, once it has a checkpoint or has at least begun."""
        has_begun = any(host.has_written for host in self.containers.hosts)
        if self.checkpoints is not None:
            has_begun = self.checkpoints.n_uploaded > 0
        if self.interruptions_left and not self.has_lost_instances and has_begun:
            self.has_lost_instances = True
            self.interruptions_left -= 1
            self.containers.kill()

    def _prepare(self) -> None:
        """Write every host's files, pipes and checkpoints."""
        self.feeders = []
        role = self._role()
        if role is not None:
            denied = role.input_denial(self.request)
            if denied:
                raise job_files.DownloadError(denied)
        for name, root in self.roots.items():
            streams = job_files.prepare(root, self.request, host=name, store=self.buckets)
            self.feeders += [Feeder(root, channel, files=files) for channel, files in streams.items()]
        if self.checkpoints is not None:
            self.checkpoints.download(self.roots.values())

    def _was_interrupted(self) -> bool:
        """Return whether a managed spot job lost an instance: its container was killed, but not by the worker."""
        killed = self.has_lost_instances or self.containers.were_killed()
        ended_early = self.is_stopping or self.containers.is_over_time
        return killed and not ended_early and bool(self.request.get("EnableManagedSpotTraining"))

    def _role(self) -> ExecutionRole | None:
        """Return what the job's role may do now; None if the account evaluates no policies."""
        if not self.state.evaluates_iam:
            return None
        from asteroid_ll.emulator.worker.execution_role import execution_role  # only if policies are evaluated

        return execution_role(self.store, self.request["RoleArn"], region=self.job.region)

    def _may_log(self) -> bool:
        """Return whether the role may write the job's log; on AWS, the job runs without a log if not."""
        role = self._role()
        denied = "" if role is None else role.log_denial(TRAINING_GROUP, f"{self.job.name}/algo-1")
        if denied:
            self.state.log(f"{self.job.arn} has no log: {denied}")
        return not denied

    def _fail(self, reason: str, **facts: Any) -> None:
        self.jobs.finish(self.job, "Failed", reason=reason[: job_files.MAX_FAILURE_REASON_LENGTH], **facts)

    def _metrics(self) -> list[dict[str, Any]]:
        """Return the final metrics of the job's log; none if the role may not publish them."""
        role = self._role()
        denied = "" if role is None else role.metrics_denial(NAMESPACE)
        if denied:
            self.state.log(f"{self.job.arn} has no metrics: {denied}")
            return []
        # An interrupted job has a stream for each start.
        lines = [self.logs.lines(self.job.region, TRAINING_GROUP, stream) for stream in dict.fromkeys(self.streams)]
        return final_metrics(line for stream in lines for line in stream)

    def _new_containers(self) -> Containers:
        return Containers(store=self._store_lines, stop_signal=signal.SIGTERM, grace_s=self.settings.stop_grace_s)

    def _run_containers(self) -> int:
        """Run all hosts' containers to their end; return 0 or a failed one's exit code (128 + n for signal n)."""
        command = [*(self.settings.container_command or python_command(_CONTAINER, "train")), "--root"]
        started_s = int(self.state.now())
        self.has_log = self._may_log()
        self.containers = self._new_containers()
        links = _links(len(self.roots))
        for (name, root), ends in zip(self.roots.items(), links, strict=True):
            files = [end.fileno() for end in ends]
            self.containers.start(
                name,
                [*command, str(root)],
                directory=root,
                stream=f"{self.job.name}/{name}-{started_s}",
                environment={**self._environment(name), _LINKS: ",".join(map(str, files))},
                pass_fds=files,
            )
        # Only a host's process keeps its end open, so the other hosts notice its death.
        for end in (end for ends in links for end in ends):
            end.close()
        self.streams.append(self.containers.hosts[0].stream)
        self.jobs.note(self.job, containers=self.containers.processes())
        if self.is_stopping:
            self.containers.stop()
        # An interrupted job continues with its remaining run time.
        begun_s = time.monotonic()
        exit_code = self.containers.follow(begun_s + self.run_time_left_s, on_look=self._look)
        self.run_time_left_s -= time.monotonic() - begun_s
        if self.checkpoints is not None:
            refusal = self.checkpoints.upload(self.roots.values(), is_last=True)
            if refusal:
                self.state.log(f"{self.job.arn} has checkpoints that could not be uploaded: {refusal}")
        self._lose_instances()  # at the latest now, so that each job is interrupted as often as the settings say
        return exit_code

    def _look(self) -> None:
        """Upload new checkpoints, and interrupt a spot job whose time has come."""
        if self.checkpoints is not None:
            self.checkpoints.upload(self.roots.values())
        self._lose_instances()

    def _store_lines(self, stream: str, lines: Sequence[str]) -> None:
        if self.has_log:
            now_s = self.state.now()
            self.logs.append(self.job.region, TRAINING_GROUP, stream, lines=[(now_s, line) for line in lines])

    def _conclude(self, exit_code: int) -> None:
        """Upload the artifact and record the job's end."""
        job_files.remove_input(self.directory)
        metrics = self._metrics()
        ended_early = self.is_stopping or self.containers.is_over_time
        if exit_code and not ended_early:
            failed = self.containers.failed
            name = failed.name if failed and len(self.roots) > 1 else ""
            reason = job_files.failure_reason(self.roots.values(), exit_code, host=name)
            return self.jobs.finish(self.job, "Failed", reason=reason, metrics=metrics)
        self.jobs.step(self.job, "Uploading")
        uri = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/") + f"/{self.job.name}/output/model.tar.gz"
        archive = self.directory / "output" / "model.tar.gz"
        facts: dict[str, Any] = {"metrics": metrics}
        if job_files.pack([root / "model" for root in self.roots.values()], archive):
            refusal = self._upload(archive, uri)
            if refusal:
                self.state.log(f"{self.job.arn} has its model in {archive}: {refusal}")
                reason = f"ClientError: Artifact upload failed: Unable to upload {uri} ({refusal})"
                return self._fail(reason, metrics=metrics)
            archive.unlink()
            facts["artifact"] = uri
        elif not ended_early:
            reason = "AlgorithmError: The training container ended without a model in /opt/ml/model."
            return self.jobs.finish(self.job, "Failed", reason=reason, metrics=metrics)
        if self.containers.is_over_time:
            return self.jobs.finish(self.job, "Stopped", secondary="MaxRuntimeExceeded", **facts)
        return self.jobs.finish(self.job, "Stopped" if self.is_stopping else "Completed", **facts)

    def _upload(self, archive: Path, uri: str) -> str:
        """Upload the artifact; return S3's reason if it is refused, else an empty text."""
        bucket, key = job_files.parse_s3_uri(uri)
        role = self._role()
        denied = "" if role is None else role.write_denial(bucket, key)
        if denied:
            return f"AccessDenied: {denied}"
        try:
            self.buckets.put_file(bucket, key, archive)
        except ApiError as error:
            return str(error)
        return ""

    def _pause(self, duration_s: float) -> None:
        """Wait until the instances are up or a stop is requested."""
        wait(duration_s, unless=lambda: self.is_stopping)

    def _environment(self, host: str) -> dict[str, str]:
        """Return a container's environment; the request's variables are in a file, see `job_files.prepare`.

        One BLAS thread is the default, so the model's bits do not depend on the caller or the number of cores.
        """
        return {
            "OPENBLAS_NUM_THREADS": "1",
            **clean_environment(),
            "PYTHONUNBUFFERED": "1",
            "AWS_REGION": self.job.region,
            "TRAINING_JOB_NAME": self.job.name,
            "TRAINING_JOB_ARN": self.job.arn,
            "CURRENT_HOST": host,
            _GENERATION: generation_of(self.request["AlgorithmSpecification"]["TrainingImage"]).year,
        }


def _links(n_hosts: int) -> list[list[socket.socket]]:
    """Connect the first host to each other host; return the socket ends of each host, the first host's in order."""
    pairs = [socket.socketpair() for _ in range(n_hosts - 1)]
    return [[first for first, _ in pairs], *([other] for _, other in pairs)]


def main(arguments: Sequence[str]) -> None:
    """Claim the job and run it."""
    run_claimed(arguments, kind=TRAINING, runner=Worker)


if __name__ == "__main__":
    main(sys.argv[1:])
