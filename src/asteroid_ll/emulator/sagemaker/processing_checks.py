"""The checks of a CreateProcessingJob request.

The emulator runs no code that it is sent: a job must have the entry point, and the wheel, with which asteroid-ll runs
its own stages. Then the emulator runs the stage with its own code, which is that of the wheel.

Sources of AWS's refusals: for the image, public logs of CreateProcessingJob (``Invalid region`` is in
amazon-sagemaker-examples, issue 2422); for a role of another account, the developer guide, "SageMaker Python SDK
Troubleshooting Guide"; for an input without objects, amazon-sagemaker-examples, issue 1938; for the rest, the API
reference. AWS refuses two inputs with the same folder, with an empty message (sagemaker-python-sdk, issue 4939). A
folder inside another one is accepted, as in AWS's own examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from asteroid_ll import own_wheel
from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.sagemaker.company import check_key, check_vpc
from asteroid_ll.emulator.sagemaker.locations import check_input, check_output
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import DownloadError, input_objects
from asteroid_ll.errors import AsteroidError
from asteroid_ll.instance_types import has_local_storage
from asteroid_ll.linear_learner.images import dns_suffix
from asteroid_ll.processing_container import CODE, ENTRYPOINT, local_path

BASE = "/opt/ml/processing"
"""The folder of the container in which all inputs and outputs are."""

_IMAGE = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?P<domain>[a-z0-9.-]+)/\S+", re.ASCII)
_NO_CODE = (
    "The emulator runs no code that it is sent, only the stages of asteroid-ll itself ('stages.where: processing'): "
)

Items = Mapping[str, Any]


def check(call: SageMakerCall, request: Items) -> None:
    """Refuse requests that AWS refuses, and those that the emulator cannot run.

    Args:
        call: the call.
        request: the CreateProcessingJob request, with ``InstanceCount`` and ``StoppingCondition``.

    Raises:
        ApiError: AWS or the emulator refuses it.
    """
    call.refuse_unsupported(request, "ExperimentConfig")
    _check_role(call, request["RoleArn"])
    _check_application(call, request["AppSpecification"])
    _check_instances(call, request["ProcessingResources"]["ClusterConfig"])
    check_vpc(request.get("NetworkConfig", {}).get("VpcConfig"))
    check_key(
        request.get("ProcessingOutputConfig", {}).get("KmsKeyId"), call.region, member="ProcessingOutputConfig.KmsKeyId"
    )
    folders = [*_checked_inputs(call, request), *_checked_outputs(call, request)]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        raise invalid(f"Two inputs or outputs have the LocalPath {twice}. Each needs a folder of its own.")
    _check_wheel(call, request)


def _check_role(call: SageMakerCall, role_arn: str) -> None:
    account = role_arn.split(":")[4]
    if account != call.state.account_id:
        raise invalid("RoleArn: Cross-account pass role is not allowed.")
    call.check_role(role_arn)


def _check_application(call: SageMakerCall, application: Items) -> None:
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
    command = [*application.get("ContainerEntrypoint", ()), *application.get("ContainerArguments", ())]
    if "ContainerArguments" in application or command != list(ENTRYPOINT):
        raise invalid(f"{_NO_CODE}AppSpecification has another entry point.")


def _check_instances(call: SageMakerCall, instances: Items) -> None:
    call.refuse_unsupported(
        instances,
        *("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"),
        prefix="ProcessingResources.ClusterConfig.",
    )
    if "InstanceType" not in instances:
        raise invalid("ProcessingResources.ClusterConfig needs InstanceType.")
    key, member = instances.get("VolumeKmsKeyId"), "ProcessingResources.ClusterConfig.VolumeKmsKeyId"
    check_key(key, call.region, member=member, takes_alias=False)
    if key and has_local_storage(instances["InstanceType"]):
        raise invalid(
            f"VolumeKmsKeyId is not supported for {instances['InstanceType']}: the instance encrypts its local storage "
            "itself."
        )
    call.check_quota(
        "processing job usage",
        kind=ledger.PROCESSING,
        instance_type=instances["InstanceType"],
        count=instances["InstanceCount"],
    )


def _checked_inputs(call: SageMakerCall, request: Items) -> Iterator[PurePosixPath]:
    """Yield the folder of each input, after its checks."""
    for described in request.get("ProcessingInputs", []):
        what = f"The input {described['InputName']!r}"
        call.refuse_unsupported(described, "AppManaged", "DatasetDefinition", prefix="ProcessingInputs.")
        source = described.get("S3Input")
        if source is None:
            raise invalid(f"{what} needs an S3Input.")
        if source.get("S3InputMode", "File") != "File" or source.get("S3CompressionType", "None") != "None":
            raise invalid(f"{what} must have the S3InputMode File without compression: the emulator has no other one.")
        yield _folder(source, what)
        check_input(call, source["S3Uri"], role_arn=request["RoleArn"])


def _checked_outputs(call: SageMakerCall, request: Items) -> Iterator[PurePosixPath]:
    """Yield the folder of each output, after its checks."""
    for described in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        what = f"The output {described['OutputName']!r}"
        call.refuse_unsupported(described, "AppManaged", "FeatureStoreOutput", prefix="ProcessingOutputConfig.Outputs.")
        target = described.get("S3Output")
        if target is None:
            raise invalid(f"{what} needs an S3Output.")
        if target["S3UploadMode"] != "EndOfJob":
            raise invalid(f"{what} must have the S3UploadMode EndOfJob: the emulator has no Continuous.")
        yield _folder(target, what)
        check_output(call, target["S3Uri"])


def _folder(place: Items, what: str) -> PurePosixPath:
    """Return the folder of an input or output."""
    path = PurePosixPath(place.get("LocalPath", ""))
    if ".." in path.parts or not path.is_relative_to(BASE) or path == PurePosixPath(BASE):
        raise invalid(f"{what} must have a LocalPath that begins with {BASE}/, not {place.get('LocalPath', 'none')}.")
    return path


def _check_wheel(call: SageMakerCall, request: Items) -> None:
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
    except (DownloadError, AsteroidError) as error:
        raise invalid(f"{_NO_CODE}{error}") from error
    except ApiError as error:
        if error.status >= 500:
            raise
        raise invalid(f"{_NO_CODE}{error}") from error
    raise invalid(
        f"{_NO_CODE}the objects below {source['S3Uri']} are not the emulator's own wheel, {own_wheel.file_name()}."
    )


def _is_own_wheel(path: Path) -> bool:
    """Return whether a file, which may be of any size, is the emulator's own wheel."""
    wheel = own_wheel.build()
    return path.stat().st_size == len(wheel) and path.read_bytes() == wheel
