"""A stage as a SageMaker processing job: upload, create or adopt, wait, download.

The job runs the stage's own function, with the wheel of this package, on machines of SageMaker. Its name is made from
everything that it reads, and from the run, so a run that was killed adopts its job. The objects have keys that are made
from their content, so nothing is uploaded twice.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from asteroid_ll import own_wheel
from asteroid_ll import processing_container as contract
from asteroid_ll.aws.network import Network
from asteroid_ll.aws.processing import (
    ProcessingFolder,
    ProcessingJobRequest,
    billed_s_of_ended,
    create_or_adopt_processing_job,
    usable_processing_job_name,
    wait_for_processing_job,
)
from asteroid_ll.aws.resources import JobKind
from asteroid_ll.aws.storage import download_file, ensure_bucket, list_objects, parse_uri, upload_file
from asteroid_ll.aws.tags import resource_name, tags
from asteroid_ll.aws.teardown import find_leftovers
from asteroid_ll.errors import AsteroidError, AwsError, DataError
from asteroid_ll.redaction import redacted
from asteroid_ll.run.atomic import TEMPORARY_PREFIX, atomic_path, atomic_write, sha256_file
from asteroid_ll.run.billed_job import BilledJob
from asteroid_ll.run.files import read_json
from asteroid_ll.stages.documents import HostOutcome, failure_of, settings_document
from asteroid_ll.stages.stage import Context, Outcome, Stage
from asteroid_ll.stages.waiting import while_waiting

KIND: JobKind = "processing-job"


def run(context: Context, stage: Stage) -> Outcome:
    """Run a stage as a processing job, or take up this run's job, and write its outputs to the run directory.

    Args:
        context: the arguments of the stage.
        stage: its record.

    Raises:
        DataError: the stage has refused its input, in the same words as on this machine.
        AwsError: AWS refused, or the job failed for another reason.
        InterruptedRunError: a signal came; the message names the job.
    """
    aws = context.connect()
    bucket = context.config.bucket_name(aws.account_id)
    ensure_bucket(aws, bucket)
    request, fingerprint = _request(context, stage, bucket=bucket)
    outcomes: list[str] = []

    def start() -> None:
        outcomes.append(create_or_adopt_processing_job(aws, request))
        context.progress(f"processing job {request.name}: {outcomes[0]}")

    def seconds_of_ended() -> float | None:
        is_left = find_leftovers(aws, request.name, kinds=(KIND,))
        return None if is_left else billed_s_of_ended(aws, request.name)

    try:
        billed_s = BilledJob(context.journal, stage.name, KIND, request.name, fingerprint).run(
            start=start,
            wait=lambda: wait_for_processing_job(
                aws,
                request.name,
                on_start=lambda: context.progress(f"processing job {request.name}: running"),
                on_look=while_waiting(context, KIND, request.name),
            ),
            billed_s_of_ended=seconds_of_ended,
            again=f"asteroid-ll {stage.name}   waits for it",
        )
    except AwsError as error:
        raise _failure_of(error, context) from error
    context.progress("downloading the outputs")
    outcome = _download(context, stage, request)
    seconds = math.ceil(billed_s)
    billed = f"job {request.name}, {seconds} billable second{'s' if seconds != 1 else ''}"
    status = "adopted" if outcomes == ["adopted"] else "run"
    return replace(outcome, status=status, note=f"{outcome.note}; {billed}")


def _request(context: Context, stage: Stage, *, bucket: str) -> tuple[ProcessingJobRequest, str]:
    """Upload what the job reads; return its request and its fingerprint."""
    config, processing = context.config, context.config.processing
    assert stage.job is not None
    draft = ProcessingJobRequest(
        name="",
        image_uri=processing.image(config.region),
        entrypoint=contract.ENTRYPOINT,
        role_arn=config.execution_role_arn,
        inputs=_upload(context, stage, bucket=bucket),
        output=ProcessingFolder(stage.name, "", contract.local_path(f"{contract.RUN}/{stage.name}")),
        instance_type=processing.instance_type,
        instance_count=processing.instance_count if stage.job.is_shared else 1,
        volume_size_gb=processing.volume_size_gb,
        max_runtime_s=processing.max_runtime_s,
        tags={},
        volume_kms=config.kms.volume,
        output_kms=config.kms.output,
        network=Network(**dict(config.network)),
    )
    content = {"stage": context.fingerprint, "region": config.region, "request": asdict(draft)}
    fingerprint = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    name = usable_processing_job_name(context.connect(), resource_name(fingerprint, context.run))
    output_s3_uri = f"s3://{bucket}/{config.prefix}/processing/{name}/output/"
    request = replace(
        draft,
        name=name,
        output=replace(draft.output, s3_uri=output_s3_uri),
        tags=tags(fingerprint=fingerprint, run=context.run, extra=config.tags),
    )
    return request, fingerprint


def _upload(context: Context, stage: Stage, *, bucket: str) -> list[ProcessingFolder]:
    """Upload the wheel, the settings and the outputs that the stage reads, unless S3 has them; return the inputs."""
    settings = settings_document(stage.name, redacted(stage.settings(context.config)))
    return [
        _upload_document(
            context, own_wheel.build(), name="code", place=f"{contract.CODE}/{own_wheel.file_name()}", bucket=bucket
        ),
        _upload_document(context, settings, name="settings", place=contract.SETTINGS, bucket=bucket),
        *(_upload_outputs(context, stage, need, bucket=bucket) for need in stage.needs),
    ]


def _upload_document(context: Context, content: bytes, *, name: str, place: str, bucket: str) -> ProcessingFolder:
    """Upload a file that is at a place of the container, alone in its folder."""
    folder, _, file_name = place.rpartition("/")
    sha256 = hashlib.sha256(content).hexdigest()
    prefix = _prefix(context, name, sha256)
    with _temporary_path(context) as path:
        atomic_write(path, content)
        kms_key = context.config.kms.s3
        upload_file(context.connect(), path, bucket=bucket, key=prefix + file_name, sha256=sha256, kms_key=kms_key)
    return ProcessingFolder(name, f"s3://{bucket}/{prefix}", contract.local_path(folder))


def _upload_outputs(context: Context, stage: Stage, need: str, *, bucket: str) -> ProcessingFolder:
    """Upload the outputs of another stage that this one reads."""
    done = context.journal.read().last_done(need)
    assert done is not None, "the plan runs a stage after those that it needs"
    assert stage.job is not None
    prefix = _prefix(context, need, context.inputs[need])
    for path, sha256 in done["outputs"].items():
        if not stage.job.reads or path in stage.job.reads:
            key, kms_key = prefix + path.removeprefix(f"{need}/"), context.config.kms.s3
            upload_file(context.connect(), context.path(path), bucket=bucket, key=key, sha256=sha256, kms_key=kms_key)
    return ProcessingFolder(need, f"s3://{bucket}/{prefix}", contract.local_path(f"{contract.RUN}/{need}"))


def _prefix(context: Context, name: str, digest: str) -> str:
    """Return the prefix of an input's objects, from its content."""
    return f"{context.config.prefix}/processing/{name}/{digest[:16]}/"


