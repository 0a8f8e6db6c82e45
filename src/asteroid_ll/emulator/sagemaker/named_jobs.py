"""The names of transform and processing jobs: which exist, and which are taken, in AWS's words.

Sources: for processing jobs, ``Job name must be unique ...`` is in public logs of CreateProcessingJob, and ``Could not
find requested job`` in AWS's controller for Kubernetes (sagemaker-controller, generator.yaml).
"""

from __future__ import annotations

from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.transport.messages import ApiError


def existing_job(call: SageMakerCall, kind: str, name: str) -> Resource:
    """Return the job of that name.

    Raises:
        ApiError: ``ValidationException``: there is none.
    """
    job = call.visible(kind, name)
    if job is None:
        raise invalid(f"Could not find requested job with name: {name}")
    return job


def refuse_taken_name(call: SageMakerCall, kind: str, name: str) -> None:
    """Refuse the name of a job that exists.

    Raises:
        ApiError: ``ResourceInUse``.
    """
    if call.resources.get(kind, call.region, name) is not None:
        raise name_taken(call, kind, name)


def name_taken(call: SageMakerCall, kind: str, name: str) -> ApiError:
    """Return the refusal of a name that another job has."""
    return ApiError(
        "ResourceInUse",
        "Job name must be unique within an AWS account and region, and a job with this name already exists "
        f"({call.arn(kind, name)})",
    )
