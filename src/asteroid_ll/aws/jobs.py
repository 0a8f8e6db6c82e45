"""Training jobs: create or adopt, watch, stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from asteroid_ll.aws import resources
from asteroid_ll.aws.errors import RESUME, answer, aws_call, is_not_found
from asteroid_ll.aws.logs import JobLog, LogLine
from asteroid_ll.aws.resources import CreatedOrAdopted
from asteroid_ll.aws.session import Aws
from asteroid_ll.aws.tags import owns, to_api
from asteroid_ll.aws.waiting import poll
from asteroid_ll.errors import AwsError, CredentialsError

BEYOND_RUNTIME_S = 3600
"""Seconds that a job may spend outside its runtime limit: instances, download, image, upload."""

NAME_MAX_LENGTH = 63
_ENDED = {"Completed", "Failed", "Stopped"}
_MOST_ATTEMPTS = 100


@dataclass(frozen=True)
class Channel:
    """One input channel of a job.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        s3_uri: prefix of the objects.
        content_type: such as ``application/x-recordio-protobuf``.
        distribution: ``FullyReplicated`` or ``ShardedByS3Key``.
        input_mode: ``File`` or ``Pipe``; None for the job's own.
    """

    name: str
    s3_uri: str
    content_type: str
    distribution: str = "FullyReplicated"
    input_mode: str | None = None


@dataclass(frozen=True)
class TrainingJobRequest:
    """A training job to be.

    Attributes:
        name: 1 to 63 letters, digits and inner hyphens; the idempotency key.
        image_uri: the algorithm's image.
        role_arn: the execution role.
        hyperparameters: every value as the string that the container reads.
        channels: the input.
        output_s3_uri: where the artifact goes, under ``NAME/output/model.tar.gz``.
        instance_type: such as ``ml.m5.large``.
        instance_count: how many of them.
        volume_size_gb: each instance's disk.
        max_runtime_s: seconds after which SageMaker stops the job.
        input_mode: ``File`` or ``Pipe``.
        tags: from `asteroid_ll.aws.tags.tags`.
    """

    name: str
    image_uri: str
    role_arn: str
    hyperparameters: Mapping[str, str]
    channels: Sequence[Channel]
    output_s3_uri: str
    instance_type: str
    instance_count: int
    volume_size_gb: int
    max_runtime_s: int
    input_mode: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Transition:
    """One step of a job: its secondary status, SageMaker's words, and since when in seconds since 1970."""

    status: str
    message: str
    at_s: float


@dataclass(frozen=True)
class TrainingJob:
    """What SageMaker says of a job.

    Attributes:
        name: its name.
        arn: its ARN.
        status: ``InProgress``, ``Completed``, ``Failed``, ``Stopping`` or ``Stopped``.
        secondary_status: the finer one, such as ``Downloading`` or ``MaxRuntimeExceeded``.
        artifact_s3_uri: the model artifact, empty before there is one.
        billable_s: seconds billed for each instance, 0 before the end.
        training_s: seconds from the start of training to its end, 0 before the end.
        failure_reason: SageMaker's words, empty where nothing failed.
        instance_type: instance type.
        instance_count: how many of them.
        final_metrics: the metrics that SageMaker extracted from the log, by name.
        transitions: the steps so far, in order.
    """

    name: str
    arn: str
    status: str
    secondary_status: str
    artifact_s3_uri: str
    billable_s: int
    training_s: int
    failure_reason: str
    instance_type: str
    instance_count: int
    final_metrics: Mapping[str, float] = field(default_factory=dict)
    transitions: tuple[Transition, ...] = ()


def usable_training_job_name(aws: Aws, base: str) -> str:
    """The name for the next attempt at a job: ``base``, or ``base-2``, ``base-3`` ... where earlier ones failed.

    A name is spent once its job has failed or been stopped. A job that is running or completed keeps its name,
    for `create_or_adopt_training_job` to adopt, or to refuse where it is not ours.

    Args:
        aws: the connection.
        base: the deterministic name, short enough for a suffix.
    """
    for attempt in range(1, _MOST_ATTEMPTS + 1):
        name = base if attempt == 1 else f"{base[: NAME_MAX_LENGTH - 4]}-{attempt}"
        found = resources.describe(aws, "training-job", name)
        if found is None or found["TrainingJobStatus"] not in {"Failed", "Stopped", "Stopping"}:
            return name
    raise AwsError(
        f"Training job {base} failed {_MOST_ATTEMPTS} times.", hint="Look at its log before another attempt."
    )


