"""SageMaker's training jobs: create, describe, list, stop and delete."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.resources import TRAINING_JOB, Resource
from asteroid_ll.emulator.sagemaker import warm_pools
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.sagemaker.company import check_key, check_vpc
from asteroid_ll.emulator.sagemaker.images import check_image
from asteroid_ll.emulator.sagemaker.listing import page
from asteroid_ll.emulator.sagemaker.locations import check_input, check_output
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import CHECKPOINTS as LOCAL_PATH
from asteroid_ll.emulator.worker.jobs import TERMINAL
from asteroid_ll.emulator.worker.log import DEFINITIONS
from asteroid_ll.instance_types import has_local_storage

DEFAULT_MAX_RUNTIME_S = 86_400
MAX_WAIT_WITHOUT_CHECKPOINTS_S = 3_600
"""AWS's limit for a built-in algorithm that keeps no checkpoints (developer guide, "Managed Spot Training")."""

SPOT_SHARE = 0.3
"""The part of a spot job's seconds that is billed here. On AWS it follows the market; public logs have about this."""

NOT_FOUND = "Requested resource not found."


def create(call: SageMakerCall) -> dict[str, Any]:
    """CreateTrainingJob: check the request as AWS does, then start the job's process."""
    name = call.params["TrainingJobName"]
    request = {key: value for key, value in call.params.items() if key not in ("TrainingJobName", "Tags")}
    tags = call.new_tags()
    if call.resources.get(TRAINING_JOB, call.region, name) is not None:
        raise _name_taken(call, name)
    check(call, request)
    request.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_S)
    jobs = call.services.jobs
    job = jobs.new(call.region, name, request=request, tags=tags)
    if job is None:  # another process was faster
        raise _name_taken(call, name)
    if warm_pools.reuse(call, job):
        jobs.note(job, is_warm=True)
    jobs.spawn(job)
    return {"TrainingJobArn": job.arn}


def describe(call: SageMakerCall) -> dict[str, Any]:
    """DescribeTrainingJob. Members that were not set have the values of AWS's answers; SDKs read them."""
    call.services.jobs.settle()
    job = _existing(call)
    body, request = job.body, job.body["request"]
    algorithm = {
        **request["AlgorithmSpecification"],
        "MetricDefinitions": metric_definitions(),
        "EnableSageMakerMetricsTimeSeries": False,
    }
    artifact = body.get("artifact")
    return {
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        **request,
        **_times(body, share=SPOT_SHARE if request.get("EnableManagedSpotTraining") else 1.0),
        "AlgorithmSpecification": algorithm,
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "TuningJobArn": body.get("tuning_job_arn"),
        "TrainingJobStatus": job.status,
        "SecondaryStatus": body["secondary"],
        "SecondaryStatusTransitions": body["transitions"],
        "CreationTime": job.created_s,
        "LastModifiedTime": job.modified_s,
        "FailureReason": body.get("reason"),
        "InputDataConfig": [
            {"CompressionType": "None", "RecordWrapperType": "None", **channel}
            for channel in request.get("InputDataConfig", [])
        ],
        "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP", **request["OutputDataConfig"]},
        "ModelArtifacts": {"S3ModelArtifacts": artifact} if artifact else None,
        "FinalMetricDataList": body.get("metrics") or None,
        "ProfilingStatus": "Disabled",
        "WarmPoolStatus": warm_pools.status(job, call.state.now()),
    }


def metric_definitions() -> list[dict[str, str]]:
    """Return the metric definitions of the built-in algorithm, as descriptions show them."""
    return [{"Name": metric, "Regex": expression.pattern} for metric, expression in DEFINITIONS.items()]


def list_jobs(call: SageMakerCall) -> dict[str, Any]:
    """ListTrainingJobs."""
    call.services.jobs.settle()
    now_s, wanted = call.state.now(), call.params.get("WarmPoolStatusEquals")
    if "TrainingPlanArnEquals" in call.params:  # no job here has one
        return {"TrainingJobSummaries": []}
    return page(
        call,
        TRAINING_JOB,
        matches=lambda job: wanted is None or (warm_pools.status(job, now_s) or {}).get("Status") == wanted,
        member="TrainingJobSummaries",
        default_order="Ascending",
        summary=lambda job: {
            "TrainingJobName": job.name,
            "TrainingJobArn": job.arn,
            "CreationTime": job.created_s,
            "LastModifiedTime": job.modified_s,
            "TrainingEndTime": job.body.get("ended_s"),
            "TrainingJobStatus": job.status,
            "SecondaryStatus": job.body["secondary"],
            "WarmPoolStatus": warm_pools.status(job, now_s),
        },
    )


