"""train: create or adopt one Linear Learner job, wait for it, and download its artifact and log."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from asteroid_ll.aws.errors import is_denial
from asteroid_ll.aws.jobs import (
    CapacityError,
    Channel,
    TrainingJob,
    TrainingJobRequest,
    create_or_adopt_training_job,
    is_short_of_instances,
    next_attempt,
    wait_for_training_job,
)
from asteroid_ll.aws.logs import read_job_log
from asteroid_ll.aws.network import Network
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
from asteroid_ll.stages.waiting import while_waiting

CONTENT_TYPE = "application/x-recordio-protobuf"


def run(context: Context) -> Outcome:
    """Start the job or adopt this run's, wait for it, and download the artifact and the log.

    If AWS has no instance of a type, or the account no quota for it, the next type of the configuration is tried. Types
    for which earlier attempts found no capacity come last.
    """
    attempt = next_attempt(context.connect(), context.resource_name)
    types = sorted(context.config.training.instance_types, key=lambda name: name in attempt.short_types)
    for instance_type, following in zip(types, [*types[1:], None], strict=True):
        try:
            return _run_job(context, attempt.name, instance_type)
        except AwsError as error:
            if following is None or not is_short_of_instances(error):
                raise
            reason = "AWS has no capacity" if isinstance(error, CapacityError) else "the account has no quota"
            context.progress(f"No {instance_type}: {reason}. The next type is {following}.")
        attempt = next_attempt(context.connect(), context.resource_name)
    raise AssertionError("the last type returns or raises")


def _run_job(context: Context, name: str, instance_type: str) -> Outcome:
    """Run one attempt at the job."""
    aws = context.connect()
    context.journal.append(
        "intent", stage="train", fingerprint=context.fingerprint, resource=name, bills="training-job"
    )
    outcome = ""
    try:
        outcome = create_or_adopt_training_job(aws, _request(context, name, instance_type))
        if not context.waits:
            return Outcome(status="started", note=f"job {name} is on its way")
        job = wait_for_training_job(
            aws,
            name,
            on_transition=lambda status, message: context.progress(f"{status}: {message}"),
            on_look=while_waiting(context, "training-job", name),
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
    _store(context, name, job)
    machine = f" on {job.instance_type}" if len(context.config.training.instance_types) > 1 else ""
    saved = f" of {job.training_s}" if job.training_s not in (None, job.billable_s) else ""
    return Outcome(
        outputs=(paths.ARTIFACT, paths.JOB_LOG, paths.JOB),
        identity=artifact_identity(context.path(paths.ARTIFACT)),
        status="adopted" if outcome == "adopted" else "run",
        note=f"job {name}{machine}, {job.billable_s}{saved} billable second{'s' if job.billable_s != 1 else ''}",
    )


def _store(context: Context, name: str, job: TrainingJob) -> None:
    """Download the artifact and the log of a completed job, and write its facts."""
    bucket, key = parse_uri(job.artifact_s3_uri)
    download_file(context.connect(), bucket=bucket, key=key, path=context.path(paths.ARTIFACT))
    atomic_write(context.path(paths.JOB_LOG), "".join(f"{line}\n" for line in _log_of(context, name)).encode())
    write_json(
        context.path(paths.JOB),
        {
            "name": name,
            "arn": job.arn,
            "artifact": job.artifact_s3_uri,
            "instance_type": job.instance_type,
            "billable_s": job.billable_s,
            "training_s": job.training_s,
            "final_metrics": dict(job.final_metrics),
        },
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


def _request(context: Context, name: str, instance_type: str) -> TrainingJobRequest:
    config, training = context.config, context.config.training
    manifest = read_json(context.path(paths.MANIFEST))
    distribution = {"train": training.train_distribution}
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
        instance_type=instance_type,
        instance_count=training.instance_count,
        volume_size_gb=training.volume_size_gb,
        max_runtime_s=training.max_runtime_s,
        input_mode=training.input_mode,
        tags=tags(fingerprint=context.fingerprint, run=context.run, extra=config.tags),
        spot_wait_s=training.wait_limit_s,
        checkpoint_s3_uri=f"s3://{manifest['bucket']}/{config.prefix}/checkpoints/{name}/",
        volume_kms=config.kms.volume,
        output_kms=config.kms.output,
        network=Network(**dict(config.network)),
    )
