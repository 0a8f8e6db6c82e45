"""Scores a matrix of features with a batch transform job: upload, create or adopt, wait, download, assemble.

The job's name is made from the rows, the model and the run, so a run that was killed adopts its job. The journal has
the name before the create is sent.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.aws.errors import RESUME
from asteroid_ll.aws.models import register_artifact
from asteroid_ll.aws.network import Network
from asteroid_ll.aws.storage import download_file, ensure_bucket, upload_file
from asteroid_ll.aws.tags import resource_name, tags
from asteroid_ll.aws.teardown import delete_endpoint_stack, find_leftovers
from asteroid_ll.aws.transform import (
    TransformJobRequest,
    billed_s_of_ended,
    create_or_adopt_transform_job,
    output_of,
    usable_transform_job_name,
    wait_for_transform_job,
)
from asteroid_ll.errors import AwsError, DataError
from asteroid_ll.formats import CSV, JSON_LINES
from asteroid_ll.formats.payload import Scores, parse_scores
from asteroid_ll.formats.recordio import encode
from asteroid_ll.formats.text import format_rows
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import TEMPORARY_PREFIX, atomic_write
from asteroid_ll.run.billed_job import BilledJob
from asteroid_ll.run.files import read_json
from asteroid_ll.scoring.offline import Scorer

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws
    from asteroid_ll.config import Config
    from asteroid_ll.run.journal import Journal

STAGE = "predict"
"""The stage of the journal's records."""


@dataclass(frozen=True)
class BatchRun:
    """What batch transform needs of a run.

    Attributes:
        connect: opens the session with AWS or the emulator.
        directory: the run directory.
        journal: its journal; the caller holds the run directory's lock.
        config: the configuration.
        model: identity of the model.
        run: the run's name.
        progress: reports a line of progress.
    """

    connect: Callable[[], Aws]
    directory: Path
    journal: Journal
    config: Config
    model: str
    run: str
    progress: Callable[[str], None]

    def fingerprint(self, **content: object) -> str:
        """Return the digest of the run's model and place, and of further content."""
        config = self.config
        place = {"target": config.target, "region": config.region, "role_arn": config.execution_role_arn}
        text = json.dumps({"model": self.model, **place, **content}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def open_kinds(self) -> dict[str, str]:
        """Return the kind of each open resource of the journal, by name."""
        return {record["resource"]: record["bills"] for record in self.journal.read().open_resources()}


@contextmanager
def batch_scorer(run: BatchRun) -> Iterator[Scorer]:
    """Open a function that scores with one batch transform job for each matrix.

    The model of the stage deploy is used if it is there. Another one is made with the first matrix, and deleted at the
    end, unless a job that was interrupted may still need it.

    Raises:
        AwsError: AWS refused, or a job failed. The scorer raises it.
        InterruptedRunError: a signal came while a job was running; the message names it.
    """
    models: list[str] = []

    def score(features: NDArray[np.float32]) -> Scores:
        if not models:
            models.append(_deployed_model(run) or _register(run))
        return _transform(run, features, model_name=models[0])

    try:
        yield score
    finally:
        if models and models[0] == _own_model_name(run):
            _drop_model(run, models[0])


def _deployed_model(run: BatchRun) -> str | None:
    """Return the model that the stage deploy has registered; None if there is none."""
    path = run.directory / paths.ENDPOINT
    deployed = read_json(path) if path.is_file() else {}
    is_there = run.open_kinds().get(deployed.get("name", "")) in ("model", "endpoint")
    return str(deployed["name"]) if is_there and deployed.get("model") == run.model else None


def _own_model_name(run: BatchRun) -> str:
    return resource_name(run.fingerprint(purpose="batch transform"), run.run)


def _register(run: BatchRun) -> str:
    """Create or adopt a model for these jobs alone."""
    name, fingerprint = _own_model_name(run), run.fingerprint(purpose="batch transform")
    run.journal.append("intent", stage=STAGE, fingerprint=fingerprint, resource=name, bills="model")
    register_artifact(
        run.connect(),
        name,
        artifact=run.directory / paths.ARTIFACT,
        artifact_s3_uri=read_json(run.directory / paths.JOB)["artifact"],
        role_arn=run.config.execution_role_arn,
        tags=tags(
            fingerprint=fingerprint,
            run=run.run,
            expires_s=time.time() + 3600 * run.config.hosting.keep_for_h,
            extra=run.config.tags,
        ),
        network=Network(**dict(run.config.network)),
        kms_key=run.config.kms.output,
    )
    return name


def _drop_model(run: BatchRun, name: str) -> None:
    """Delete a model of ours that no job needs. A failure leaves it open in the journal, where a teardown finds it."""
    with suppress(Exception):
        if "transform-job" in run.open_kinds().values():
            return
        delete_endpoint_stack(run.connect(), name, kinds=("model",))
        if not find_leftovers(run.connect(), name, kinds=("model",)):
            run.journal.append("gone", stage=STAGE, resource=name)


def _transform(run: BatchRun, features: NDArray[np.float32], *, model_name: str) -> Scores:
    """Score rows with a job of this content."""
    aws, hosting, settings = run.connect(), run.config.hosting, run.config.predict
    is_csv = settings.content_type == CSV
    body = format_rows(features, exact=settings.number_format == "exact") if is_csv else encode(features)
    digest = hashlib.sha256(body).hexdigest()
    resources = {"type": hosting.transform_instance_type, "count": hosting.transform_instance_count}
    fingerprint = run.fingerprint(rows=digest, content_type=settings.content_type, resources=resources)
    bucket = run.config.bucket_name(aws.account_id)
    folder = f"{run.config.prefix}/{fingerprint[:16]}/transform"
    key = f"{folder}/rows.{'csv' if is_csv else 'pbr'}"
    ensure_bucket(aws, bucket)
    _upload(run, body, bucket=bucket, key=key, sha256=digest)
    name = usable_transform_job_name(aws, resource_name(fingerprint, run.run))
    request = TransformJobRequest(
        name=name,
        model_name=model_name,
        input_s3_uri=f"s3://{bucket}/{key}",
        content_type=settings.content_type,
        output_s3_uri=f"s3://{bucket}/{folder}/output/{name}/",
        accept=JSON_LINES,
        instance_type=hosting.transform_instance_type,
        instance_count=hosting.transform_instance_count,
        tags=tags(fingerprint=fingerprint, run=run.run, extra=run.config.tags),
        volume_kms=run.config.kms.volume,
        output_kms=run.config.kms.output,
    )
    _run_job(run, request, fingerprint)
    return _answers(run, request, n_rows=len(features))


def _upload(run: BatchRun, body: bytes | memoryview, *, bucket: str, key: str, sha256: str) -> None:
    """Upload rows, unless S3 has them already."""
    path = run.directory / f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}-rows"
    try:
        atomic_write(path, body)
        upload_file(run.connect(), path, bucket=bucket, key=key, sha256=sha256, kms_key=run.config.kms.s3)
    finally:
        path.unlink(missing_ok=True)


