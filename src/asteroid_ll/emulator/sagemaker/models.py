"""SageMaker's models and endpoint configurations: create, describe, list and delete."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from asteroid_ll.emulator.resources import ENDPOINT, ENDPOINT_CONFIG, MODEL, Resource
from asteroid_ll.emulator.sagemaker.call import Call
from asteroid_ll.emulator.sagemaker.images import check_image
from asteroid_ll.emulator.sagemaker.listing import page
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import parse_s3_uri

Also = Callable[[sqlite3.Connection, Resource], None]
"""A further step inside the transaction that records a resource."""

WORDS = {MODEL: "model", ENDPOINT_CONFIG: "endpoint configuration", ENDPOINT: "endpoint"}
"""How AWS's messages call the kinds of resources."""


def existing(call: Call, kind: str, name: str) -> Resource:
    """The resource of that name.

    Raises:
        ApiError: ``ValidationException``, ``Could not find ...``.
    """
    found = call.found(kind, name)
    if found is None:
        raise ApiError("ValidationException", f'Could not find {WORDS[kind]} "{call.arn(kind, name)}".')
    return found


def create_resource(
    call: Call, kind: str, name: str, *, body: dict[str, Any], status: str = "", also: Also | None = None
) -> Resource:
    """Record a new resource with the request's tags.

    Args:
        call: the create call.
        kind: the resource's kind.
        name: its name.
        body: what is recorded of it.
        status: its first status.
        also: what has to happen with it or not at all.

    Raises:
        ApiError: ``ValidationException`` when the name is taken.
    """
    tags = call.new_tags()
    now_s = call.state.now()
    resource = Resource(kind, call.region, name, status, now_s, now_s, body, call.settings.invisible_polls)
    with call.state.transaction() as db:
        if call.resources.get(kind, call.region, name) is not None:
            raise ApiError("ValidationException", f'Cannot create already existing {WORDS[kind]} "{resource.arn}".')
        call.resources.save(db, resource)
        call.resources.put_tags(db, resource.arn, tags)
        if also is not None:
            also(db, resource)
    return resource


def create_model(call: Call) -> dict[str, Any]:
    """CreateModel."""
    request = _request(call, "ModelName")
    role_arn = request.get("ExecutionRoleArn")
    if not role_arn:
        raise _refused("A model needs an ExecutionRoleArn.")
    call.check_role(role_arn)
    containers = [
        *request.get("Containers", []),
        *([request["PrimaryContainer"]] if "PrimaryContainer" in request else []),
    ]
    if len(containers) != 1:
        raise _refused("The emulator's models have exactly one container.")
    _check_container(call, containers[0], role_arn=role_arn)
    if request.get("VpcConfig"):
        raise _refused("The emulator has no VpcConfig.")
    return {"ModelArn": create_resource(call, MODEL, call.params["ModelName"], body=request).arn}


def describe_model(call: Call) -> dict[str, Any]:
    """DescribeModel."""
    model = existing(call, MODEL, call.params["ModelName"])
    return {
        "EnableNetworkIsolation": False,
        **model.body,
        "ModelName": model.name,
        "ModelArn": model.arn,
        "CreationTime": model.created_s,
    }


def list_models(call: Call) -> dict[str, Any]:
    """ListModels."""
    return page(
        call.resources.find(MODEL, region=call.region),
        call.params,
        member="Models",
        summary=lambda model: {"ModelName": model.name, "ModelArn": model.arn, "CreationTime": model.created_s},
    )


def delete_model(call: Call) -> dict[str, Any]:
    """DeleteModel; an endpoint that was created from it goes on."""
    model = existing(call, MODEL, call.params["ModelName"])
    with call.state.transaction() as db:
        call.resources.delete(db, model)
    return {}


