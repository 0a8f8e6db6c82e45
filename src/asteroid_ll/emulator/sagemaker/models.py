"""SageMaker's models and endpoint configurations: their checks and their descriptions.

Endpoints and jobs that were created from a model, and endpoints that were created from a configuration, outlive it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator import resources
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, check_image, check_key, check_vpc, invalid
from asteroid_ll.emulator.sagemaker.kinds import Kind, Members, existing
from asteroid_ll.emulator.worker.files import parse_s3_uri

_OF_INSTANCES = ("InstanceType", "InitialInstanceCount", "AcceleratorType", "VolumeSizeInGB", "ManagedInstanceScaling")
"""The members of a variant that need instances."""


def container_of(model: Resource) -> Members:
    """Return the only container of a model."""
    request = model.body["request"]
    container: Members = request.get("PrimaryContainer") or request["Containers"][0]
    return container


def _check_model(call: SageMakerCall, request: Members) -> Members:
    role_arn = request.get("ExecutionRoleArn")
    if not role_arn:
        raise invalid("A model needs an ExecutionRoleArn.")
    call.check_role(role_arn)
    containers = [*request.get("Containers", []), *filter(None, [request.get("PrimaryContainer")])]
    if len(containers) != 1:
        raise invalid("The emulator's models have exactly one container.")
    _check_container(call, containers[0], role_arn=role_arn)
    check_vpc(request.get("VpcConfig"))
    return {}


def _check_config(call: SageMakerCall, request: Members) -> Members:
    variants = request["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise invalid(f"Variant names must be unique: {', '.join(names)}")
    call.refuse_unsupported(
        request, "AsyncInferenceConfig", "DataCaptureConfig", "ExplainerConfig", "ShadowProductionVariants"
    )
    check_key(request.get("KmsKeyId"), call.region, member="KmsKeyId")
    for variant in variants:
        _check_variant(call, variant)
    if len(variants) > 1 and any("ServerlessConfig" in variant for variant in variants):
        raise invalid("A serverless endpoint must have exactly one production variant.")
    return {}


def _check_container(call: SageMakerCall, container: Mapping[str, Any], *, role_arn: str) -> None:
    check_image(container.get("Image", ""), call.region, what="model image")
    call.refuse_unsupported(
        container, "MultiModelConfig", "ModelPackageName", "ModelDataSource", "AdditionalModelDataSources"
    )
    call.refuse_other(container, Mode="SingleModel")
    uri = container.get("ModelDataUrl")
    if not uri:
        raise invalid("The emulator's models need a ModelDataUrl.")
    bucket, key = parse_s3_uri(uri)
    role = call.execution_role(role_arn)
    if not call.has_bucket(bucket) or (role is not None and role.read_denial(bucket, key)):
        raise invalid(
            f'Could not access model data at {uri}. Please ensure that the role "{role_arn}" exists and that its trust '
            'relationship policy allows the action "sts:AssumeRole" for the service principal '
            '"sagemaker.amazonaws.com". '
            f'Also ensure that the role has "s3:GetObject" permissions and that the object is located in {call.region}.'
        )
    with call.asked_buckets() as buckets:
        model_data = buckets.get(bucket, key)
    if model_data is None:
        raise invalid(f"Could not find model data at {uri}.")


def _check_variant(call: SageMakerCall, variant: Mapping[str, Any]) -> None:
    name = variant["VariantName"]
    if "ModelName" not in variant:
        raise invalid(f"The variant {name} needs a ModelName.")
    existing(call, MODEL, variant["ModelName"])
    if "ServerlessConfig" in variant:
        _check_serverless(variant)
        return
    missing = [member for member in ("InstanceType", "InitialInstanceCount") if member not in variant]
    if missing:
        raise invalid(f"The variant {name} needs {' and '.join(missing)}.")
    if variant["InitialInstanceCount"] < 1:
        raise invalid(f"The variant {name} needs at least one instance.")


def _check_serverless(variant: Mapping[str, Any]) -> None:
    """Refuse a serverless variant that AWS refuses (API reference, ProductionVariantServerlessConfig)."""
    name, config = variant["VariantName"], variant["ServerlessConfig"]
    if excluded := [member for member in _OF_INSTANCES if member in variant]:
        raise invalid(f"The variant {name} has a ServerlessConfig, which excludes {' and '.join(excluded)}.")
    memory_mb, provisioned = config["MemorySizeInMB"], config.get("ProvisionedConcurrency", 0)
    if memory_mb % 1024:
        raise invalid(
            f"The variant {name} has MemorySizeInMB {memory_mb}. "
            "Valid values are 1024, 2048, 3072, 4096, 5120 and 6144."
        )
    if provisioned > config["MaxConcurrency"]:
        raise invalid(f"The variant {name} has a ProvisionedConcurrency above its MaxConcurrency.")


def _isolation(_call: SageMakerCall, resource: Resource) -> Members:
    return {"EnableNetworkIsolation": resource.body["request"].get("EnableNetworkIsolation", False)}


MODEL = Kind(resources.MODEL, "Model", "model", _check_model, _isolation, "Models")
"""Models."""

ENDPOINT_CONFIG = Kind(
    resources.ENDPOINT_CONFIG,
    "EndpointConfig",
    "endpoint configuration",
    _check_config,
    _isolation,
    "EndpointConfigs",
)
"""Endpoint configurations."""
