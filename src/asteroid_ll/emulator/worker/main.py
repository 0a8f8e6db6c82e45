"""A training job's worker process, in the place of SageMaker's training platform.

Its arguments are ``STATE_DIR REGION JOB CLOCK_AHEAD_S``. It writes the containers' directories, runs the containers as
children, stores their output as the job's CloudWatch log, and uploads the artifact to the output bucket. The objects
under the prefix of a CheckpointConfig are copied to ``/opt/ml/checkpoints`` before a container starts. Its changes
there are copied to S3 while it runs, so a killed job leaves its last checkpoint behind.

Source: the developer guide, "Use checkpoints in Amazon SageMaker" and "Managed Spot Training".
"""

from __future__ import annotations

import shutil
import socket
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from asteroid_ll.emulator.processes import python_command
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker import files as job_files
from asteroid_ll.emulator.worker.files import Buckets, DownloadError, InputObject, parse_s3_uri
from asteroid_ll.emulator.worker.jobs import TRAINING
from asteroid_ll.emulator.worker.log import TRAINING_GROUP, final_metrics
from asteroid_ll.emulator.worker.process import JobEndedError, Worker, failure, run_claimed
from asteroid_ll.linear_learner.images import generation_of
from asteroid_ll.run.atomic import TEMPORARY_PREFIX

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 60.0
_CHECKPOINT_RETRY_S = 10.0
_LINKS = "LINEAR_LEARNER_LINKS"
_GENERATION = "LINEAR_LEARNER_GENERATION"
_CONTAINER = "asteroid_ll.linear_learner.container"


