"""A transform job's worker process, in the place of SageMaker's batch transform and the serving container.

It loads the model, splits each object into requests, and answers them with the code of the endpoints
(`asteroid_ll.linear_learner.model`), so the scores are the same bits. An object's answers become one object with the
suffix ``.out``. Nothing is uploaded of an object that failed, or of a job that was stopped.

Sources: the developer guide, "Use Batch Transform", and the API reference, CreateTransformJob, TransformInput,
TransformOutput and StopTransformJob. The lines of the data log are those of real jobs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import DownloadError, InputObject, download, input_objects, parse_s3_uri
from asteroid_ll.emulator.worker.jobs import TRANSFORM
from asteroid_ll.emulator.worker.log import TRANSFORM_GROUP
from asteroid_ll.emulator.worker.process import JobEndedError, Worker, failure, run_claimed
from asteroid_ll.errors import AsteroidError

if TYPE_CHECKING:
    from asteroid_ll.linear_learner.model import ModelServer

DEFAULT_MAX_PAYLOAD_MB = 6
SEE_LOG = "See job logs for more information"

Split = Literal["None", "Line", "RecordIO"]


class SplitError(Exception):
    """An object cannot be split into requests; the message is a line of the job's data log."""


class _RefusedError(Exception):
    """The container refused a request; the message is the first word of the job's failure."""


class TransformWorker(Worker):
    """Runs one claimed transform job to its end."""

    kind = TRANSFORM
    group = TRANSFORM_GROUP

    def __init__(self, state: State, job: Resource) -> None:
        super().__init__(state, job)
        self.input, self.output = self.request["TransformInput"], self.request["TransformOutput"]
        self.max_mb = int(self.request.get("MaxPayloadInMB", DEFAULT_MAX_PAYLOAD_MB))
        self.is_single = self.request.get("BatchStrategy") == "SingleRecord"
        self.stream = f"{job.name}/i-{int(job.created_s * 1000):017x}-{int(job.created_s)}"

    def work(self) -> dict[str, Any]:
        """Answer every object, and upload the answers of those that succeeded."""
        self.pause(self.settings.training_starting_s)
        self.step("Transforming")
        model = self._load_model()
        try:
            inputs = input_objects(self.input["DataSource"]["S3DataSource"], self.buckets())
        except DownloadError as error:
            raise failure(f"ClientError: {error}") from error
        strategy = "SINGLE_RECORD" if self.is_single else "MULTI_RECORD"
        n_at_once = self.request.get("MaxConcurrentTransforms") or 1
        self._log_data(f"MaxConcurrentTransforms={n_at_once}, MaxPayloadInMB={self.max_mb}, BatchStrategy={strategy}")
        answered: list[tuple[str, Path]] = []
        failures: set[str] = set()
        for number, source in enumerate(inputs):
            target = self.directory / f"{number}.out"
            try:
                self._answer(source, target, model)
            except _RefusedError as error:
                failures.add(str(error))
            else:
                answered.append((source.path, target))
        if self.is_stopping:
            raise JobEndedError("Stopped")
        self._upload(answered)
        if failures:
            reason = "ClientError" if "ClientError" in failures else "AlgorithmError"
            raise failure(f"{reason}: {SEE_LOG}")
        return {}

    def _load_model(self) -> ModelServer:
        from asteroid_ll.linear_learner.model import ModelServer  # numpy, which would delay the claim of the job

        self.check_image(self.job.body["image"], what="algorithm")
        self.log(self.stream, ["Docker entrypoint called with argument(s): serve"])
        url, buckets = self.job.body["model_data_url"], self.buckets()
        missing = f'ClientError: Failed to download model data from URL: "{url}".'
        try:
            item = buckets.get(*parse_s3_uri(url))
            if item is None:
                raise failure(missing)
            return ModelServer.load(buckets.file_of(item))
        except ApiError as error:
            raise failure(f"{missing} ({error})") from error
        except AsteroidError as error:
            self.log(self.stream, [f"Unable to load the model: {error}"])
            raise failure("AlgorithmError: Model container failed to respond to ping") from error

    def _upload(self, answered: Sequence[tuple[str, Path]]) -> None:
        bucket, prefix = parse_s3_uri(self.output["S3OutputPath"])
        folder, buckets = f"{prefix.rstrip('/')}/" if prefix else "", self.buckets()
        for name, path in answered:
            key = f"{folder}{name}.out"
            try:
                buckets.put_file(bucket, key, path)
            except ApiError as error:
                raise failure(f"ClientError: Unable to upload s3://{bucket}/{key} ({error})") from error
            path.unlink()

    def _answer(self, source: InputObject, target: Path, model: ModelServer) -> None:
        """Write the assembled answers to an object's requests.

        Raises:
            JobEndedError: the job is to stop.
            _RefusedError: the object cannot be split, or the container refused a request.
        """
        name = f"{source.item.bucket}/{source.item.key}"
        end = b"\n" if self.output.get("AssembleWith") == "Line" else b""
        plain = InputObject(source.item, "plain")
        is_packed = self.input.get("CompressionType") == "Gzip"
        (self.directory / plain.path).unlink(missing_ok=True)
        try:
            copy = download(plain, folder=self.directory, store=self.buckets(), gunzip=is_packed)
            with copy.open("rb") as file, target.open("wb") as answers:
                split = self.input.get("SplitType", "None")
                for body in payloads(file, split, is_single=self.is_single, max_bytes=self.max_mb << 20):
                    answer = self._invoke(body, name, model)
                    answers.write(answer if answer.endswith(end) else answer + end)
        except (DownloadError, SplitError) as error:
            self._log_data(f"{name}: ClientError: {error}")
            raise _RefusedError("ClientError") from error

    def _invoke(self, body: bytes, name: str, model: ModelServer) -> bytes:
        """Return the answer to one request of an object."""
        if self.is_stopping:
            raise JobEndedError("Stopped")
        accept, content_type = self.output.get("Accept", ""), self.input.get("ContentType", "")
        answer = model.invoke(body, content_type=content_type, accept=accept)
        for line in answer.log_lines:
            self.log(self.stream, [line])
        if answer.status == 200:
            return answer.body
        kind = "ClientError" if answer.status < 500 else "AlgorithmError"
        first = "ClientError" if answer.status < 500 else "Bad HTTP status received from algorithm"
        text = answer.body.decode("utf-8", errors="replace")
        self._log_data(*(f"{name}: {line}" for line in (f"{first}: {answer.status}", "", "Message:", text)))
        raise _RefusedError(kind)

    def _log_data(self, *lines: str) -> None:
        """Add lines to the data log."""
        time_text = datetime.fromtimestamp(self.state.now(), UTC).isoformat(timespec="milliseconds")
        prefix = f"{time_text.removesuffix('+00:00')}:[sagemaker logs]: "
        self.log(f"{self.stream}/data-log", [prefix + line for line in lines])


