"""A processing job's worker process, in the place of SageMaker Processing.

It runs no code of a client. The service accepts only jobs of this package's own stages, with its own wheel, and each
host's container is a process of this interpreter that runs `asteroid_ll.processing_container.MODULE`.

Sources: the developer guide, "Build Your Own Processing Container": the exit codes, SIGINT and SIGKILL to stop a
container, the two configuration files, and the rule that symbolic links are not uploaded. The API reference,
ProcessingStoppingCondition: a job that runs too long is stopped. The words of FailureReason are those of public
reports: ``AlgorithmError: , exit code: 1`` in the developer guide, "SageMaker Python SDK Troubleshooting Guide", and
``ClientError: Failed to download data.`` in sagemaker-run-notebook, issue 32. No source tells what becomes of the
outputs if a container fails or is stopped; here they are not uploaded.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from asteroid_ll.emulator.processes import python_command
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import DownloadError, download, host_share, hosts_of, input_objects, parse_s3_uri
from asteroid_ll.emulator.worker.jobs import PROCESSING
from asteroid_ll.emulator.worker.log import PROCESSING_GROUP
from asteroid_ll.emulator.worker.process import JobEndedError, Worker, failure, run_claimed
from asteroid_ll.processing_container import MAX_MESSAGE_BYTES, MESSAGE, MODULE, RESOURCES, ROOT

_JOB_CONFIG = "config/processingjobconfig.json"


class ProcessingWorker(Worker):
    """Runs one claimed processing job to its end."""

    kind = PROCESSING
    group = PROCESSING_GROUP
    stop_signal = signal.SIGINT

    def __init__(self, state: State, job: Resource) -> None:
        super().__init__(state, job)
        self.instances = self.request["ProcessingResources"]["ClusterConfig"]
        self.hosts = hosts_of(self.instances["InstanceCount"])
        self.roots = [self.directory / "hosts" / name for name in self.hosts]

    def work(self) -> dict[str, Any]:
        """Run the containers and upload their outputs."""
        self.check_capacity(self.instances["InstanceType"])
        self.pause(self.settings.training_starting_s)
        self.step("Processing")
        try:
            for number in range(len(self.hosts)):
                self._prepare(number)
        except DownloadError as error:
            raise failure(f"ClientError: Failed to download data. {error}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise failure(f"ClientError: Failed to download data. A folder cannot be made: {reason}") from error
        self.check_image(self.request["AppSpecification"]["ImageUri"], what="processing")
        exit_code = self._run_containers()
        paths = [root / MESSAGE for root in self.roots]
        message = b"".join(path.read_bytes() for path in paths if path.is_file() and not path.is_symlink())
        facts = {"exit_message": message[:MAX_MESSAGE_BYTES].decode(errors="ignore")} if message else {}
        if self.is_stopping or self.containers.is_over_time:
            raise JobEndedError("Stopped", **facts)
        if exit_code:
            raise failure(f"AlgorithmError: , exit code: {exit_code}", **facts)
        self._upload(facts)
        return facts

    def _prepare(self, number: int) -> None:
        """Write one host's container directory, and make the folders of its outputs."""
        root, host, buckets = self.roots[number], self.hosts[number], self.buckets()
        shutil.rmtree(root, ignore_errors=True)
        job = {"ProcessingJobArn": self.job.arn, "ProcessingJobName": self.job.name, **self.request}
        (root / MESSAGE).parent.mkdir(parents=True)
        for place, value in ((RESOURCES, {"current_host": host, "hosts": self.hosts}), (_JOB_CONFIG, job)):
            (root / place).parent.mkdir(exist_ok=True)
            (root / place).write_text(json.dumps(value), encoding="utf-8")
        for described in self.request.get("ProcessingInputs", []):
            source = described["S3Input"]
            folder = _inside(root, source)
            folder.mkdir(parents=True, exist_ok=True)
            channel = {"DataSource": {"S3DataSource": source}}
            objects = input_objects(source, buckets)
            for item in host_share(objects, channel, epoch=0, host=number, n_hosts=len(self.hosts)):
                download(item, folder=folder, store=buckets)
        for output in self._outputs():
            _inside(root, output).mkdir(parents=True, exist_ok=True)

    def _run_containers(self) -> int:
        """Run all hosts' containers to their end; return 0 or the exit code of the first that failed."""
        command, started_s = self.settings.container_command, int(self.state.now())
        for host, root in zip(self.hosts, self.roots, strict=True):
            self.containers.start(
                host,
                [*command, "--root", str(root)] if command else python_command(MODULE, str(root)),
                directory=root,
                stream=f"{self.job.name}/{host}-{started_s}",
                variables={},
            )
        return self.follow(self.request["StoppingCondition"]["MaxRuntimeInSeconds"])

    def _upload(self, facts: Mapping[str, Any]) -> None:
        """Upload every host's outputs in turn. Symbolic links are not followed."""
        buckets = self.buckets()
        for root in self.roots:
            for output in self._outputs():
                folder = _inside(root, output)
                bucket, prefix = parse_s3_uri(output["S3Uri"])
                for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
                    key = "/".join(filter(None, [prefix.rstrip("/"), path.relative_to(folder).as_posix()]))
                    try:
                        buckets.put_file(bucket, key, path)
                    except ApiError as error:
                        reason = f"ClientError: Failed to upload data. Unable to upload s3://{bucket}/{key} ({error})"
                        raise failure(reason, **facts) from error

    def _outputs(self) -> Iterator[Mapping[str, Any]]:
        return (output["S3Output"] for output in self.request.get("ProcessingOutputConfig", {}).get("Outputs", []))


def _inside(root: Path, place: Mapping[str, Any]) -> Path:
    """Return the folder of an input or output in a host's directory."""
    return root / PurePosixPath(place["LocalPath"]).relative_to(ROOT)


def main(arguments: Sequence[str]) -> None:
    """Claim the job and run it."""
    run_claimed(arguments, kind=PROCESSING, runner=ProcessingWorker)


if __name__ == "__main__":
    main(sys.argv[1:])