class TrainingWorker(Worker):
    """Runs one claimed training job to its end."""

    kind = TRAINING
    group = TRAINING_GROUP

    def __init__(self, state: State, job: Resource) -> None:
        super().__init__(state, job)
        self.image: str = self.request["AlgorithmSpecification"]["TrainingImage"]
        conditions = self.request["StoppingCondition"]
        hosts = job_files.hosts_of(self.request["ResourceConfig"]["InstanceCount"])
        others = self.directory / "hosts"
        self.roots = {name: self.directory if name == "algo-1" else others / name for name in hosts}
        self.checkpoints = Checkpoints(self.request.get("CheckpointConfig"), list(self.roots.values()))
        self.pipes: dict[Path, job_files.EpochFiles] = {}
        self.streams: list[str] = []
        self.run_time_left_s: float = conditions["MaxRuntimeInSeconds"]
        self.is_spot = bool(self.request.get("EnableManagedSpotTraining"))
        self.interruptions_left = self.settings.spot_interruptions if self.is_spot else 0
        self.has_lost_instances = False
        self.give_up_at_s = time.monotonic() + conditions.get("MaxWaitTimeInSeconds", float("inf"))

    def work(self) -> dict[str, Any]:
        """Train, again after each interruption of a spot job, and upload the model."""
        self._wait_for_instances()
        self.step("Downloading")
        pause_s = _FIRST_PAUSE_S
        while True:
            self._prepare()
            self.step("Training")
            self.check_image(self.image, what="algorithm")
            with job_files.feeding(self.pipes):
                exit_code = self._run_containers()
            if not self._was_interrupted():
                return self._conclude(exit_code)
            if time.monotonic() >= self.give_up_at_s:
                raise JobEndedError("Stopped", secondary="MaxWaitTimeExceeded")
            self.has_lost_instances = False
            self.step("Interrupted")
            # Wait longer for new instances each time, so a job that always dies does not spin.
            self.pause(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            self.step("Starting")
            self.step("Downloading")

    def _wait_for_instances(self) -> None:
        """Wait until the instances are up. A spot job without capacity waits for its whole time."""
        instance_type = self.request["ResourceConfig"]["InstanceType"]
        if self.is_spot and instance_type in self.settings.types_without_capacity:
            self.pause(self.give_up_at_s - time.monotonic())
            raise JobEndedError("Stopped", secondary="" if self.is_stopping else "MaxWaitTimeExceeded")
        self.check_capacity(instance_type)
        self.pause(self.settings.training_starting_s)

    def _prepare(self) -> None:
        """Write every host's files and checkpoints."""
        self.pipes = {}
        buckets = self.buckets()
        try:
            for name, root in self.roots.items():
                self.pipes |= job_files.prepare(root, self.request, host=name, store=buckets)
            self.checkpoints.download(buckets)
        except DownloadError as error:
            raise failure(f"ClientError: Data download failed: {error}") from error

    def _run_containers(self) -> int:
        """Run all hosts' containers to their end; return 0 or a failed one's exit code (128 + n for signal n)."""
        command = [*(self.settings.container_command or python_command(_CONTAINER, "train")), "--root"]
        started_s = int(self.state.now())
        self.containers = self.new_containers()
        links = _links(len(self.roots))
        for (name, root), ends in zip(self.roots.items(), links, strict=True):
            files = [end.fileno() for end in ends]
            self.containers.start(
                name,
                [*command, str(root)],
                directory=root,
                stream=f"{self.job.name}/{name}-{started_s}",
                variables={**self._variables(name), _LINKS: ",".join(map(str, files))},
                pass_fds=files,
            )
        # Only a host's process keeps its end open, so the other hosts notice its death.
        for end in (end for ends in links for end in ends):
            end.close()
        self.streams.append(self.containers.hosts[0].stream)
        # An interrupted job continues with its remaining run time.
        begun_s, buckets = time.monotonic(), self.buckets()
        exit_code = self.follow(self.run_time_left_s, on_look=partial(self._look, buckets))
        self.run_time_left_s -= time.monotonic() - begun_s
        refusal = self.checkpoints.upload(buckets, is_last=True)
        if refusal:
            self.state.log(f"{self.job.arn} has checkpoints that could not be uploaded: {refusal}")
        self._lose_instances()  # at the latest now, so that each job is interrupted as often as the settings say
        return exit_code

    def _variables(self, host: str) -> dict[str, str]:
        """Return a container's own variables; the request's are in a file, see `job_files.prepare`."""
        return {
            "AWS_REGION": self.job.region,
            "TRAINING_JOB_NAME": self.job.name,
            "TRAINING_JOB_ARN": self.job.arn,
            "CURRENT_HOST": host,
            _GENERATION: generation_of(self.image).year,
        }

    def _look(self, buckets: Buckets) -> None:
        """Upload new checkpoints, and interrupt a spot job whose time has come."""
        self.checkpoints.upload(buckets)
        self._lose_instances()

    def _lose_instances(self) -> None:
        """Kill the containers of a spot job that AWS interrupts, once it has a checkpoint or has at least begun."""
        has_begun = any(host.has_written for host in self.containers.hosts)
        if self.checkpoints.is_used:
            has_begun = self.checkpoints.n_uploaded > 0
        if self.interruptions_left and not self.has_lost_instances and has_begun:
            self.has_lost_instances = True
            self.interruptions_left -= 1
            self.containers.kill()

    def _was_interrupted(self) -> bool:
        """Return whether a managed spot job lost an instance: its container was killed, but not by the worker."""
        was_killed = self.has_lost_instances or self.containers.were_killed()
        return self.is_spot and was_killed and not (self.is_stopping or self.containers.is_over_time)

    def _conclude(self, exit_code: int) -> dict[str, Any]:
        """Upload the artifact; return the facts of a job that has ended well."""
        job_files.remove_input(self.directory)
        facts: dict[str, Any] = {"metrics": self._metrics()}
        ended_early = self.is_stopping or self.containers.is_over_time
        if exit_code and not ended_early:
            raise failure(self._failure_reason(exit_code), **facts)
        self.jobs.step(self.job, "Uploading")
        archive = self.directory / "output" / "model.tar.gz"
        if job_files.pack([root / "model" for root in self.roots.values()], archive):
            facts["artifact"] = self._upload(archive, facts)
        elif not ended_early:
            raise failure("AlgorithmError: The training container ended without a model in /opt/ml/model.", **facts)
        if self.containers.is_over_time:
            raise JobEndedError("Stopped", secondary="MaxRuntimeExceeded", **facts)
        return facts

    def _metrics(self) -> list[dict[str, Any]]:
        """Return the final metrics of the job's log; none if the role may not publish them."""
        denied = self.denial(lambda role: role.metrics_denial(TRAINING_GROUP))
        if denied:
            self.state.log(f"{self.job.arn} has no metrics: {denied}")
            return []
        # An interrupted job has a stream for each start.
        streams = dict.fromkeys(self.streams)
        return final_metrics(line for name in streams for line in self.logs.lines(self.job.region, self.group, name))

    def _failure_reason(self, exit_code: int) -> str:
        """Return the oldest ``output/failure`` of the hosts, else the exit code.

        Hosts that write one later have only lost the connection to the host that failed.
        """
        paths = [root / "output" / "failure" for root in self.roots.values()]
        written = [path for path in paths if path.is_file() and not path.is_symlink()]
        if not written:
            failed = self.containers.failed
            event = f"The host {failed.name} left the job" if failed and len(self.roots) > 1 else ""
            return f"AlgorithmError: {event}, exit code: {exit_code}"
        path = min(written, key=lambda path: path.stat().st_mtime_ns)
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        is_whole = text.startswith(("ClientError", "AlgorithmError", "InternalServerError"))
        return text if is_whole else f"AlgorithmError: {text}, exit code: {exit_code}"

    def _upload(self, archive: Path, facts: Mapping[str, Any]) -> str:
        """Upload the artifact and return its address."""
        uri: str = (
            self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/") + f"/{self.job.name}/output/model.tar.gz"
        )
        try:
            self.buckets().put_file(*parse_s3_uri(uri), archive)
        except ApiError as error:
            self.state.log(f"{self.job.arn} has its model in {archive}: {error}")
            raise failure(f"ClientError: Artifact upload failed: Unable to upload {uri} ({error})", **facts) from error
        archive.unlink()
        return uri


class Checkpoints:
    """The checkpoint folders of a job's hosts and their prefix in S3.

    Args:
        config: the request's ``CheckpointConfig``; None for a job without checkpoints, of which nothing is copied.
        roots: each host's ``/opt/ml``.

    Attributes:
        is_used: whether the job has checkpoints.
        n_uploaded: number of files that were copied to S3 since the last download.
    """

    def __init__(self, config: Mapping[str, Any] | None, roots: Collection[Path]) -> None:
        self.is_used = config is not None
        self._uri = "" if config is None else config["S3Uri"]
        self._bucket, prefix = parse_s3_uri(self._uri)
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        self._folders = [root / "checkpoints" for root in roots] if self.is_used else []
        self._retry_at_s = 0.0
        self._seen: dict[Path, tuple[int, int]] = {}
        self.n_uploaded = 0

    def download(self, buckets: Buckets) -> None:
        """Copy the objects under the prefix to every host.

        Raises:
            DownloadError: a key leads out of the folder, an object cannot be read, or the role may not write any.
        """
        self.n_uploaded = 0
        if not self.is_used:
            return
        with job_files.explained(f"Unable to list {self._uri}"):
            items = buckets.list(self._bucket, self._prefix)
        with job_files.explained(f"Unable to upload checkpoints to {self._uri}"):
            buckets.check_put(self._bucket, self._prefix)
        sources = [InputObject(item, item.key.removeprefix(self._prefix)) for item in items]
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for source in sources:
                if not source.path.endswith("/"):
                    target = job_files.download(source, folder=folder, store=buckets, link=False)
                    self._seen[target] = _version(target)

    def upload(self, buckets: Buckets, *, is_last: bool = False) -> str:
        """Copy the files that changed since the last call.

        Args:
            buckets: the account's objects.
            is_last: whether to try also shortly after a refusal by S3.

        Returns:
            The reason of a refusal; else an empty text.
        """
        if is_last or time.monotonic() >= self._retry_at_s:
            try:
                for folder in self._folders:
                    self._upload(folder, buckets)
            except ApiError as error:
                self._retry_at_s = time.monotonic() + _CHECKPOINT_RETRY_S
                return str(error)
        return ""

    def _upload(self, folder: Path, buckets: Buckets) -> None:
        for path in sorted(folder.rglob("*")):
            if path.name.startswith(TEMPORARY_PREFIX) or path.is_symlink():
                continue
            # The container may just have replaced or removed it; the next call sees the new state.
            with suppress(FileNotFoundError):
                version = _version(path)
                if path.is_file() and self._seen.get(path) != version:
                    key = self._prefix + path.relative_to(folder).as_posix()
                    buckets.put_file(self._bucket, key, path)
                    self._seen[path] = version
                    self.n_uploaded += 1


def _version(path: Path) -> tuple[int, int]:
    """Return the inode and the time of change; replacing a file by renaming changes them."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _links(n_hosts: int) -> list[list[socket.socket]]:
    """Connect the first host to each other host; return the socket ends of each host, the first host's in order."""
    pairs = [socket.socketpair() for _ in range(n_hosts - 1)]
    return [[first for first, _ in pairs], *([other] for _, other in pairs)]


def main(arguments: Sequence[str]) -> None:
    """Claim the job and run it."""
    run_claimed(arguments, kind=TRAINING, runner=TrainingWorker)


if __name__ == "__main__":
    main(sys.argv[1:])
