"""SageMaker's models and endpoint configurations: create, describe, list and delete."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from asteroid_ll.emulator.resources import ENDPOINT, ENDPOINT_CONFIG, MODEL, Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.sagemaker.company import check_key, check_vpc
from asteroid_ll.emulator.sagemaker.images import check_image
from asteroid_ll.emulator.sagemaker.listing import page
from asteroid_ll.emulator.worker.files import parse_s3_uri

WORDS = {MODEL: "model", ENDPOINT_CONFIG: "endpoint configuration", ENDPOINT: "endpoint"}
"""The kinds of resources in AWS's messages."""

_OF_INSTANCES = ("InstanceType", "InitialInstanceCount", "AcceleratorType", "VolumeSizeInGB", "ManagedInstanceScaling")
"""The members of a variant that need instances."""

_MEMBERS = {MODEL: "Model", ENDPOINT_CONFIG: "EndpointConfig"}
"""The kinds of resources in the names of members, such as ``ModelName``."""


def existing(call: SageMakerCall, kind: str, name: str) -> Resource:
    """Return the resource of that name.

    Raises:
        ApiError: ``ValidationException``, ``Could not find ...``.
    """
    resource = call.visible(kind, name)
    if resource is None:
        raise invalid(f'Could not find {WORDS[kind]} "{call.arn(kind, name)}".')
    return resource


def create_resource(
    call: SageMakerCall,
    kind: str,
    name: str,
    *,
    body: dict[str, Any],
    status: str = "",
    also: Callable[[sqlite3.Connection, Resource], None] | None = None,
) -> Resource:
    """Record a new resource with the request's tags.

    Args:
        call: the create call.
        kind: the resource's kind.
        name: its name.
        body: the values to record.
        status: its first status.
        also: a further step in the same transaction.

    Raises:
        ApiError: ``ValidationException`` if the name is taken.
    """
    tags = call.new_tags()
    now_s = call.state.now()
    resource = Resource(
        kind, call.region, name, status, now_s, now_s, body, call.settings.invisible_polls, call.state.account_id
    )
    with call.state.transaction() as db:
        if call.resources.get(kind, call.region, name) is not None:
            raise invalid(f'Cannot create already existing {WORDS[kind]} "{resource.arn}".')
        call.resources.save(db, resource)
        call.resources.put_tags(db, resource.arn, tags)
        if also is not None:
            also(db, resource)
    return resource


def create_model(call: SageMakerCall) -> dict[str, Any]:
    """CreateModel."""
    request = call.params
    role_arn = request.get("ExecutionRoleArn")
    if not role_arn:
        raise invalid("A model needs an ExecutionRoleArn.")
    call.check_role(role_arn)
    containers = [
        *request.get("Containers", []),
        *([request["PrimaryContainer"]] if "PrimaryContainer" in request else []),
    ]
    if len(containers) != 1:
        raise invalid("The emulator's models have exactly one container.")
    _check_container(call, containers[0], role_arn=role_arn)
    check_vpc(request.get("VpcConfig"))
    return _create(call, MODEL)


def describe_model(call: SageMakerCall) -> dict[str, Any]:
    """DescribeModel."""
    return _describe(call, MODEL)


def list_models(call: SageMakerCall) -> dict[str, Any]:
    """ListModels."""
    return page(call, MODEL, member="Models", summary=_summary)


def delete_model(call: SageMakerCall) -> dict[str, Any]:
    """DeleteModel; endpoints that were created from the model keep running."""
    return _delete(call, existing(call, MODEL, call.params["ModelName"]))


def create_endpoint_config(call: SageMakerCall) -> dict[str, Any]:
    """CreateEndpointConfig."""
    variants = call.params["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise invalid(f"Variant names must be unique: {', '.join(names)}")
    call.refuse_unsupported(
        call.params, "AsyncInferenceConfig", "DataCaptureConfig", "ExplainerConfig", "ShadowProductionVariants"
    )
    check_key(call.params.get("KmsKeyId"), call.region, member="KmsKeyId")
    for variant in variants:
        _check_variant(call, variant)
    if len(variants) > 1 and any("ServerlessConfig" in variant for variant in variants):
        raise invalid("A serverless endpoint must have exactly one production variant.")
    return _create(call, ENDPOINT_CONFIG)


def describe_endpoint_config(call: SageMakerCall) -> dict[str, Any]:
    """DescribeEndpointConfig."""
    return _describe(call, ENDPOINT_CONFIG)


def list_endpoint_configs(call: SageMakerCall) -> dict[str, Any]:
    """ListEndpointConfigs."""
    return page(call, ENDPOINT_CONFIG, member="EndpointConfigs", summary=_summary)


def delete_endpoint_config(call: SageMakerCall) -> dict[str, Any]:
    """DeleteEndpointConfig; endpoints that were created from it keep serving and can be deleted."""
    return _delete(call, existing(call, ENDPOINT_CONFIG, call.params["EndpointConfigName"]))


def _create(call: SageMakerCall, kind: str) -> dict[str, Any]:
    name = f"{_MEMBERS[kind]}Name"
    body = {member: value for member, value in call.params.items() if member not in (name, "Tags")}
    return {f"{_MEMBERS[kind]}Arn": create_resource(call, kind, call.params[name], body=body).arn}


def _describe(call: SageMakerCall, kind: str) -> dict[str, Any]:
    resource = existing(call, kind, call.params[f"{_MEMBERS[kind]}Name"])
    return {"EnableNetworkIsolation": False, **resource.body, **_summary(resource)}


def _summary(resource: Resource) -> dict[str, Any]:
    prefix = _MEMBERS[resource.kind]
    return {f"{prefix}Name": resource.name, f"{prefix}Arn": resource.arn, "CreationTime": resource.created_s}


def _delete(call: SageMakerCall, resource: Resource) -> dict[str, Any]:
    with call.state.transaction() as db:
        call.resources.delete(db, resource)
    return {}


def _check_container(call: SageMakerCall, container: Mapping[str, Any], *, role_arn: str) -> None:
    check_image(container.get("Image", ""), call.region, what="model image")
    call.refuse_unsupported(
        container, "MultiModelConfig", "ModelPackageName", "ModelDataSource", "AdditionalModelDataSources"
    )
    if container.get("Mode", "SingleModel") != "SingleModel":
        raise invalid("The emulator's containers have a single model.")
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
