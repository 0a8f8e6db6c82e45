"""SageMaker's processing jobs: create, describe, list, stop and delete.

Sources: the API reference, and for the defaults of an answer the example of ``processingjobconfig.json`` in the
developer guide, "Build Your Own Processing Container". The refusals of StopProcessingJob and DeleteProcessingJob have
the words of StopTrainingJob.
"""

from __future__ import annotations

from typing import Any

from asteroid_ll.emulator.resources import PROCESSING_JOB, Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.sagemaker.listing import page
from asteroid_ll.emulator.sagemaker.named_jobs import existing_job, name_taken, refuse_taken_name
from asteroid_ll.emulator.sagemaker.processing_checks import check
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.jobs import TERMINAL

DEFAULT_MAX_RUNTIME_S = 86_400
"""24 hours (SageMaker Python SDK, Processor, "max_runtime_in_seconds")."""


def create(call: SageMakerCall) -> dict[str, Any]:
    """CreateProcessingJob: check the request as AWS does, then start the job's process."""
    name = call.params["ProcessingJobName"]
    request = {key: value for key, value in call.params.items() if key not in ("ProcessingJobName", "Tags")}
    tags = call.new_tags()
    refuse_taken_name(call, PROCESSING_JOB, name)
    request["ProcessingResources"]["ClusterConfig"].setdefault("InstanceCount", 1)
    request.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME_S})
    check(call, request)
    jobs = call.services.processings
    job = jobs.new(call.region, name, request=request, tags=tags)
    if job is None:  # another process was faster
        raise name_taken(call, PROCESSING_JOB, name)
    jobs.spawn(job)
    return {"ProcessingJobArn": job.arn}


def describe(call: SageMakerCall) -> dict[str, Any]:
    """DescribeProcessingJob."""
    job = _settled(call)
    request = dict(job.body["request"])
    for member in ("ProcessingInputs", "ProcessingOutputConfig"):
        request.setdefault(member, None)
    if request["ProcessingInputs"] is not None:
        request["ProcessingInputs"] = [_input(described) for described in request["ProcessingInputs"]]
    if request["ProcessingOutputConfig"] is not None:
        outputs = [{"AppManaged": False, **output} for output in request["ProcessingOutputConfig"]["Outputs"]]
        request["ProcessingOutputConfig"] = {**request["ProcessingOutputConfig"], "Outputs": outputs}
    return {**request, **_summary(job), "ProcessingStartTime": job.body.get("started_s")}


def list_jobs(call: SageMakerCall) -> dict[str, Any]:
    """ListProcessingJobs."""
    call.services.processings.settle()
    return page(call, PROCESSING_JOB, member="ProcessingJobSummaries", default_order="Ascending", summary=_summary)


def stop(call: SageMakerCall) -> dict[str, Any]:
    """StopProcessingJob: asynchronous; the containers get SIGINT, and the job is billed until they have ended."""
    job = _settled(call)
    if job.status != "InProgress":
        raise invalid(f"The request was rejected because the processing job is in status {job.status}.")
    call.services.processings.request_stop(job)
    return {}


def delete(call: SageMakerCall) -> dict[str, Any]:
    """DeleteProcessingJob: only a job that has ended; its name becomes free."""
    job = _settled(call)
    if job.status not in TERMINAL:
        raise ApiError(
            "ResourceInUse", f"The request was rejected because the processing job is in status {job.status}."
        )
    with call.state.transaction() as db:
        call.resources.delete(db, job)
    return {}


def _settled(call: SageMakerCall) -> Resource:
    """Return the request's job as it is now."""
    call.services.processings.settle()
    return existing_job(call, PROCESSING_JOB, call.params["ProcessingJobName"])


def _input(described: dict[str, Any]) -> dict[str, Any]:
    defaults = {"S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None"}
    return {"AppManaged": False, **described, "S3Input": {**defaults, **described["S3Input"]}}


def _summary(job: Resource) -> dict[str, Any]:
    return {
        "ProcessingJobName": job.name,
        "ProcessingJobArn": job.arn,
        "CreationTime": job.created_s,
        "LastModifiedTime": job.modified_s,
        "ProcessingEndTime": job.body.get("ended_s"),
        "ProcessingJobStatus": job.status,
        "FailureReason": job.body.get("reason"),
        "ExitMessage": job.body.get("exit_message"),
    }
