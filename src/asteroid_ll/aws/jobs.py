"""Training jobs: create or adopt, watch, stop. Names and stops of other jobs follow the same rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from asteroid_ll.aws import resources
from asteroid_ll.aws.errors import RESUME, after_failure, answer
from asteroid_ll.aws.job_request import Channel as Channel
from asteroid_ll.aws.job_request import TrainingJobRequest as TrainingJobRequest
from asteroid_ll.aws.job_request import create_body
from asteroid_ll.aws.resources import CreatedOrAdopted, JobKind
from asteroid_ll.aws.storage import exists, parse_uri
from asteroid_ll.aws.waiting import poll
from asteroid_ll.errors import AwsError, CredentialsError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

BEYOND_RUNTIME_S = 3600
"""Seconds that a job may spend outside its runtime limit: instances, download, image, upload."""

_STOP_TIMEOUT_S = 600
_NAME_MAX_LENGTH = 63
ENDED = {"Completed", "Failed", "Stopped"}
_MAX_ATTEMPTS = 100
_NO_CAPACITY = ("CapacityError", "InsufficientInstanceCapacity", "compute capacity")
"""Parts of the reason of a job that AWS had no instances for."""


@dataclass(frozen=True)
class TrainingJob:
    """A completed job.

    Attributes:
        arn: its ARN.
        artifact_s3_uri: the model artifact.
        instance_type: the type of its instances.
        training_s: seconds from the start to the end; None if AWS does not say.
        billable_s: seconds billed for each instance.
        final_metrics: the metrics that SageMaker extracted from the log, by name.
    """

    arn: str
    artifact_s3_uri: str
    instance_type: str
    training_s: int | None
    billable_s: int
    final_metrics: Mapping[str, float]


class CapacityError(AwsError):
    """AWS had no instance of the job's type. The job never ran and is not billed."""


@dataclass(frozen=True)
class Attempt:
    """The next attempt at a job.

    Attributes:
        name: the job's name.
        short_types: the instance types of earlier attempts for which AWS had no capacity.
    """

    name: str
    short_types: frozenset[str]


def is_short_of_instances(error: AwsError) -> bool:
    """Return whether another instance type may help: AWS has no capacity, or the account no quota."""
    return isinstance(error, CapacityError) or error.context.get("code") == "ResourceLimitExceeded"


def next_attempt(aws: Aws, base: str) -> Attempt:
    """Return the next attempt at a training job, see `usable_name`."""
    short_types: set[str] = set()

    def note(job: Mapping[str, Any]) -> None:
        if _lacked_capacity(job):
            short_types.add(job.get("ResourceConfig", {}).get("InstanceType", ""))

    name = usable_name(aws, "training-job", base, has_lost_output=_has_lost_artifact, on_used=note)
    return Attempt(name, frozenset(short_types))


def usable_name(
    aws: Aws,
    kind: JobKind,
    base: str,
    *,
    has_lost_output: Callable[[Aws, Mapping[str, Any]], bool],
    on_used: Callable[[Mapping[str, Any]], None] = lambda _job: None,
) -> str:
    """Return the name for the next attempt at a job: ``base``, or ``base-2``, ``base-3`` ... after failures.

    A failed or stopped job uses up its name, and so does a completed one whose output S3 has lost. Any other job keeps
    it, and is adopted or refused.

    Args:
        aws: the connection.
        kind: kind of job.
        base: the deterministic name, short enough for a suffix.
        has_lost_output: returns whether S3 has nothing where the described job left its output.
        on_used: called with the description of each job whose name is used up.
    """
    for attempt in range(1, _MAX_ATTEMPTS + 1):
        name = base if attempt == 1 else f"{base[: _NAME_MAX_LENGTH - 4]}-{attempt}"
        job = resources.describe(aws, kind, name)
        if job is None:
            return name
        status = resources.status_of(job)
        if status not in {"Failed", "Stopped", "Stopping"} and not _is_lost(aws, job, has_lost_output):
            return name
        on_used(job)
    raise AwsError(
        f"{resources.words(kind).capitalize()} {base} failed {_MAX_ATTEMPTS} times.",
        hint="Look at its log before another attempt.",
    )


