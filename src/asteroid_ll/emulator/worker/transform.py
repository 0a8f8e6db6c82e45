"""A transform job's worker process, in the place of SageMaker's batch transform and the serving container.

It loads the model, splits each object into requests, and answers them with the code of the endpoints
(`asteroid_ll.linear_learner.model`), so the scores are the same bits. An object's answers become one object with the
suffix ``.out``. Nothing is uploaded of an object that failed, or of a job that was stopped.

Sources: the developer guide, "Use Batch Transform", and the API reference, TransformInput, TransformOutput and
StopTransformJob. The lines of the data log are those of real jobs.
"""

from __future__ import annotations

import gzip
import shutil
import signal
import sys
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from asteroid_ll.emulator.buckets import Item, buckets_of
from asteroid_ll.emulator.logs.store import TRANSFORM_GROUP, LogStore
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import DownloadError, InputObject, input_objects, parse_s3_uri
from asteroid_ll.emulator.worker.jobs import TRANSFORM, Jobs
from asteroid_ll.emulator.worker.process import run_claimed, wait
from asteroid_ll.emulator.worker.splitting import SplitError, payloads
from asteroid_ll.errors import AsteroidError

if TYPE_CHECKING:
    from asteroid_ll.emulator.worker.execution_role import ExecutionRole
    from asteroid_ll.linear_learner.model import ModelServer

DEFAULT_MAX_PAYLOAD_MB = 6
SEE_LOG = "See job logs for more information"


class _FailedObjectError(Exception):
    """An object could not be transformed; the job's failure begins with this word."""