def create_endpoint_config(call: Call) -> dict[str, Any]:
    """CreateEndpointConfig."""
    request = _request(call, "EndpointConfigName")
    variants = request["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise _refused(f"Variant names must be unique: {', '.join(names)}")
    for member in ("AsyncInferenceConfig", "DataCaptureConfig", "ExplainerConfig", "ShadowProductionVariants"):
        if request.get(member):
            raise _refused(f"The emulator has no {member}.")
    for variant in variants:
        _check_variant(call, variant)
    config = create_resource(call, ENDPOINT_CONFIG, call.params["EndpointConfigName"], body=request)
    return {"EndpointConfigArn": config.arn}


def describe_endpoint_config(call: Call) -> dict[str, Any]:
    """DescribeEndpointConfig."""
    config = existing(call, ENDPOINT_CONFIG, call.params["EndpointConfigName"])
    return {
        "EnableNetworkIsolation": False,
        **config.body,
        "EndpointConfigName": config.name,
        "EndpointConfigArn": config.arn,
        "CreationTime": config.created_s,
    }


def list_endpoint_configs(call: Call) -> dict[str, Any]:
    """ListEndpointConfigs."""
    return page(
        call.resources.find(ENDPOINT_CONFIG, region=call.region),
        call.params,
        member="EndpointConfigs",
        summary=lambda config: {
            "EndpointConfigName": config.name,
            "EndpointConfigArn": config.arn,
            "CreationTime": config.created_s,
        },
    )


def delete_endpoint_config(call: Call) -> dict[str, Any]:
    """DeleteEndpointConfig; refused while an endpoint uses it."""
    config = existing(call, ENDPOINT_CONFIG, call.params["EndpointConfigName"])
    for endpoint in call.resources.find(ENDPOINT, region=call.region):
        if config.name in (endpoint.body["config"], endpoint.body.get("next_config")):
            raise _refused(
                f'Cannot delete endpoint configuration "{config.arn}" because it is in use by endpoint '
                f'"{endpoint.arn}".'
            )
    with call.state.transaction() as db:
        call.resources.delete(db, config)
    return {}


def _check_container(call: Call, container: Mapping[str, Any], *, role_arn: str) -> None:
    check_image(container.get("Image", ""), call.region, what="model image")
    for member in ("MultiModelConfig", "ModelPackageName", "ModelDataSource", "AdditionalModelDataSources"):
        if container.get(member):
            raise _refused(f"The emulator has no {member}.")
    if container.get("Mode", "SingleModel") != "SingleModel":
        raise _refused("The emulator's containers have a single model.")
    uri = container.get("ModelDataUrl")
    if not uri:
        raise _refused("The emulator's models need a ModelDataUrl.")
    name, key = parse_s3_uri(uri)
    bucket = call.services.store.bucket(name)
    if bucket is None or (bucket.region, bucket.owner) != (call.region, ACCOUNT_ID):
        raise _refused(
            f'Could not access model data at {uri}. Please ensure that the role "{role_arn}" exists and that its trust '
            'relationship policy allows the action "sts:AssumeRole" for the service principal '
            '"sagemaker.amazonaws.com". '
            f'Also ensure that the role has "s3:GetObject" permissions and that the object is located in {call.region}.'
        )
    if call.services.store.get(name, key) is None:
        raise _refused(f"Could not find model data at {uri}.")


def _check_variant(call: Call, variant: Mapping[str, Any]) -> None:
    if "ModelName" not in variant:
        raise _refused(f"The variant {variant['VariantName']} needs a ModelName.")
    existing(call, MODEL, variant["ModelName"])
    if variant.get("ServerlessConfig"):
        raise _refused("The emulator has no ServerlessConfig.")
    missing = [member for member in ("InstanceType", "InitialInstanceCount") if member not in variant]
    if missing:
        raise _refused(f"The variant {variant['VariantName']} needs {' and '.join(missing)}.")
    if variant["InitialInstanceCount"] < 1:
        raise _refused(f"The variant {variant['VariantName']} needs at least one instance.")


def _request(call: Call, name: str) -> dict[str, Any]:
    return {key: value for key, value in call.params.items() if key not in (name, "Tags")}


def _refused(message: str) -> ApiError:
    return ApiError("ValidationException", message)