def _is_lost(aws: Aws, job: Mapping[str, Any], has_lost_output: Callable[[Aws, Mapping[str, Any]], bool]) -> bool:
    """Return whether a completed job has lost its output; False if S3 does not tell."""
    try:
        return resources.status_of(job) == "Completed" and has_lost_output(aws, job)
    except AwsError:
        return False


def _has_lost_artifact(aws: Aws, job: Mapping[str, Any]) -> bool:
    uri = job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
    if not uri:
        return False
    bucket, key = parse_uri(uri)
    return not exists(aws, bucket=bucket, key=key)


def create_or_adopt_training_job(aws: Aws, request: TrainingJobRequest) -> CreatedOrAdopted:
    """Start a job, or adopt the one of that name if it is ours, with the same fingerprint and settings.

    Raises:
        AwsError: the name belongs to another job (left untouched), or SageMaker refused.
    """
    body = create_body(request)

    return create_or_adopt_job(aws, "training-job", request.name, body, tags=request.tags, settings=_settings)


def create_or_adopt_job(
    aws: Aws,
    kind: JobKind,
    name: str,
    body: Mapping[str, Any],
    *,
    tags: Mapping[str, str],
    settings: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> CreatedOrAdopted:
    """Start a job of any kind, or adopt the one of that name if it is ours, with the same fingerprint and settings.

    Args:
        aws: the connection.
        kind: kind of job.
        name: its name.
        body: the arguments of its create.
        tags: the tags of the new job.
        settings: returns the settings that an adopted job must share, given a description or ``body``.

    Raises:
        AwsError: the name belongs to another job (left untouched), or SageMaker refused.
    """

    def differences(existing: Mapping[str, Any]) -> list[str]:
        theirs = settings(existing)
        return [setting for setting, value in settings(body).items() if theirs[setting] != value]

    def create() -> object:
        return getattr(aws.sagemaker, f"create_{kind.replace('-', '_')}")(**body)

    return resources.create_or_adopt(aws, kind, name, create=create, tags=tags, differences=differences)


def _settings(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that an adopted training job must share."""
    return {
        "image": job.get("AlgorithmSpecification", {}).get("TrainingImage"),
        "hyperparameters": job.get("HyperParameters", {}),
        "input": [
            channel.get("DataSource", {}).get("S3DataSource", {}).get("S3Uri")
            for channel in job.get("InputDataConfig", ())
        ],
    }


def wait_for_training_job(
    aws: Aws,
    name: str,
    *,
    on_transition: Callable[[str, str], None] = lambda _status, _message: None,
    on_look: Callable[[], None] = lambda: None,
) -> TrainingJob:
    """Watch a job until it has completed, or until `BEYOND_RUNTIME_S` after its own limit.

    Args:
        aws: the connection.
        name: the job.
        on_transition: called once for each step, in order, with its secondary status and SageMaker's message.
        on_look: called after each description, also after the last one.

    Raises:
        CapacityError: AWS had no instance for it.
        AwsError: it failed or was stopped, it does not exist, or the time passed.
        CredentialsError: they expired meanwhile; the message states that the job continues.
    """
    shown: set[tuple[Any, ...]] = set()

    def look() -> dict[str, Any]:
        job = resources.describe(aws, "training-job", name)
        if job is None:
            raise AwsError(f"Training job {name} was deleted.", hint="Run 'asteroid-ll train'.")
        for step in job.get("SecondaryStatusTransitions", ()):
            transition = (step["Status"], step.get("StatusMessage", ""), step["StartTime"])
            if transition not in shown:
                shown.add(transition)
                on_transition(*transition[:2])
        on_look()
        return job

    timeout_s = limit_s(resources.describe_new(aws, "training-job", name)) + BEYOND_RUNTIME_S
    job = watch(aws, "training-job", name, look=look, timeout_s=timeout_s)
    if job["TrainingJobStatus"] != "Completed":
        raise _failure(job)
    return TrainingJob(
        arn=job["TrainingJobArn"],
        artifact_s3_uri=job.get("ModelArtifacts", {}).get("S3ModelArtifacts", ""),
        instance_type=job.get("ResourceConfig", {}).get("InstanceType", ""),
        training_s=job.get("TrainingTimeInSeconds"),
        billable_s=job.get("BillableTimeInSeconds", 0),
        final_metrics={
            metric["MetricName"]: metric["Value"]
            for metric in job.get("FinalMetricDataList", ())
            if {"MetricName", "Value"} <= set(metric)
        },
    )


def watch(aws: Aws, kind: JobKind, name: str, *, look: Callable[[], Any], timeout_s: float) -> Any:
    """Look at a job until it has ended; return its last description.

    Args:
        aws: the connection.
        kind: kind of job.
        name: its name.
        look: returns SageMaker's description.
        timeout_s: seconds after which the wait ends.

    Raises:
        AwsError: the time passed, or ``look`` failed.
        CredentialsError: they expired meanwhile; the message states that the job continues.
    """
    words = resources.words(kind)
    try:
        return poll(
            look,
            until=lambda job: resources.status_of(job) in ENDED,
            pace=aws.pace,
            timeout_s=timeout_s,
            what=f"{words} {name}",
        )
    except CredentialsError as error:
        raise CredentialsError(
            f"{error.what} {words.capitalize()} {name} continues, and is billed until it ends.", hint=error.hint
        ) from error


def stop_job(aws: Aws, kind: JobKind, name: str) -> Literal["stopped", "ended", "absent", "foreign"]:
    """Stop a job with our tags and wait until it is no longer billed (SIGTERM, up to 120 s of grace, ``Stopped``).

    Args:
        aws: the connection.
        kind: kind of job.
        name: its name.

    Returns:
        ``stopped``; ``ended`` if it had ended by itself; ``absent`` if there is no such job; ``foreign`` if it does
        not have our tags and was left untouched.
    """
    existing = resources.find(aws, kind, name)
    if existing is None:
        return "absent"
    if not resources.is_ours(aws, kind, existing):
        return "foreign"
    if resources.status_of(existing) in ENDED:  # for good, and the caller may be one who may not stop jobs
        return "ended"
    had_ended = False

    def stop() -> None:
        nonlocal had_ended
        try:
            resources.request_stop(aws, kind, name)
        except Exception as error:
            code, message, _ = answer(error)
            if code != "ValidationException" or "is in status" not in message:
                raise
            had_ended = True

    if not resources.send(aws, kind, name, stop, doing="stopping"):
        return "absent"
    job = poll(
        lambda: resources.describe(aws, kind, name),
        until=lambda job: job is None or resources.status_of(job) in ENDED,
        pace=aws.pace,
        timeout_s=_STOP_TIMEOUT_S,
        what=f"{resources.words(kind)} {name} to stop",
    )
    return "stopped" if not had_ended and job is not None and resources.status_of(job) == "Stopped" else "ended"


def limit_s(job: Mapping[str, Any]) -> float:
    """Return the seconds for which SageMaker lets a job run, including the wait for spot instances."""
    condition = job.get("StoppingCondition", {})
    return float(condition.get("MaxWaitTimeInSeconds") or condition.get("MaxRuntimeInSeconds") or 86_400)


def _lacked_capacity(job: Mapping[str, Any]) -> bool:
    """Return whether a job ended because AWS had no instance for it. A spot job then waits for its whole time."""
    if job.get("SecondaryStatus") == "MaxWaitTimeExceeded":
        return "TrainingStartTime" not in job
    reason = job.get("FailureReason", "")
    return job["TrainingJobStatus"] == "Failed" and any(text in reason for text in _NO_CAPACITY)


def _failure(job: Mapping[str, Any]) -> AwsError:
    """Return the error for a job that has ended without completing."""
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    secondary_status = job.get("SecondaryStatus", "")
    if status == "Failed":
        steps = job.get("SecondaryStatusTransitions", ())
        last_message = steps[-1].get("StatusMessage", "") if steps else ""
        reason = job.get("FailureReason") or last_message or secondary_status
        hint = after_failure(reason, instance_type="training.instance_type")
        kind = CapacityError if _lacked_capacity(job) else AwsError
        return kind(f"Training job {name} failed: {reason}", hint=hint, status=status)
    reasons = {
        "MaxRuntimeExceeded": "it ran longer than 'training.max_runtime_s' allows",
        "MaxWaitTimeExceeded": "no spot instance came in time",
    }
    reason = reasons.get(secondary_status, "a user or another program stopped it")
    kind = CapacityError if _lacked_capacity(job) else AwsError
    return kind(f"Training job {name} was stopped: {reason}.", hint=RESUME, status=status)
