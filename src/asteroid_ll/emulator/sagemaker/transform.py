"""SageMaker's batch transform jobs: their checks and their description. AWS has no operation that deletes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.resources import TRANSFORM_JOB
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, check_key, check_output, invalid
from asteroid_ll.emulator.sagemaker.kinds import JOB_NOT_FOUND, JOB_TAKEN, Kind, Members, existing
from asteroid_ll.emulator.sagemaker.models import MODEL, container_of
from asteroid_ll.emulator.worker.files import parse_s3_uri

MAX_TOTAL_PAYLOAD_MB = 100
"""The largest product of MaxConcurrentTransforms and MaxPayloadInMB (API reference, CreateTransformJob)."""

_DEFAULT_PAYLOAD_MB = 6
_NO_PROCESSING = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}


def _check(call: SageMakerCall, request: Members) -> Members:
    """Refuse what AWS refuses, what the emulator does not have, and what the container cannot read."""
    model = existing(call, MODEL, request["ModelName"])
    call.refuse_unsupported(request, "DataCaptureConfig")
    call.refuse_other(request.get("DataProcessing", {}), prefix="DataProcessing.", **_NO_PROCESSING)
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
    check_output(call, request["TransformOutput"]["S3OutputPath"])
    resources = request["TransformResources"]
    check_key(request["TransformOutput"].get("KmsKeyId"), call.region, member="TransformOutput.KmsKeyId")
    check_key(resources.get("VolumeKmsKeyId"), call.region, member="TransformResources.VolumeKmsKeyId")
    call.check_quota(
        "transform job usage",
        kind=ledger.TRANSFORM,
        instance_type=resources["InstanceType"],
        count=resources["InstanceCount"],
    )
    container = container_of(model)
    return {
        "model_data_url": container["ModelDataUrl"],
        "image": container["Image"],
        "role_arn": model.body["request"]["ExecutionRoleArn"],
    }


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


KIND = Kind(
    TRANSFORM_JOB,
    "TransformJob",
    "transform job",
    _check,
    lambda _, job: {"DataProcessing": {**_NO_PROCESSING, **job.body["request"].get("DataProcessing", {})}},
    "TransformJobSummaries",
    not_found=JOB_NOT_FOUND,
    taken=JOB_TAKEN,
    settle=lambda services: services.transforms.settle(),
)
"""Batch transform jobs."""
