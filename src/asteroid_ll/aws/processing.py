"""Processing jobs: create or adopt, watch, name. `asteroid_ll.aws.jobs.stop_job` stops one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws import resources
from asteroid_ll.aws.errors import RESUME, after_failure
from asteroid_ll.aws.jobs import BEYOND_RUNTIME_S, create_or_adopt_job, limit_s, usable_name, watch
from asteroid_ll.aws.network import SAGEMAKERS_OWN, Network
from asteroid_ll.aws.policy import ECR_IMAGE
from asteroid_ll.aws.resources import CreatedOrAdopted
from asteroid_ll.aws.storage import list_objects, parse_uri
from asteroid_ll.aws.tags import to_api
from asteroid_ll.errors import AwsError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws


@dataclass(frozen=True)
class ProcessingFolder:
    """A folder of the container and its prefix in S3.

    Attributes:
        name: name of the input or the output, such as ``clean``.
        s3_uri: prefix of the objects. The objects of an input are copied to every machine.
        local_path: the folder in the container, below ``/opt/ml/processing``.
    """

    name: str
    s3_uri: str
    local_path: str


@dataclass(frozen=True)
class ProcessingJobRequest:
    """The settings of a new processing job.

    Attributes:
        name: 1 to 63 letters, digits and inner hyphens; the idempotency key. It is made from the image, the entry
            point and the content of the inputs, so that another job has another name.
        image_uri: the container's image.
        entrypoint: the command and its arguments, each of at most 256 characters.
        role_arn: the execution role.
        inputs: at most 10 folders, which are there before the container starts.
        output: the folder that SageMaker uploads from every machine at the job's end, to a prefix that no other job
            uses.
        instance_type: such as ``ml.m5.xlarge``.
        instance_count: number of instances.
        volume_size_gb: each instance's disk.
        max_runtime_s: seconds after which SageMaker stops the job.
        tags: from `asteroid_ll.aws.tags.tags`.
        volume_kms: KMS key of the disks; None for AWS's.
        output_kms: KMS key of the output; None for AWS's.
        network: the network of the instances.
    """

    name: str
    image_uri: str
    entrypoint: Sequence[str]
    role_arn: str
    inputs: Sequence[ProcessingFolder]
    output: ProcessingFolder
    instance_type: str
    instance_count: int
    volume_size_gb: int
    max_runtime_s: int
    tags: Mapping[str, str]
    volume_kms: str | None = None
    output_kms: str | None = None
    network: Network = SAGEMAKERS_OWN


def usable_processing_job_name(aws: Aws, base: str) -> str:
    """Return the name for the next attempt at a job, see `asteroid_ll.aws.jobs.usable_name`.

    A completed job without an object under its output's prefix has lost its output.
    """
    return usable_name(aws, "processing-job", base, has_lost_output=_has_lost_output)


def create_or_adopt_processing_job(aws: Aws, request: ProcessingJobRequest) -> CreatedOrAdopted:
    """Start a job, or adopt the one of that name if it is ours, with the same fingerprint and settings.

    Raises:
        AwsError: the name belongs to another job (left untouched), or SageMaker refused.
    """
    body = _create_body(request)
    return create_or_adopt_job(aws, "processing-job", request.name, body, tags=request.tags, settings=_settings)


def wait_for_processing_job(
    aws: Aws, name: str, *, on_start: Callable[[], None] = lambda: None, on_look: Callable[[], None] = lambda: None
) -> float:
    """Watch a job until it has completed, or until `BEYOND_RUNTIME_S` after its own limit.

    Args:
        aws: the connection.
        name: the job.
        on_start: called once when its machines have begun to work.
        on_look: called after each description, also after the last one.

    Returns:
        The seconds for which each instance is billed.

    Raises:
        AwsError: it failed or was stopped, it does not exist, or the time passed. If the container left a message, the
            error's context has it as ``exit_message``: at most 1024 characters, the messages of several machines one
            after the other.
        CredentialsError: they expired meanwhile; the message states that the job continues.
    """
    has_started = False

    def look() -> dict[str, Any]:
        nonlocal has_started
        job = resources.describe(aws, "processing-job", name)
        if job is None:
            raise AwsError(f"Processing job {name} was deleted.", hint=RESUME)
        if not has_started and job["ProcessingJobStatus"] == "InProgress" and "ProcessingStartTime" in job:
            has_started = True
            on_start()
        on_look()
        return job

    timeout_s = limit_s(resources.describe_new(aws, "processing-job", name)) + BEYOND_RUNTIME_S
    job = watch(aws, "processing-job", name, look=look, timeout_s=timeout_s)
    if job["ProcessingJobStatus"] != "Completed":
        raise _failure(job)
    return _billed_s(job)


def billed_s_of_ended(aws: Aws, name: str) -> float:
    """Return the seconds for which each instance of our job that has ended was billed; 0 if there never was one.

    Raises:
        AwsError: SageMaker refused the description.
    """
    job = resources.describe(aws, "processing-job", name)
    return 0.0 if job is None or not resources.is_ours(aws, "processing-job", job) else _billed_s(job)


def _billed_s(job: Mapping[str, Any]) -> float:
    start, end = job.get("ProcessingStartTime"), job.get("ProcessingEndTime")
    return max(0.0, (end - start).total_seconds()) if start and end else 0.0


def _has_lost_output(aws: Aws, job: Mapping[str, Any]) -> bool:
    """Return whether S3 has nothing where a completed job left its output."""
    return any(not list_objects(aws, *parse_uri(uri)) for uri in _settings(job)["output"])


def _settings(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that an adopted job must share."""
    application = job.get("AppSpecification", {})
    outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", ())
    return {
        "image": application.get("ImageUri"),
        "entry point": [application.get(name) for name in ("ContainerEntrypoint", "ContainerArguments")],
        "input": [_place(item.get("S3Input", {})) for item in job.get("ProcessingInputs", ())],
        "output": [item.get("S3Output", {}).get("S3Uri", "") for item in outputs],
    }


