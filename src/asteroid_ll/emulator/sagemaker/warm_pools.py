"""Managed warm pools: a training job's instances stay up after it, are billed, and start the next job at once.

The ledger has an interval of its own for the time between jobs. A pool ends by itself, so nothing is left for good.

Source: the developer guide, "Train Using SageMaker AI Managed Warm Pools", and the API reference, WarmPoolStatus.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.resources import TRAINING_JOB, Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.worker.jobs import ACTIVE

AVAILABLE = "Available"
_MATCHING = ("RoleArn", "VpcConfig", "EnableInterContainerTrafficEncryption", "EnableNetworkIsolation")
_MATCHING_RESOURCES = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")


def keep_alive_s(request: Mapping[str, Any]) -> int:
    """Return how long a job's instances stay up after it, in seconds; 0 without a pool."""
    return int(request.get("ResourceConfig", {}).get("KeepAlivePeriodInSeconds", 0))


def check(call: SageMakerCall, request: Mapping[str, Any]) -> None:
    """Refuse a pool that the account may not have.

    Raises:
        ApiError: ``ValidationException``, ``ResourceLimitExceeded``.
    """
    if not keep_alive_s(request):
        return
    if request.get("EnableManagedSpotTraining"):
        raise invalid("KeepAlivePeriodInSeconds is not supported with managed spot training.")
    resources = request["ResourceConfig"]
    call.check_quota(
        "training warm pool usage",
        kind=ledger.WARM_POOL,
        instance_type=resources["InstanceType"],
        count=resources["InstanceCount"],
    )


def status(job: Resource, now_s: float) -> dict[str, Any] | None:
    """Return a job's ``WarmPoolStatus``; None if it has no pool."""
    pool = job.body.get("pool")
    if pool is None:
        if not keep_alive_s(job.body["request"]):
            return None
        return {"Status": "InUse" if job.status in ACTIVE else "Terminated"}
    seconds = math.ceil(min(now_s, pool["until_s"]) - pool["since_s"])
    word = "Reused" if "reused_by" in pool else AVAILABLE if now_s < pool["until_s"] else "Terminated"
    return {
        "Status": word,
        "ResourceRetainedBillableTimeInSeconds": max(0, seconds),
        "ReusedByJob": pool.get("reused_by"),
    }


def is_available(job: Resource, now_s: float) -> bool:
    """Return whether a job's instances wait for another job."""
    found = status(job, now_s)
    return found is not None and found["Status"] == AVAILABLE


def reuse(call: SageMakerCall, job: Resource) -> bool:
    """Move the oldest available pool that matches to a new job; return False if there is none."""
    request, now_s = job.body["request"], call.state.now()
    if request.get("EnableManagedSpotTraining"):
        return False
    with call.state.transaction() as db:
        for other in call.resources.with_pool(TRAINING_JOB, call.region):
            if is_available(other, now_s) and _key(other.body["request"]) == _key(request):
                pool = {**other.body["pool"], "until_s": now_s, "reused_by": job.name}
                call.resources.save(db, replace(other, body={**other.body, "pool": pool}))
                ledger.end_at(db, other.arn, kind=ledger.WARM_POOL, ended_s=now_s)
                return True
    return False


def update_training_job(call: SageMakerCall) -> dict[str, Any]:
    """UpdateTrainingJob: change how long the instances stay up; 0 ends the pool."""
    call.refuse_unsupported(call.params, "ProfilerConfig", "ProfilerRuleConfigurations", "RemoteDebugConfig")
    job = call.visible(TRAINING_JOB, call.params["TrainingJobName"])
    if job is None:
        raise invalid("Requested resource not found.")
    if "ResourceConfig" not in call.params:
        return {"TrainingJobArn": job.arn}
    seconds, now_s = call.params["ResourceConfig"]["KeepAlivePeriodInSeconds"], call.state.now()
    request = job.body["request"]
    request = {**request, "ResourceConfig": {**request["ResourceConfig"], "KeepAlivePeriodInSeconds": seconds}}
    body = {**job.body, "request": request}
    if is_available(job, now_s):
        body["pool"] = {**job.body["pool"], "until_s": max(now_s, job.body["pool"]["since_s"] + seconds)}
    elif job.status not in ACTIVE:
        raise invalid(f"The training job {job.name} has no warm pool that is {AVAILABLE}.")
    with call.state.transaction() as db:
        call.resources.save(db, replace(job, body=body, modified_s=now_s))
        if "pool" in body:
            ledger.end_at(db, job.arn, kind=ledger.WARM_POOL, ended_s=body["pool"]["until_s"])
    return {"TrainingJobArn": job.arn}


def _key(request: Mapping[str, Any]) -> list[Any]:
    """Return what has to be equal for a job to run on another job's instances."""
    resources = request["ResourceConfig"]
    return [request.get(name) or None for name in _MATCHING] + [resources.get(name) for name in _MATCHING_RESOURCES]