def payloads(file: IO[bytes], split: Split, *, is_single: bool, max_bytes: int) -> Iterator[bytes]:
    """Yield the bodies of an object's requests, in order; none for an object without records.

    Args:
        file: the object.
        split: ``None`` sends the whole object, ``Line`` and ``RecordIO`` send whole records.
        is_single: one record per request instead of as many as fit.
        max_bytes: longest body.

    Raises:
        SplitError: a record is longer than ``max_bytes``, or is no recordIO record.
    """
    batch: list[bytes] = []
    size = 0
    for record in _records(file, split, max_bytes=max_bytes):
        if len(record) > max_bytes:
            raise SplitError(f"Too much data for max payload size: {max_bytes} bytes")
        if batch and (is_single or size + len(record) > max_bytes):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield b"".join(batch)


def _records(file: IO[bytes], split: Split, *, max_bytes: int) -> Iterator[bytes]:
    """Yield the records of an object. One that is too long may be truncated, but not below ``max_bytes + 1``."""
    if split == "Line":
        while line := file.readline(max_bytes + 1):
            if line.strip():
                yield line
    elif split == "RecordIO":
        from asteroid_ll.formats.protobuf import MAGIC_BYTES  # numpy, which would delay the claim of the job

        while head := file.read(8):
            if len(head) < 8 or head[:4] != MAGIC_BYTES:
                raise SplitError("The data are not in the recordIO format")
            size = int.from_bytes(head[4:], "little")
            rest = size + -size % 4
            body = file.read(min(rest, max_bytes + 1))
            if len(body) < min(rest, max_bytes + 1):
                raise SplitError("The last recordIO record is truncated")
            yield head + body
    else:
        yield file.read(max_bytes + 1)


def main(arguments: Sequence[str]) -> None:
    """Claim the job and run it."""
    run_claimed(arguments, kind=TRANSFORM, runner=TransformWorker)


if __name__ == "__main__":
    main(sys.argv[1:])