def _place(source: Mapping[str, Any]) -> tuple[str, str]:
    return source.get("S3Uri", ""), source.get("LocalPath", "")


def _create_body(request: ProcessingJobRequest) -> dict[str, Any]:
    """Return CreateProcessingJob's arguments, without members that are not set."""
    machines: dict[str, Any] = {
        "InstanceType": request.instance_type,
        "InstanceCount": request.instance_count,
        "VolumeSizeInGB": request.volume_size_gb,
    }
    output = {
        "OutputName": request.output.name,
        "S3Output": {
            "S3Uri": request.output.s3_uri,
            "LocalPath": request.output.local_path,
            "S3UploadMode": "EndOfJob",
        },
    }
    outputs: dict[str, Any] = {"Outputs": [output]}
    if request.volume_kms is not None:
        machines["VolumeKmsKeyId"] = request.volume_kms
    if request.output_kms is not None:
        outputs["KmsKeyId"] = request.output_kms
    body: dict[str, Any] = {
        "ProcessingJobName": request.name,
        "AppSpecification": {"ImageUri": request.image_uri, "ContainerEntrypoint": list(request.entrypoint)},
        "RoleArn": request.role_arn,
        "ProcessingInputs": [
            {
                "InputName": folder.name,
                "S3Input": {
                    "S3Uri": folder.s3_uri,
                    "LocalPath": folder.local_path,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                },
            }
            for folder in request.inputs
        ],
        "ProcessingOutputConfig": outputs,
        "ProcessingResources": {"ClusterConfig": machines},
        "StoppingCondition": {"MaxRuntimeInSeconds": request.max_runtime_s},
        "Tags": to_api(request.tags),
    }
    network = request.network.of_job()
    return body | ({"NetworkConfig": network} if network else {})


def _failure(job: Mapping[str, Any]) -> AwsError:
    """Return the error for a job that has ended without completing."""
    name, status = job["ProcessingJobName"], job["ProcessingJobStatus"]
    message = job.get("ExitMessage", "")
    facts = {"status": status} | ({"exit_message": message} if message else {})
    if status == "Failed":
        reason, text = job.get("FailureReason", ""), " ".join(message.split())
        if "Cannot pull" in reason or ".dkr.ecr" in reason:
            return _failure_of_image(name, job["AppSpecification"]["ImageUri"], reason)
        reason = f"{reason} ({text})" if reason and text else reason or text or "SageMaker gives no reason."
        hint = after_failure(reason, instance_type="processing.instance_type")
        hint = f"Its log is in the log group /aws/sagemaker/ProcessingJobs. {hint}"
        return AwsError(f"Processing job {name} failed: {reason}", hint=hint, **facts)
    if _billed_s(job) >= limit_s(job):
        reason, hint = "it ran longer than 'processing.max_runtime_s' allows", f"Raise the limit. {RESUME}"
    else:
        reason, hint = "a user or another program stopped it", RESUME
    return AwsError(f"Processing job {name} was stopped: {reason}.", hint=hint, **facts)


def _failure_of_image(name: str, image: str, reason: str) -> AwsError:
    """Return the error for a job whose container never began.

    SageMaker passes on what the registry has answered, such as ``ClientError: API error (404): manifest for IMAGE not
    found: manifest unknown: Requested image not found`` (aws/amazon-sagemaker-examples, issue 2333).
    """
    what = f"Processing job {name} failed: SageMaker cannot pull the image of 'processing.image_uri': {reason}"
    named = ECR_IMAGE.fullmatch(image)
    if "not authorized" in reason:
        hint = f"Give the role the policy that   asteroid-ll iam role-policy   prints. {RESUME}"
    elif named is None:
        hint = f"Set 'processing.image_uri' to an image that exists. {RESUME}"
    else:
        image_id = f"imageDigest={named['digest']}" if named["digest"] else f"imageTag={named['tag'] or 'latest'}"
        hint = (
            f"Set 'processing.image_uri' to an image that exists. {RESUME} This looks for the image:   "
            f"aws ecr describe-images --region {named['region']} --registry-id {named['account']} "
            f"--repository-name {named['repository']} --image-ids {image_id}"
        )
    return AwsError(what, hint=hint, status="Failed")
