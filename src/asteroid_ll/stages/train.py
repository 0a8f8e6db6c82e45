"""train: create or adopt one Linear Learner job, wait for it, and download its artifact and log."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from asteroid_ll.aws.errors import is_denial
from asteroid_ll.aws.jobs import (
    Channel,
    TrainingJobRequest,
    create_or_adopt_training_job,
    usable_training_job_name,
    wait_for_training_job,
)
from asteroid_ll.aws.logs import read_job_log
from asteroid_ll.aws.storage import download_file, parse_uri
from asteroid_ll.aws.tags import tags
from asteroid_ll.aws.teardown import find_leftovers
from asteroid_ll.errors import AwsError, DataError, InterruptedRunError
from asteroid_ll.linear_learner import artifact
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import atomic_write
from asteroid_ll.run.files import read_json, write_json
from asteroid_ll.stages.stage import Context, Outcome

CONTENT_TYPE = "application/x-recordio-protobuf"


def run(context: Context) -> Outcome:
    """Start the job or adopt this run's, wait for it, and download the artifact and the log."""
    aws = context.connect()
    name = usable_training_job_name(aws, context.resource_name)
    context.journal.append(
        "intent", stage="train", fingerprint=context.fingerprint, resource=name, bills="training-job"
    )
    outcome = ""
    try:
        outcome = create_or_adopt_training_job(aws, _request(context, name))
        job = wait_for_training_job(
            aws, name, on_transition=lambda status, message: context.progress(f"{status}: {message}")
        )
    except KeyboardInterrupt:
        state = "is still running" if outcome else "may have been started"
        raise InterruptedRunError(
            f"Interrupted. Training job {name} {state}, and bills until it ends.",
            hint="asteroid-ll train   waits for it again;   asteroid-ll teardown   stops it.",
        ) from None
    except Exception:
        _note_end(context, name)
        raise
    context.journal.append("gone", stage="train", fingerprint=context.fingerprint, resource=name)
    bucket, key = parse_uri(job.artifact_s3_uri)
    download_file(aws, bucket=bucket, key=key, path=context.path(paths.ARTIFACT))
    atomic_write(context.path(paths.JOB_LOG), "".join(f"{line}\n" for line in _log_of(context, name)).encode())
    write_json(
        context.path(paths.JOB),
        {
            "name": name,
            "arn": job.arn,
            "artifact": job.artifact_s3_uri,
            "billable_s": job.billable_s,
            "final_metrics": dict(job.final_metrics),
        },
    )
    return Outcome(
        outputs=(paths.ARTIFACT, paths.JOB_LOG, paths.JOB),
        identity=artifact_identity(context.path(paths.ARTIFACT)),
        status="adopted" if outcome == "adopted" else "run",
        note=f"job {name}, {job.billable_s} billable seconds",
    )


def artifact_identity(path: Path) -> str:
    """Digest of a model: its arrays and parameters, without the archive's times.

    Raises:
        DataError: the artifact is missing or damaged.
    """
    model = artifact.read(path)
    digest = hashlib.sha256(repr(sorted(model.additional_params.items())).encode())
    for name, array in sorted(model.arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _log_of(context: Context, name: str) -> list[str]:
    """Return the lines of a job's log; none if the caller may not read it, because the job is paid for and complete."""
    try:
        return read_job_log(context.connect(), name)
    except AwsError as error:
        if not is_denial(error):
            raise
        context.progress(f"{error.what} The run continues without the job's log.")
        return []


def _note_end(context: Context, name: str) -> None:
    """Record in the journal that the job no longer bills, if AWS confirms it."""
    try:
        leftovers = find_leftovers(context.connect(), name, kinds=("training-job",))
    except Exception:  # of any type: the error of the job itself is the one to report
        return  # it may still bill, so it stays open in the journal
    if not leftovers:
        with suppress(DataError):  # the journal object remembers it
            context.journal.append("gone", stage="train", fingerprint=context.fingerprint, resource=name)


def _request(context: Context, name: str) -> TrainingJobRequest:
    config = context.config
    manifest = read_json(context.path(paths.MANIFEST))
    distribution = {"train": config.training.train_distribution}
    return TrainingJobRequest(
        name=name,
        image_uri=image_uri(config.region),
        role_arn=config.execution_role_arn,
        hyperparameters=config.hyperparameters,
        channels=[
            Channel(channel, uri, CONTENT_TYPE, distribution.get(channel, "FullyReplicated"))
            for channel, uri in manifest["channels"].items()
        ],
        output_s3_uri=manifest["output"],
        instance_type=config.training.instance_type,
        instance_count=config.training.instance_count,
        volume_size_gb=config.training.volume_size_gb,
        max_runtime_s=config.training.max_runtime_s,
        input_mode=config.training.input_mode,
        tags=tags(fingerprint=context.fingerprint, run=context.run),
    )