def stop(call: SageMakerCall) -> dict[str, Any]:
    """StopTrainingJob: asynchronous; the container gets SIGTERM and is billed until it has ended."""
    call.services.jobs.settle()
    job = _existing(call)
    if job.status != "InProgress":
        raise invalid(f"The request was rejected because the training job is in status {job.status}.")
    call.services.jobs.request_stop(job)
    return {}


def delete(call: SageMakerCall) -> dict[str, Any]:
    """DeleteTrainingJob: only a job that has ended and retains no warm pool; its name becomes free."""
    call.services.jobs.settle()
    job = _existing(call)
    if job.status not in TERMINAL:
        raise ApiError("ResourceInUse", f"The request was rejected because the training job is in status {job.status}.")
    if warm_pools.is_available(job, call.state.now()):
        raise ApiError("ResourceInUse", "The request was rejected because the training job retains a warm pool.")
    with call.state.transaction() as db:
        call.resources.delete(db, job)
    return {}


def _existing(call: SageMakerCall) -> Resource:
    job = call.visible(TRAINING_JOB, call.params["TrainingJobName"])
    if job is None:
        raise invalid(NOT_FOUND)
    return job


def _name_taken(call: SageMakerCall, name: str) -> ApiError:
    return ApiError(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, and a training job with this name "
        f"already exists ({call.arn(TRAINING_JOB, name)})",
    )


def _times(body: Mapping[str, Any], *, share: float) -> dict[str, Any]:
    """Return the start, the end and the billed seconds per instance, which are a share of all seconds."""
    if "started_s" not in body:
        return {}
    times = {"TrainingStartTime": body["started_s"]}
    if "ended_s" in body:
        seconds = max(1, math.ceil(body["ended_s"] - body["started_s"]))
        times |= {
            "TrainingEndTime": body["ended_s"],
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": math.ceil(seconds * share),
        }
    return times


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
    _check_modes(request)
    is_spot = bool(request.get("EnableManagedSpotTraining"))
    _check_resources(call, request.get("ResourceConfig", {}), is_spot=is_spot, n_jobs=n_jobs)
    warm_pools.check(call, request)
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if len(set(names)) < len(names):
        raise invalid(f"Channel names must be unique: {', '.join(names)}")
    if folders := {".", ".."}.intersection(names):
        raise invalid(f"A channel cannot have the name {folders.pop()!r}, which is another folder.")
    for channel in request.get("InputDataConfig", []):
        _check_channel(call, channel, role_arn=request["RoleArn"])
    check_output(call, request["OutputDataConfig"]["S3OutputPath"])
    _check_checkpoints(call, request.get("CheckpointConfig"))


def _check_modes(request: Mapping[str, Any]) -> None:
    if request["OutputDataConfig"].get("CompressionType", "GZIP") != "GZIP":
        raise invalid("The emulator writes compressed artifacts only (OutputDataConfig.CompressionType).")
    stopping = request.get("StoppingCondition", {})
    wait_s, runtime_s = stopping.get("MaxWaitTimeInSeconds"), stopping.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_S)
    if request.get("EnableManagedSpotTraining") and (wait_s is None or wait_s < runtime_s):
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds "
            f"({runtime_s})."
        )
    if wait_s is not None and wait_s > MAX_WAIT_WITHOUT_CHECKPOINTS_S and "CheckpointConfig" not in request:
        raise invalid(
            f"Invalid MaxWaitTimeInSeconds. An algorithm without checkpoints has at most "
            f"{MAX_WAIT_WITHOUT_CHECKPOINTS_S} s, not {wait_s}."
        )
    if wait_s is not None and not request.get("EnableManagedSpotTraining"):
        raise invalid("Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is true.")


def _check_resources(call: SageMakerCall, resources: Mapping[str, Any], *, is_spot: bool, n_jobs: int) -> None:
    missing = [name for name in ("InstanceType", "InstanceCount", "VolumeSizeInGB") if not resources.get(name)]
    if missing:
        raise invalid(f"ResourceConfig needs {' and '.join(missing)}.")
    call.refuse_unsupported(resources, "InstanceGroups", "TrainingPlanArn", prefix="ResourceConfig.")
    key = resources.get("VolumeKmsKeyId")
    check_key(key, call.region, member="ResourceConfig.VolumeKmsKeyId", takes_alias=False)
    if key and has_local_storage(resources["InstanceType"]):
        raise invalid(
            f"VolumeKmsKeyId is not supported for {resources['InstanceType']}: the instance encrypts its local storage "
            "itself."
        )
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
    if channel.get("RecordWrapperType", "None") != "None":
        raise invalid(f"The emulator has no record wrapper (channel {channel['ChannelName']!r}).")
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
