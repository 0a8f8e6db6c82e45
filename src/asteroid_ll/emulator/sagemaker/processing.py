"""SageMaker's processing jobs: their checks and their description.

The emulator runs no code that it is sent: a job must have the entry point, and the wheel, with which asteroid-ll runs
its own stages. Then the emulator runs the stage with its own code, which is that of the wheel.

Sources of AWS's refusals: for the image, public logs of CreateProcessingJob (``Invalid region`` is in
amazon-sagemaker-examples, issue 2422); for a role of another account, the developer guide, "SageMaker Python SDK
Troubleshooting Guide"; for the rest, the API reference. AWS refuses two inputs with the same folder, with an empty
message (sagemaker-python-sdk, issue 4939). The defaults of an answer are those of ``processingjobconfig.json`` in the
developer guide, "Build Your Own Processing Container".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from asteroid_ll import own_wheel
from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.resources import PROCESSING_JOB, Resource
from asteroid_ll.emulator.sagemaker.call import (
    SageMakerCall,
    check_input,
    check_key,
    check_output,
    check_volume_key,
    check_vpc,
    invalid,
)
from asteroid_ll.emulator.sagemaker.kinds import JOB_NOT_FOUND, JOB_TAKEN, Kind, Members
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import DownloadError, input_objects
from asteroid_ll.errors import AsteroidError
from asteroid_ll.linear_learner.images import dns_suffix
from asteroid_ll.processing_container import CODE, ENTRYPOINT, local_path

BASE = "/opt/ml/processing"
"""The folder of the container in which all inputs and outputs are."""

DEFAULT_MAX_RUNTIME_S = 86_400
"""24 hours (SageMaker Python SDK, Processor, "max_runtime_in_seconds")."""

_IMAGE = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?P<domain>[a-z0-9.-]+)/\S+", re.ASCII)
_NO_CODE = (
    "The emulator runs no code that it is sent, only the stages of asteroid-ll itself ('stages.where: processing'): "
)


def _check(call: SageMakerCall, request: Members) -> Members:
    """Refuse requests that AWS refuses, and those that the emulator cannot run."""
    call.refuse_unsupported(request, "ExperimentConfig")
    if request["RoleArn"].split(":")[4] != call.state.account_id:
        raise invalid("RoleArn: Cross-account pass role is not allowed.")
    call.check_role(request["RoleArn"])
    _check_application(call, request["AppSpecification"])
    _check_instances(call, request["ProcessingResources"]["ClusterConfig"])
    check_vpc(request.get("NetworkConfig", {}).get("VpcConfig"))
    output = request.get("ProcessingOutputConfig", {})
    check_key(output.get("KmsKeyId"), call.region, member="ProcessingOutputConfig.KmsKeyId")
    folders = list(_checked_folders(call, request))
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        raise invalid(f"Two inputs or outputs have the LocalPath {twice}. Each needs a folder of its own.")
    _check_wheel(call, request)
    request.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME_S})
    return {}


def _check_application(call: SageMakerCall, application: Mapping[str, Any]) -> None:
    image = application["ImageUri"]
    match = _IMAGE.fullmatch(image)
    if match is None or match["domain"] != dns_suffix(match["region"]):
        raise invalid(
            f"Invalid image URI {image}. Please provide a valid Amazon Elastic Container Registry path of the Docker "
            "image to run."
        )
    if match["region"] != call.region:
        raise invalid(
            f"Invalid region {match['region']} in image URI {image}. Please provide an image URI in region "
            f"{call.region}."
        )
    if "ContainerArguments" in application or application.get("ContainerEntrypoint") != list(ENTRYPOINT):
        raise invalid(f"{_NO_CODE}AppSpecification has another entry point.")


def _check_instances(call: SageMakerCall, instances: Members) -> None:
    prefix = "ProcessingResources.ClusterConfig"
    others = ("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount")
    call.refuse_unsupported(instances, *others, prefix=f"{prefix}.")
    if "InstanceType" not in instances:
        raise invalid(f"{prefix} needs InstanceType.")
    instances.setdefault("InstanceCount", 1)
    check_volume_key(call, instances, prefix=prefix)
    call.check_quota(
        "processing job usage",
        kind=ledger.PROCESSING,
        instance_type=instances["InstanceType"],
        count=instances["InstanceCount"],
    )


def _checked_folders(call: SageMakerCall, request: Mapping[str, Any]) -> Iterator[PurePosixPath]:
    """Yield the folder of each input and output, after its checks."""
    for described in request.get("ProcessingInputs", []):
        call.refuse_unsupported(described, "AppManaged", "DatasetDefinition", prefix="ProcessingInputs.")
        source = described.get("S3Input", {})
        call.refuse_other(source, prefix="S3Input.", S3InputMode="File", S3CompressionType="None")
        yield _folder(source, f"The input {described['InputName']!r}")
        check_input(call, source["S3Uri"], role_arn=request["RoleArn"])
    for described in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        call.refuse_unsupported(described, "AppManaged", "FeatureStoreOutput", prefix="ProcessingOutputConfig.Outputs.")
        target = described.get("S3Output", {})
        call.refuse_other(target, prefix="S3Output.", S3UploadMode="EndOfJob")
        yield _folder(target, f"The output {described['OutputName']!r}")
        check_output(call, target["S3Uri"])


def _folder(place: Mapping[str, Any], what: str) -> PurePosixPath:
    """Return the folder of an input or output."""
    text = place.get("LocalPath", "none")
    path = PurePosixPath(text)
    if ".." in path.parts or not path.is_relative_to(BASE) or path == PurePosixPath(BASE):
        raise invalid(f"{what} must have a LocalPath that begins with {BASE}/, not {text}.")
    return path


def _check_wheel(call: SageMakerCall, request: Mapping[str, Any]) -> None:
    """Refuse a job whose code is not that of the emulator."""
    code = PurePosixPath(local_path(CODE))
    sources = [described["S3Input"] for described in request.get("ProcessingInputs", [])]
    source = next((source for source in sources if PurePosixPath(source["LocalPath"]) == code), None)
    if source is None:
        raise invalid(f"{_NO_CODE}no input has the LocalPath {code}.")
    try:
        with call.asked_buckets() as buckets:
            objects = input_objects(source, buckets)
            names = [item.path for item in objects]
            if names == [own_wheel.file_name()] and _is_own_wheel(buckets.file_of(objects[0].item)):
                return
    except (DownloadError, AsteroidError, ApiError) as error:
        if isinstance(error, ApiError) and error.status >= 500:
            raise
        raise invalid(f"{_NO_CODE}{error}") from error
    raise invalid(
        f"{_NO_CODE}the objects below {source['S3Uri']} are not the emulator's own wheel, {own_wheel.file_name()}."
    )


def _is_own_wheel(path: Path) -> bool:
    """Return whether a file, which may be of any size, is the emulator's own wheel."""
    wheel = own_wheel.build()
    return path.stat().st_size == len(wheel) and path.read_bytes() == wheel


def _description(_call: SageMakerCall, job: Resource) -> Members:
    """Return the inputs and outputs with the defaults of AWS's answers."""
    request = job.body["request"]
    defaults = {"S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None"}
    answer: Members = {}
    if "ProcessingInputs" in request:
        answer["ProcessingInputs"] = [
            {"AppManaged": False, **described, "S3Input": {**defaults, **described["S3Input"]}}
            for described in request["ProcessingInputs"]
        ]
    if "ProcessingOutputConfig" in request:
        config = request["ProcessingOutputConfig"]
        outputs = [{"AppManaged": False, **output} for output in config["Outputs"]]
        answer["ProcessingOutputConfig"] = {**config, "Outputs": outputs}
    return answer


KIND = Kind(
    PROCESSING_JOB,
    "ProcessingJob",
    "processing job",
    _check,
    _description,
    "ProcessingJobSummaries",
    not_found=JOB_NOT_FOUND,
    taken=JOB_TAKEN,
    sort_order="Ascending",
    settle=lambda services: services.processings.settle(),
)
"""Processing jobs."""