def _failure_of(error: AwsError, context: Context) -> AsteroidError:
    """Return the failure of the stage in the container, with the paths of the run directory; else the job's own."""
    failure = failure_of(str(error.context.get("exit_message", "")))
    if failure is None:
        return error
    of_container, here = contract.local_path(contract.RUN), str(context.directory)
    what, hint = (text.replace(of_container, here) for text in (failure.what, failure.hint))
    return type(failure)(what, hint=hint, **failure.context)


def _download(context: Context, stage: Stage, request: ProcessingJobRequest) -> Outcome:
    """Download the outputs of a completed job, remove shards that are not among them, and return the outcome.

    Raises:
        AwsError: an output is missing, or has another content than on the machine that wrote it.
    """
    bucket, prefix = parse_uri(request.output.s3_uri)
    keys = {key.removeprefix(prefix): key for key, _ in list_objects(context.connect(), bucket, prefix)}
    hosts = [
        _host_outcome(context, request, bucket=bucket, key=key)
        for name, key in sorted(keys.items())
        if name.startswith(contract.OUTCOMES)
    ]
    if len(hosts) != request.instance_count:
        raise _incomplete(request, f"the outcome of {len(hosts)} of {request.instance_count} machines")
    outcome, digests = hosts[0].outcome, {path: digest for host in hosts for path, digest in host.digests.items()}
    for path in outcome.outputs:
        name = path.removeprefix(f"{stage.name}/")
        if path not in digests or name not in keys or name == path or ".." in Path(path).parts:
            raise _incomplete(request, f"no {path}")
        _download_output(context, request, path, bucket=bucket, key=keys[name], sha256=digests[path])
    outputs = set(map(context.path, outcome.outputs))
    for old in context.path(stage.name).rglob("*.pbr"):
        if old not in outputs:
            old.unlink()
    return outcome


def _download_output(
    context: Context, request: ProcessingJobRequest, path: str, *, bucket: str, key: str, sha256: str
) -> None:
    """Download a file, unless it is here already."""
    final = context.path(path)
    if final.is_file() and sha256_file(final) == sha256:
        return
    with atomic_path(final, private=True) as temporary:
        download_file(context.connect(), bucket=bucket, key=key, path=temporary)
        if sha256_file(temporary) != sha256:
            raise _incomplete(request, f"another {path} than its machine has written")


def _host_outcome(context: Context, request: ProcessingJobRequest, *, bucket: str, key: str) -> HostOutcome:
    """Download what the stage has returned on one machine."""
    with _temporary_path(context) as path:
        download_file(context.connect(), bucket=bucket, key=key, path=path)
        try:
            return HostOutcome.from_json(read_json(path))
        except DataError as error:
            raise _incomplete(request, f"an outcome that cannot be read, {key.rpartition('/')[2]},") from error


def _incomplete(request: ProcessingJobRequest, what: str) -> AwsError:
    return AwsError(
        f"Processing job {request.name} left {what} in {request.output.s3_uri}.",
        hint=f"aws s3 rm --recursive {shlex.quote(request.output.s3_uri)}   removes it; then the same command starts "
        "another job.",
    )


@contextmanager
def _temporary_path(context: Context) -> Iterator[Path]:
    """Provide a path in the run directory; its file is removed afterwards."""
    path = context.path(f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}-processing")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
