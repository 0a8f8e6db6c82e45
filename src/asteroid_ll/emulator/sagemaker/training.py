"""SageMaker's training jobs: their checks and their description."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.resources import TRAINING_JOB, Resource
from asteroid_ll.emulator.sagemaker.call import (
    SageMakerCall,
    check_image,
    check_input,
    check_key,
    check_output,
    check_volume_key,
    check_vpc,
    invalid,
)
from asteroid_ll.emulator.sagemaker.kinds import Kind, Members
from asteroid_ll.emulator.worker.files import CHECKPOINTS as LOCAL_PATH
from asteroid_ll.emulator.worker.log import DEFINITIONS

DEFAULT_MAX_RUNTIME_S = 86_400
MAX_WAIT_WITHOUT_CHECKPOINTS_S = 3_600
"""AWS's limit for a built-in algorithm that keeps no checkpoints (developer guide, "Managed Spot Training")."""

SPOT_SHARE = 0.3
"""The part of a spot job's seconds that is billed here. On AWS it follows the market; public logs have about this."""


def _check_new(call: SageMakerCall, request: Members) -> Members:
    check(call, request)
    request.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_S)
    return {}


def _description(_call: SageMakerCall, job: Resource) -> Members:
    """Return what a training job's description adds. Members that were not set have the values of AWS's answers."""
    body, request = job.body, job.body["request"]
    artifact = body.get("artifact")
    return {
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        "EnableInterContainerTrafficEncryption": request.get("EnableInterContainerTrafficEncryption", False),
        "EnableManagedSpotTraining": request.get("EnableManagedSpotTraining", False),
        "AlgorithmSpecification": {
            **request["AlgorithmSpecification"],
            "MetricDefinitions": metric_definitions(),
            "EnableSageMakerMetricsTimeSeries": False,
        },
        "InputDataConfig": [
            {"CompressionType": "None", "RecordWrapperType": "None", **channel}
            for channel in request.get("InputDataConfig", [])
        ],
        "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP", **request["OutputDataConfig"]},
        "TuningJobArn": body.get("tuning_job_arn"),
        "SecondaryStatusTransitions": body["transitions"],
        "ModelArtifacts": {"S3ModelArtifacts": artifact} if artifact else None,
        "FinalMetricDataList": body.get("metrics") or None,
        "ProfilingStatus": "Disabled",
        **_times(body, share=SPOT_SHARE if request.get("EnableManagedSpotTraining") else 1.0),
    }


def metric_definitions() -> list[dict[str, str]]:
    """Return the metric definitions of the built-in algorithm, as descriptions show them."""
    return [{"Name": metric, "Regex": expression.pattern} for metric, expression in DEFINITIONS.items()]


