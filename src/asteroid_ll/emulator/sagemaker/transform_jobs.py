"""SageMaker's batch transform jobs: create, describe, list and stop. AWS has no operation that deletes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.resources import MODEL, TRANSFORM_JOB, Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.sagemaker.company import check_key
from asteroid_ll.emulator.sagemaker.listing import page
from asteroid_ll.emulator.sagemaker.models import existing
from asteroid_ll.emulator.sagemaker.named_jobs import existing_job, name_taken, refuse_taken_name
from asteroid_ll.emulator.worker.files import parse_s3_uri

MAX_TOTAL_PAYLOAD_MB = 100
"""The largest product of MaxConcurrentTransforms and MaxPayloadInMB (API reference, CreateTransformJob)."""

_DEFAULT_PAYLOAD_MB = 6
_NO_PROCESSING = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}


def create(call: SageMakerCall) -> dict[str, Any]:
    """CreateTransformJob: check the request as AWS does, then start the job's process."""
    name = call.params["TransformJobName"]
    request = {key: value for key, value in call.params.items() if key not in ("TransformJobName", "Tags")}
    tags = call.new_tags()
    refuse_taken_name(call, TRANSFORM_JOB, name)
    model = existing(call, MODEL, request["ModelName"])
    _check(call, request)
    container = model.body.get("PrimaryContainer") or model.body["Containers"][0]
    jobs = call.services.transforms
    facts = {
        "model_data_url": container["ModelDataUrl"],
        "image": container["Image"],
        "role_arn": model.body["ExecutionRoleArn"],
    }
    job = jobs.new(call.region, name, request=request, tags=tags, **facts)
    if job is None:  # another process was faster
        raise name_taken(call, TRANSFORM_JOB, name)
    jobs.spawn(job)
    return {"TransformJobArn": job.arn}


def describe(call: SageMakerCall) -> dict[str, Any]:
    """DescribeTransformJob."""
    call.services.transforms.settle()
    job = existing_job(call, TRANSFORM_JOB, call.params["TransformJobName"])
    return {
        "DataProcessing": _NO_PROCESSING,
        **job.body["request"],
        **_summary(job),
        "TransformStartTime": job.body.get("started_s"),
    }


def list_jobs(call: SageMakerCall) -> dict[str, Any]:
    """ListTransformJobs."""
    call.services.transforms.settle()
    return page(call, TRANSFORM_JOB, member="TransformJobSummaries", summary=_summary)


def stop(call: SageMakerCall) -> dict[str, Any]:
    """StopTransformJob: asynchronous; the job is billed until it has ended, and nothing of it is stored."""
    call.services.transforms.settle()
    job = existing_job(call, TRANSFORM_JOB, call.params["TransformJobName"])
    if job.status != "InProgress":
        raise invalid(f"The request was rejected because the transform job is in status {job.status}.")
    call.services.transforms.request_stop(job)
    return {}


def _summary(job: Resource) -> dict[str, Any]:
    return {
        "TransformJobName": job.name,
        "TransformJobArn": job.arn,
        "CreationTime": job.created_s,
        "LastModifiedTime": job.modified_s,
        "TransformEndTime": job.body.get("ended_s"),
        "TransformJobStatus": job.status,
        "FailureReason": job.body.get("reason"),
    }


def _check(call: SageMakerCall, request: Mapping[str, Any]) -> None:
    """Refuse requests that AWS refuses, options that the emulator does not have, and what the container cannot read."""
    call.refuse_unsupported(request, "DataCaptureConfig")
    processing = request.get("DataProcessing", {})
    if changed := [name for name, value in processing.items() if value != _NO_PROCESSING.get(name)]:
        raise invalid(f"The emulator has no DataProcessing.{changed[0]}.")
    payload_mb = request.get("MaxPayloadInMB", _DEFAULT_PAYLOAD_MB)
    if payload_mb == 0:
        raise invalid(
            "MaxPayloadInMB 0 needs HTTP chunked encoding, which SageMaker's built-in algorithms do not have."
        )
    total_mb = payload_mb * max(1, request.get("MaxConcurrentTransforms", 1))
    if total_mb > MAX_TOTAL_PAYLOAD_MB:
        raise invalid(
            f"MaxConcurrentTransforms * MaxPayloadInMB must not exceed {MAX_TOTAL_PAYLOAD_MB} MB, but it is "
            f"{total_mb} MB."
        )
    _check_input(call, request)
    location = request["TransformOutput"]["S3OutputPath"]
    if not call.has_bucket(parse_s3_uri(location)[0]):
        raise invalid(
            f'The output location "{location}" cannot be used. Please ensure that the bucket exists in the selected '
            f"region ({call.region}) and belongs to the account."
        )
    resources = request["TransformResources"]
    check_key(request["TransformOutput"].get("KmsKeyId"), call.region, member="TransformOutput.KmsKeyId")
    check_key(resources.get("VolumeKmsKeyId"), call.region, member="TransformResources.VolumeKmsKeyId")
    call.check_quota(
        "transform job usage",
        kind=ledger.TRANSFORM,
        instance_type=resources["InstanceType"],
        count=resources["InstanceCount"],
    )


def _check_input(call: SageMakerCall, request: Mapping[str, Any]) -> None:
    described = request["TransformInput"]
    source = described["DataSource"]["S3DataSource"]
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise invalid(f"The emulator has no S3DataType {source['S3DataType']} for a transform job.")
    split = described.get("SplitType", "None")
    if split == "TFRecord":
        raise invalid("Linear Learner cannot read records of SplitType TFRecord.")
    if request.get("BatchStrategy") == "SingleRecord" and split == "None":
        raise invalid("BatchStrategy SingleRecord needs a SplitType.")
    if request.get("BatchStrategy") == "SingleRecord" and split == "RecordIO":
        raise invalid(
            "Linear Learner cannot read a SingleRecord of SplitType RecordIO, which is sent without its frame."
        )
    bucket, _ = parse_s3_uri(source["S3Uri"])
    if not call.has_bucket(bucket):
        raise invalid(
            f'The bucket "{bucket}" of the input data source does not exist in the selected region ({call.region}).'
        )
