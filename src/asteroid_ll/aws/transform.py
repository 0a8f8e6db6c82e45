"""Batch transform jobs: create or adopt, watch, fetch the answers.

A transform job has no limit of its run time on AWS, so the wait stops one that runs too long.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws import resources
from asteroid_ll.aws.errors import RESUME, after_failure
from asteroid_ll.aws.jobs import BEYOND_RUNTIME_S, create_or_adopt_job, stop_job, usable_name, watch
from asteroid_ll.aws.resources import CreatedOrAdopted
from asteroid_ll.aws.storage import list_objects, parse_uri
from asteroid_ll.aws.tags import to_api
from asteroid_ll.errors import AwsError
from asteroid_ll.formats import RECORDIO

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

MAX_PAYLOAD_MB = 6
"""The longest request to the container, SageMaker's default."""


@dataclass(frozen=True)
class TransformJobRequest:
    """The settings of a new transform job.

    Attributes:
        name: 1 to 63 letters, digits and inner hyphens; the idempotency key.
        model_name: the model.
        input_s3_uri: the object with the rows.
        content_type: its MIME type, ``text/csv`` or ``application/x-recordio-protobuf``.
        output_s3_uri: prefix of the answers, which no other job uses.
        accept: MIME type of the answers.
        instance_type: such as ``ml.m5.large``.
        instance_count: number of instances.
        tags: from `asteroid_ll.aws.tags.tags`.
        volume_kms: KMS key of the instances' disks; None for AWS's.
        output_kms: KMS key of the answers; None for AWS's.
    """

    name: str
    model_name: str
    input_s3_uri: str
    content_type: str
    output_s3_uri: str
    accept: str
    instance_type: str
    instance_count: int
    tags: Mapping[str, str]
    volume_kms: str | None = None
    output_kms: str | None = None


def usable_transform_job_name(aws: Aws, base: str) -> str:
    """Return the name for the next attempt at a job, see `asteroid_ll.aws.jobs.usable_name`."""
    return usable_name(aws, "transform-job", base, has_lost_output=_has_lost_output)


def create_or_adopt_transform_job(aws: Aws, request: TransformJobRequest) -> CreatedOrAdopted:
    """Start a job, or adopt the one of that name if it is ours, with the same fingerprint and settings.

    Raises:
        AwsError: the name belongs to another job (left untouched), or SageMaker refused.
    """
    body = _create_body(request)
    return create_or_adopt_job(aws, "transform-job", request.name, body, tags=request.tags, settings=_settings)


def wait_for_transform_job(aws: Aws, name: str, *, max_runtime_s: float) -> float:
    """Watch a job until it has completed, and return the seconds for which each instance is billed.

    Args:
        aws: the connection.
        name: the job.
        max_runtime_s: seconds of run time after which the job is stopped.

    Raises:
        AwsError: it failed or was stopped, it does not exist, or the time passed.
        CredentialsError: they expired meanwhile; the message states that the job continues.
    """
    resources.describe_new(aws, "transform-job", name)

    def look() -> dict[str, Any]:
        job = resources.describe(aws, "transform-job", name)
        if job is None:
            raise AwsError(f"Transform job {name} was deleted.", hint=RESUME)
        started = job.get("TransformStartTime")
        if started is None or job["TransformJobStatus"] != "InProgress":
            return job
        if time.time() - started.timestamp() > max_runtime_s and stop_job(aws, "transform-job", name) == "stopped":
            raise AwsError(
                f"Transform job {name} was stopped: it ran longer than 'hosting.transform_max_runtime_s' allows.",
                hint=f"Raise the limit, or choose a faster 'hosting.transform_instance_type'. {RESUME}",
            )
        return job

    job = watch(aws, "transform-job", name, look=look, timeout_s=max_runtime_s + BEYOND_RUNTIME_S)
    if job["TransformJobStatus"] != "Completed":
        raise _failure(job)
    return _billed_s(job)


def billed_s_of_ended(aws: Aws, name: str) -> float:
    """Return the seconds for which each instance of our job that has ended was billed; 0 if there never was one.

    Raises:
        AwsError: SageMaker refused the description.
    """
    job = resources.describe(aws, "transform-job", name)
    return 0.0 if job is None or not resources.is_ours(aws, "transform-job", job) else _billed_s(job)


def _billed_s(job: Mapping[str, Any]) -> float:
    start, end = job.get("TransformStartTime"), job.get("TransformEndTime")
    return max(0.0, (end - start).total_seconds()) if start and end else 0.0


def output_of(aws: Aws, output_s3_uri: str) -> tuple[str, str]:
    """Return the bucket and the key of the answers under a job's prefix.

    Raises:
        AwsError: there is not exactly one object with the suffix ``.out``, or S3 refused.
    """
    bucket, keys = _outputs(aws, output_s3_uri)
    if len(keys) != 1:
        found = f"{len(keys)} outputs" if keys else "no output"
        raise AwsError(f"The transform job left {found} in {output_s3_uri} in place of one.", hint=RESUME)
    return bucket, keys[0]


def _outputs(aws: Aws, output_s3_uri: str) -> tuple[str, list[str]]:
    bucket, prefix = parse_uri(output_s3_uri)
    return bucket, [key for key, _ in list_objects(aws, bucket, prefix) if key.endswith(".out")]


def _has_lost_output(aws: Aws, job: Mapping[str, Any]) -> bool:
    """Return whether S3 has nothing where a completed job left its answers."""
    uri = job.get("TransformOutput", {}).get("S3OutputPath", "")
    return bool(uri) and not _outputs(aws, uri)[1]


def _settings(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that an adopted job must share."""
    source = job["TransformInput"]
    return {
        "model": job["ModelName"],
        "input": source["DataSource"]["S3DataSource"]["S3Uri"],
        "content type": source.get("ContentType"),
        "output": job.get("TransformOutput", {}).get("S3OutputPath"),
    }


def _create_body(request: TransformJobRequest) -> dict[str, Any]:
    """Return CreateTransformJob's arguments."""
    machines: dict[str, Any] = {"InstanceType": request.instance_type, "InstanceCount": request.instance_count}
    output = {"S3OutputPath": request.output_s3_uri, "Accept": request.accept, "AssembleWith": "Line"}
    if request.volume_kms is not None:
        machines["VolumeKmsKeyId"] = request.volume_kms
    if request.output_kms is not None:
        output["KmsKeyId"] = request.output_kms
    return {
        "TransformJobName": request.name,
        "ModelName": request.model_name,
        "MaxPayloadInMB": MAX_PAYLOAD_MB,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": request.input_s3_uri}},
            "ContentType": request.content_type,
            "SplitType": "RecordIO" if request.content_type == RECORDIO else "Line",
        },
        "TransformOutput": output,
        "TransformResources": machines,
        "Tags": to_api(request.tags),
    }


def _failure(job: Mapping[str, Any]) -> AwsError:
    """Return the error for a job that has ended without completing."""
    name, status = job["TransformJobName"], job["TransformJobStatus"]
    if status == "Failed":
        reason = job.get("FailureReason") or "SageMaker gives no reason."
        hint = f"Its log is in the log group /aws/sagemaker/TransformJobs. {_hint(reason)}"
        return AwsError(f"Transform job {name} failed: {reason}", hint=hint, status=status)
    return AwsError(
        f"Transform job {name} was stopped: a user or another program stopped it.", hint=RESUME, status=status
    )


def _hint(reason: str) -> str:
    return after_failure(reason, instance_type="hosting.transform_instance_type")