def create_or_adopt_training_job(aws: Aws, request: TrainingJobRequest) -> CreatedOrAdopted:
    """Start a job, or take the one of that name when it is ours, with the same fingerprint and settings.

    Returns:
        ``created`` or ``adopted``.

    Raises:
        AwsError: the name is somebody else's (left untouched), or SageMaker refused.
    """
    body = _create_body(request)

    def differing(existing: Mapping[str, Any]) -> list[str]:
        wanted = {
            "image": (
                body["AlgorithmSpecification"]["TrainingImage"],
                existing["AlgorithmSpecification"]["TrainingImage"],
            ),
            "hyperparameters": (body["HyperParameters"], existing.get("HyperParameters", {})),
            "input": (
                [channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in body["InputDataConfig"]],
                [channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in existing.get("InputDataConfig", ())],
            ),
        }
        return [name for name, (ours, theirs) in wanted.items() if ours != theirs]

    return resources.create_or_adopt(
        aws,
        "training-job",
        request.name,
        create=lambda: aws.sagemaker.create_training_job(**body),
        tags=request.tags,
        same=differing,
    )


def describe_training_job(aws: Aws, name: str) -> TrainingJob | None:
    """What SageMaker says of a job; None only when it says that there is none."""
    described = resources.describe(aws, "training-job", name)
    return None if described is None else _training_job(described)


def wait_for_training_job(
    aws: Aws,
    name: str,
    *,
    on_transition: Callable[[Transition], None] | None = None,
    on_log: Callable[[LogLine], None] | None = None,
    timeout_s: float | None = None,
) -> TrainingJob:
    """Watch a job until it has completed.

    Args:
        aws: the connection.
        name: the job.
        on_transition: called once for each step, in order, as it is seen.
        on_log: called once for each line of the job's log, as it is seen.
        timeout_s: seconds to wait; None for the job's own limit and `BEYOND_RUNTIME_S` more.

    Returns:
        The completed job.

    Raises:
        AwsError: it failed or was stopped (which is a failure), it does not exist, or the time passed.
        CredentialsError: they expired meanwhile; the message says that the job goes on.
    """
    log = JobLog(aws, name) if on_log is not None else None
    told: set[tuple[str, str, float]] = set()

    def look() -> dict[str, Any]:
        described = resources.describe(aws, "training-job", name)
        if described is None:
            raise AwsError(f"Training job {name} was deleted.", hint="Run 'asteroid-ll train'.")
        for step in _transitions(described):
            seen = (step.status, step.message, step.at_s)
            if on_transition is not None and seen not in told:
                told.add(seen)
                on_transition(step)
        if log is not None and on_log is not None:
            for line in log.new_lines():
                on_log(line)
        return described

    try:
        found = resources.describe_new(aws, "training-job", name)
        if timeout_s is None:
            timeout_s = _limit_s(found) + BEYOND_RUNTIME_S
        described = poll(
            look,
            until=lambda job: job["TrainingJobStatus"] in _ENDED,
            pace=aws.pace,
            timeout_s=timeout_s,
            what=f"training job {name}",
        )
    except CredentialsError as error:
        raise CredentialsError(
            f"{error.what} Training job {name} goes on, and so does its bill until it ends.", hint=error.hint
        ) from error
    job = _training_job(described)
    if job.status != "Completed":
        raise _failure(job)
    return job