class TransformWorker:
    """Runs one claimed job to its end.

    Args:
        state: the emulator's state.
        job: the job, claimed by this process.
    """

    def __init__(self, state: State, job: Resource) -> None:
        self.state = state
        self.job = job
        self.jobs = Jobs(state, TRANSFORM)
        self.store = ObjectStore(state)
        self.logs = LogStore(state)
        self.request: dict[str, Any] = job.body["request"]
        self.directory = self.jobs.directory(job)
        self.buckets = buckets_of(state, job.region, scratch=self.directory, is_patient=True)
        self._stopping = Event()
        self._has_log: bool | None = None
        self.stream = f"{job.name}/i-{int(job.created_s * 1000):017x}-{int(job.created_s)}"

    def stop(self, _number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Handle SIGTERM: end after the present request."""
        self._stopping.set()

    def run(self) -> None:
        """Run the job to its end and record the result in its row."""
        wait(self.state.settings.training_starting_s, unless=self._stopping.is_set)
        if self._stopping.is_set() or not self.jobs.step(self.job, "Transforming"):
            return self.jobs.finish(self.job, "Stopped")
        try:
            model = self._load_model()
            inputs = self._inputs()
            for source in inputs:
                self._check_read(source.item.bucket, source.item.key)
            failures = self._transform(inputs, model)
        except _FailedObjectError as error:
            return self.jobs.finish(self.job, "Failed", reason=str(error))
        if self._stopping.is_set():
            return self.jobs.finish(self.job, "Stopped")
        if failures:
            reason = "ClientError" if "ClientError" in failures else "AlgorithmError"
            return self.jobs.finish(self.job, "Failed", reason=f"{reason}: {SEE_LOG}")
        return self.jobs.finish(self.job, "Completed")

    def _role(self) -> ExecutionRole | None:
        """Return what the model's role may do now; None if the account evaluates no policies."""
        if not self.state.evaluates_iam:
            return None
        from asteroid_ll.emulator.worker.execution_role import execution_role  # only if policies are evaluated

        return execution_role(self.store, self.job.body["role_arn"], region=self.job.region)

    def _check_read(self, bucket: str, key: str) -> None:
        """Refuse an object that the role may not read.

        Raises:
            _FailedObjectError: it may not.
        """
        role = self._role()
        denied = "" if role is None else role.read_denial(bucket, key)
        if denied:
            raise _FailedObjectError(
                f"ClientError: Unable to download object s3://{bucket}/{key} (AccessDenied: {denied})"
            )

    def _load_model(self) -> ModelServer:
        from asteroid_ll.linear_learner.model import ModelServer  # numpy, which would delay the claim of the job

        role = self._role()
        _, denied = ("", "") if role is None else role.pull_denial(self.job.body["image"])
        if denied:
            raise _FailedObjectError(
                "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are "
                f"incorrect. ({denied})"
            )
        self._check_read(*parse_s3_uri(self.job.body["model_data_url"]))
        self._log("Docker entrypoint called with argument(s): serve")
        url = self.job.body["model_data_url"]
        missing = f'ClientError: Failed to download model data from URL: "{url}".'
        try:
            item = self.buckets.get(*parse_s3_uri(url))
            if item is None:
                raise _FailedObjectError(missing)
            return ModelServer.load(self.buckets.file_of(item))
        except ApiError as error:
            raise _FailedObjectError(f"{missing} ({error})") from error
        except AsteroidError as error:
            self._log(f"Unable to load the model: {error}")
            raise _FailedObjectError("AlgorithmError: Model container failed to respond to ping") from error

    def _inputs(self) -> list[InputObject]:
        """Return the objects of the input, in the order of their keys or of the manifest."""
        source = self.request["TransformInput"]["DataSource"]["S3DataSource"]
        bucket, key = parse_s3_uri(source["S3Uri"])
        if source["S3DataType"] == "ManifestFile":
            self._check_read(bucket, key)
        else:
            role = self._role()
            denied = "" if role is None else role.list_denial(bucket, key)
            if denied:
                raise _FailedObjectError(f"ClientError: Unable to list {source['S3Uri']} (AccessDenied: {denied})")
        try:
            return input_objects(source, self.buckets)
        except DownloadError as error:
            raise _FailedObjectError(f"ClientError: {error}") from error

    def _transform(self, inputs: Sequence[InputObject], model: ModelServer) -> set[str]:
        """Answer every object, and upload the answers of those that succeeded; return the kinds of failures."""
        strategy = "SINGLE_RECORD" if self._is_single else "MULTI_RECORD"
        n_at_once = self.request.get("MaxConcurrentTransforms") or 1
        self._log_data(f"MaxConcurrentTransforms={n_at_once}, MaxPayloadInMB={self._mb}, BatchStrategy={strategy}")
        failures: set[str] = set()
        answered: list[tuple[str, Path]] = []
        for number, source in enumerate(inputs):
            target = self.directory / f"{number}.out"
            try:
                self._answer(source.item, target, model)
            except _FailedObjectError as error:
                failures.add(str(error))
            else:
                answered.append((source.path, target))
            if self._stopping.is_set():
                return failures
        bucket, prefix = parse_s3_uri(self.request["TransformOutput"]["S3OutputPath"])
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        role = self._role()
        for output, target in answered:
            key = f"{folder}{output}.out"
            try:
                denied = "" if role is None else role.write_denial(bucket, key)
                if denied:
                    raise ApiError("AccessDenied", denied)
                self.buckets.put_file(bucket, key, target)
            except ApiError as error:
                raise _FailedObjectError(f"ClientError: Unable to upload s3://{bucket}/{key} ({error})") from error
            target.unlink()
        return failures

    def _answer(self, item: Item, target: Path, model: ModelServer) -> None:
        """Write the assembled answers to an object's requests.

        Raises:
            _FailedObjectError: the object cannot be split, or the container refused a request.
        """
        name = f"{item.bucket}/{item.key}"
        described, output = self.request["TransformInput"], self.request["TransformOutput"]
        end = b"\n" if output.get("AssembleWith") == "Line" else b""
        try:
            with self._open(item) as file, target.open("wb") as answers:
                for body in payloads(
                    file, described.get("SplitType", "None"), is_single=self._is_single, max_bytes=self._mb << 20
                ):
                    if self._stopping.is_set():
                        return
                    answer = model.invoke(
                        body, content_type=described.get("ContentType", ""), accept=output.get("Accept", "")
                    )
                    for line in answer.log_lines:
                        self._log(line)
                    if answer.status != 200:
                        is_client = answer.status < 500
                        first = "ClientError" if is_client else "Bad HTTP status received from algorithm"
                        text = answer.body.decode("utf-8", errors="replace")
                        self._log_data(
                            *(f"{name}: {line}" for line in (f"{first}: {answer.status}", "", "Message:", text))
                        )
                        raise _FailedObjectError("ClientError" if is_client else "AlgorithmError")
                    answers.write(answer.body)
                    if not answer.body.endswith(end):
                        answers.write(end)
        except SplitError as error:
            self._log_data(f"{name}: {error}")
            raise _FailedObjectError("ClientError") from error

    def _open(self, item: Item) -> IO[bytes]:
        """Open an object, decompressed.

        Raises:
            SplitError: it cannot be read, or is not gzip.
        """
        try:
            stored = self.buckets.file_of(item)
        except ApiError as error:
            raise SplitError(f"ClientError: The object cannot be read: {error}") from error
        if self.request["TransformInput"].get("CompressionType") != "Gzip":
            return stored.open("rb")
        plain = self.directory / "plain"
        try:
            with gzip.open(stored, "rb") as packed, plain.open("wb") as file:
                shutil.copyfileobj(packed, file)
        except (OSError, EOFError, zlib.error) as error:
            raise SplitError(f"ClientError: The object cannot be decompressed: {error}") from error
        return plain.open("rb")

    @property
    def _mb(self) -> int:
        """The longest request, in MB."""
        return int(self.request.get("MaxPayloadInMB", DEFAULT_MAX_PAYLOAD_MB))

    @property
    def _is_single(self) -> bool:
        return bool(self.request.get("BatchStrategy") == "SingleRecord")

    def _log(self, line: str) -> None:
        """Add a line to the container's log."""
        self._append(self.stream, line)

    def _log_data(self, *lines: str) -> None:
        """Add lines to the data log."""
        time_text = datetime.fromtimestamp(self.state.now(), UTC).isoformat(timespec="milliseconds")
        prefix = f"{time_text.removesuffix('+00:00')}:[sagemaker logs]: "
        self._append(f"{self.stream}/data-log", *(prefix + line for line in lines))

    def _append(self, stream: str, *lines: str) -> None:
        """Add lines to a log stream, if the role may; on AWS, the job runs without a log if not."""
        if self._has_log is None:
            role = self._role()
            denied = "" if role is None else role.log_denial(TRANSFORM_GROUP, stream)
            if denied:
                self.state.log(f"{self.job.arn} has no log: {denied}")
            self._has_log = not denied
        if self._has_log:
            now_s = self.state.now()
            entries = [(now_s, line) for line in lines]
            self.logs.append(self.job.region, TRANSFORM_GROUP, stream, lines=entries)


def main(arguments: Sequence[str]) -> None:
    """Claim the job and run it."""
    run_claimed(arguments, kind=TRANSFORM, runner=TransformWorker)


if __name__ == "__main__":
    main(sys.argv[1:])