def _times(body: Mapping[str, Any], *, share: float) -> Members:
    """Return the end and the billed seconds per instance, which are a share of all seconds, of a job that started."""
    if "started_s" not in body or "ended_s" not in body:
        return {"TrainingEndTime": None}
    seconds = max(1, math.ceil(body["ended_s"] - body["started_s"]))
    return {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": math.ceil(seconds * share)}


def check(call: SageMakerCall, request: Mapping[str, Any], *, n_jobs: int = 1) -> None:
    """Refuse requests that AWS refuses and options that the emulator does not have.

    Args:
        call: the call.
        request: the CreateTrainingJob request.
        n_jobs: how many such jobs may run at a time.

    Raises:
        ApiError: AWS would refuse it.
    """
    call.check_role(request["RoleArn"])
    algorithm = request.get("AlgorithmSpecification", {})
    if not algorithm.get("TrainingImage"):
        raise invalid("A training job needs an AlgorithmSpecification with the TrainingImage of Linear Learner.")
    check_image(algorithm["TrainingImage"], call.region, what="training image")
    if algorithm.get("MetricDefinitions"):
        raise invalid(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request "
            "without specifying metric definitions."
        )
    check_vpc(request.get("VpcConfig"))
    check_key(request["OutputDataConfig"].get("KmsKeyId"), call.region, member="OutputDataConfig.KmsKeyId")
    call.refuse_unsupported(request, "ServerlessJobConfig", "MlflowConfig", "ModelPackageConfig")
    call.refuse_other(request["OutputDataConfig"], prefix="OutputDataConfig.", CompressionType="GZIP")
    _check_waiting(request)
    is_spot = bool(request.get("EnableManagedSpotTraining"))
    _check_resources(call, request.get("ResourceConfig", {}), is_spot=is_spot, n_jobs=n_jobs)
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if len(set(names)) < len(names):
        raise invalid(f"Channel names must be unique: {', '.join(names)}")
    if folders := {".", ".."}.intersection(names):
        raise invalid(f"A channel cannot have the name {folders.pop()!r}, which is another folder.")
    for channel in request.get("InputDataConfig", []):
        _check_channel(call, channel, role_arn=request["RoleArn"])
    check_output(call, request["OutputDataConfig"]["S3OutputPath"])
    _check_checkpoints(call, request.get("CheckpointConfig"))


def _check_waiting(request: Mapping[str, Any]) -> None:
    """Refuse a MaxWaitTimeInSeconds that does not fit the request."""
    stopping = request.get("StoppingCondition", {})
    wait_s, runtime_s = stopping.get("MaxWaitTimeInSeconds"), stopping.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_S)
    problem = ""
    if request.get("EnableManagedSpotTraining") and (wait_s is None or wait_s < runtime_s):
        problem = f"It must be present and be greater than or equal to MaxRuntimeInSeconds ({runtime_s})."
    elif wait_s is not None and wait_s > MAX_WAIT_WITHOUT_CHECKPOINTS_S and "CheckpointConfig" not in request:
        most_s = MAX_WAIT_WITHOUT_CHECKPOINTS_S
        problem = f"An algorithm without checkpoints has at most {most_s} s, not {wait_s}."
    elif wait_s is not None and not request.get("EnableManagedSpotTraining"):
        problem = "It is only supported when EnableManagedSpotTraining is true."
    if problem:
        raise invalid(f"Invalid MaxWaitTimeInSeconds. {problem}")


def _check_resources(call: SageMakerCall, resources: Mapping[str, Any], *, is_spot: bool, n_jobs: int) -> None:
    missing = [name for name in ("InstanceType", "InstanceCount", "VolumeSizeInGB") if not resources.get(name)]
    if missing:
        raise invalid(f"ResourceConfig needs {' and '.join(missing)}.")
    call.refuse_unsupported(
        resources, "InstanceGroups", "TrainingPlanArn", "KeepAlivePeriodInSeconds", prefix="ResourceConfig."
    )
    check_volume_key(call, resources, prefix="ResourceConfig")
    call.check_quota(
        "spot training job usage" if is_spot else "training job usage",
        kind=ledger.SPOT_TRAINING if is_spot else ledger.TRAINING,
        instance_type=resources["InstanceType"],
        count=resources["InstanceCount"] * n_jobs,
    )


def _check_channel(call: SageMakerCall, channel: Mapping[str, Any], *, role_arn: str) -> None:
    source = channel["DataSource"].get("S3DataSource")
    if source is None or source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise invalid(
            f"The emulator reads the channel {channel['ChannelName']!r} from an S3Prefix or a ManifestFile only."
        )
    call.refuse_other(channel, prefix="InputDataConfig.", RecordWrapperType="None")
    check_input(call, source["S3Uri"], role_arn=role_arn)


def _check_checkpoints(call: SageMakerCall, config: Mapping[str, Any] | None) -> None:
    if config is None:
        return
    local = config.get("LocalPath", LOCAL_PATH)
    if local.rstrip("/") != LOCAL_PATH:
        raise invalid(
            f"Linear Learner keeps its checkpoints in {LOCAL_PATH}, not in CheckpointConfig.LocalPath {local}."
        )
    check_output(call, config["S3Uri"], what="checkpoint")


KIND = Kind(
    TRAINING_JOB,
    "TrainingJob",
    "training job",
    _check_new,
    _description,
    "TrainingJobSummaries",
    not_found=("ValidationException", "Requested resource not found."),
    taken=(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, and a training job with this name "
        "already exists ({arn})",
    ),
    sort_order="Ascending",
    settle=lambda services: services.jobs.settle(),
)
"""Training jobs."""