def stop_training_job(
    aws: Aws, name: str, *, timeout_s: float = 600
) -> Literal["stopped", "ended", "absent", "foreign"]:
    """Stop a job of ours and wait until it is billed no more: SIGTERM, up to 120 s of grace, then ``Stopped``.

    Returns:
        ``stopped``; ``ended`` where it had ended by itself; ``absent`` where there is no such job; ``foreign``
        where it does not carry our tags and was left untouched.
    """
    existing = resources.find(aws, "training-job", name)
    if existing is None:
        return "absent"
    if not owns(resources.tags_of(aws, resources.arn_of("training-job", existing))):
        return "foreign"
    asked = True
    with aws_call(f"stopping training job {name}"):
        try:
            aws.sagemaker.stop_training_job(TrainingJobName=name)
        except Exception as error:
            code, message, _ = answer(error)
            if is_not_found(error):
                return "absent"
            if code != "ValidationException" or "is in status" not in message:
                raise
            asked = False
    ended = poll(
        lambda: describe_training_job(aws, name),
        until=lambda job: job is None or job.status in _ENDED,
        pace=aws.pace,
        timeout_s=timeout_s,
        what=f"training job {name} to stop",
    )
    return "stopped" if asked and ended is not None and ended.status == "Stopped" else "ended"


def _create_body(request: TrainingJobRequest) -> dict[str, Any]:
    """CreateTrainingJob's arguments; what was not set is left out."""
    return {
        "TrainingJobName": request.name,
        "AlgorithmSpecification": {"TrainingImage": request.image_uri, "TrainingInputMode": request.input_mode},
        "RoleArn": request.role_arn,
        "HyperParameters": dict(request.hyperparameters),
        "InputDataConfig": [_channel_body(channel) for channel in request.channels],
        "OutputDataConfig": {"S3OutputPath": request.output_s3_uri},
        "ResourceConfig": {
            "InstanceType": request.instance_type,
            "InstanceCount": request.instance_count,
            "VolumeSizeInGB": request.volume_size_gb,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": request.max_runtime_s},
        "Tags": to_api(request.tags),
    }


def _channel_body(channel: Channel) -> dict[str, Any]:
    """One entry of InputDataConfig."""
    body: dict[str, Any] = {
        "ChannelName": channel.name,
        "ContentType": channel.content_type,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": channel.s3_uri,
                "S3DataDistributionType": channel.distribution,
            }
        },
    }
    if channel.input_mode is not None:
        body["InputMode"] = channel.input_mode
    return body


def _limit_s(described: Mapping[str, Any]) -> float:
    """The seconds that SageMaker lets a job run, spot waiting included."""
    condition = described.get("StoppingCondition", {})
    return float(condition.get("MaxWaitTimeInSeconds") or condition.get("MaxRuntimeInSeconds") or 86_400)


def _transitions(described: Mapping[str, Any]) -> list[Transition]:
    """A job's steps so far."""
    return [
        Transition(step["Status"], step.get("StatusMessage", ""), step["StartTime"].timestamp())
        for step in described.get("SecondaryStatusTransitions", ())
    ]


def _training_job(described: Mapping[str, Any]) -> TrainingJob:
    """DescribeTrainingJob's answer as a value."""
    resource = described.get("ResourceConfig", {})
    return TrainingJob(
        name=described["TrainingJobName"],
        arn=described["TrainingJobArn"],
        status=described["TrainingJobStatus"],
        secondary_status=described.get("SecondaryStatus", ""),
        artifact_s3_uri=described.get("ModelArtifacts", {}).get("S3ModelArtifacts", ""),
        billable_s=described.get("BillableTimeInSeconds", 0),
        training_s=described.get("TrainingTimeInSeconds", 0),
        failure_reason=described.get("FailureReason", ""),
        instance_type=resource.get("InstanceType", ""),
        instance_count=resource.get("InstanceCount", 0),
        final_metrics={metric["MetricName"]: metric["Value"] for metric in described.get("FinalMetricDataList", ())},
        transitions=tuple(_transitions(described)),
    )


def _failure(job: TrainingJob) -> AwsError:
    """Why a job that has ended did not complete."""
    last = job.transitions[-1].message if job.transitions else ""
    reason = job.failure_reason or last or job.secondary_status
    if job.status == "Failed":
        return AwsError(
            f"Training job {job.name} failed: {reason}", hint=f"Mend the cause. {RESUME}", status=job.status
        )
    by_limit = {
        "MaxRuntimeExceeded": "it ran longer than 'training.max_runtime_s' allows",
        "MaxWaitTimeExceeded": "no spot instance came in time",
    }
    why = by_limit.get(job.secondary_status, "somebody stopped it")
    return AwsError(f"Training job {job.name} was stopped: {why}.", hint=RESUME, status=job.status)