def _run_job(run: BatchRun, request: TransformJobRequest, fingerprint: str) -> None:
    """Start the job or adopt this run's, and wait for its end."""
    aws, name = run.connect(), request.name

    def start() -> None:
        outcome = create_or_adopt_transform_job(aws, request)
        run.progress(f"batch transform job {name}: {outcome}")

    BilledJob(run.journal, STAGE, "transform-job", name, fingerprint).run(
        start=start,
        wait=lambda: wait_for_transform_job(aws, name, max_runtime_s=run.config.hosting.transform_max_runtime_s),
        billed_s_of_ended=lambda: None if _is_left(run, name) else billed_s_of_ended(aws, name),
        again="The same command waits for it",
    )


def _is_left(run: BatchRun, name: str) -> bool:
    return bool(find_leftovers(run.connect(), name, kinds=("transform-job",)))


def _answers(run: BatchRun, request: TransformJobRequest, *, n_rows: int) -> Scores:
    """Download the answers and return one score per row.

    Raises:
        AwsError: the answers are missing, cannot be read, or are not one for each row.
    """
    aws = run.connect()
    bucket, key = output_of(aws, request.output_s3_uri)
    path = run.directory / f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}-answers"
    try:
        download_file(aws, bucket=bucket, key=key, path=path)
        scores = parse_scores(path.read_bytes(), JSON_LINES)
    except DataError as error:
        what = f"Transform job {request.name} left an output that can't be read: {error.what}"
        raise AwsError(what, hint=RESUME) from error
    finally:
        path.unlink(missing_ok=True)
    if len(scores.score) != n_rows:
        raise AwsError(f"Transform job {request.name} gave {len(scores.score)} scores for {n_rows} rows.", hint=RESUME)
    return scores
