"""Which actions, on which resources, a request to a service with JSON or query protocol needs.

The action has the name of the operation. The resource is the one that the request names.

Source: AWS's Service Authorization Reference, and for ``iam:PassRole`` and the tags of a create call the SageMaker
developer guide, "Amazon SageMaker API permissions".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from asteroid_ll.emulator.iam.language import Context, as_texts
from asteroid_ll.emulator.resources import partition, resource_arn
from asteroid_ll.emulator.state import ACCOUNT_ID

Params = Mapping[str, Any]

SAGEMAKER_SERVICE = "sagemaker.amazonaws.com"
"""The service principal to which roles are passed, and which assumes them."""

DATA_PLANE = {"InvokeEndpoint"}
"""SageMaker's operations with the REST-JSON protocol, which answer a denial with HTTP 403 in place of 400."""

FREE = {"GetCallerIdentity"}
"""Operations that need no permission of the sender."""


@dataclass(frozen=True)
class Need:
    """An action that a request needs.

    Attributes:
        action: such as ``s3:GetObject``.
        resource: the ARN; ``*`` if the action knows no resource.
        context: values of condition keys of the request, by the key in lower case.
    """

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)


_RESOURCES: Mapping[str, Mapping[str, str]] = {
    "sagemaker": {
        "TrainingJobName": "training-job",
        "TransformJobName": "transform-job",
        "ProcessingJobName": "processing-job",
        "HyperParameterTuningJobName": "hyper-parameter-tuning-job",
        "ModelName": "model",
        "EndpointName": "endpoint",
        "EndpointConfigName": "endpoint-config",
        "ResourceArn": "",
    },
    "iam": {
        "RoleName": "role",
        "UserName": "user",
        "PolicyName": "policy",
        "PolicyArn": "",
        "PolicySourceArn": "",
    },
    "sts": {"RoleArn": ""},
}
"""The type of the resource by the member with its name; empty if the member has its ARN. The first member counts."""

_OF_STREAM = ("GetLogEvents", "DeleteLogStream")

_SAGEMAKER_KEYS = {
    "sagemaker:volumekmskey": ("ResourceConfig", "VolumeKmsKeyId"),
    "sagemaker:outputkmskey": ("OutputDataConfig", "KmsKeyId"),
    "sagemaker:maxruntimeinseconds": ("StoppingCondition", "MaxRuntimeInSeconds"),
    "sagemaker:networkisolation": ("NetworkConfig", "EnableNetworkIsolation"),
    "sagemaker:intercontainertrafficencryption": ("NetworkConfig", "EnableInterContainerTrafficEncryption"),
    "sagemaker:vpcsubnets": ("VpcConfig", "Subnets"),
    "sagemaker:vpcsecuritygroupids": ("VpcConfig", "SecurityGroupIds"),
}
"""SageMaker's condition keys, and the members of a request that have their values."""


def needs(service: str, operation: str, params: Params, region: str) -> Iterator[Need]:
    """Yield what an operation of a service needs, in the order in which AWS checks it.

    Args:
        service: botocore's name of the service.
        operation: AWS's name of the operation.
        params: the members of the request.
        region: the region of the request.
    """
    if operation in FREE:
        return
    resource = _resource(service, operation, params, region)
    context = request_context(service, params)
    prefix = service.replace("-", "")
    yield Need(f"{prefix}:{operation}", resource, context)
    if service == "sagemaker" and "EndpointName" in params and "EndpointConfigName" in params:
        yield Need(
            f"{prefix}:{operation}", resource_arn("endpoint-config", region, params["EndpointConfigName"]), context
        )
    if operation.startswith("Create") and params.get("Tags"):
        tagging = "iam:TagRole" if service == "iam" else "sagemaker:AddTags"
        yield Need(tagging, resource, {**context, "sagemaker:taggingaction": (operation,)})
    role_arn = params.get(
        "RoleArn", params.get("ExecutionRoleArn", params.get("TrainingJobDefinition", {}).get("RoleArn"))
    )
    if service == "sagemaker" and role_arn:
        passed = {"iam:passedtoservice": (SAGEMAKER_SERVICE,), "iam:associatedresourcearn": (resource,)}
        yield Need("iam:PassRole", role_arn, passed)


def log_arn(region: str, group: str, stream: str = "") -> str:
    """Return the ARN of a log stream; of its group if the stream is empty; of all groups if both are."""
    return f"arn:{partition(region)}:logs:{region}:{ACCOUNT_ID}:log-group:{group}:log-stream:{stream}"


def _resource(service: str, operation: str, params: Params, region: str) -> str:
    """Return the ARN of what a request is about; ``*`` if its action knows no resource."""
    for member, kind in _RESOURCES.get(service, {}).items():
        if member not in params:
            continue
        if not kind:
            return str(params[member])
        if service == "sagemaker":
            return resource_arn(kind, region, params[member])
        return _iam_arn(region, kind, params.get("Path", "/"), params[member])
    if service == "iam":  # a listing of all roles, or the user who sends the request
        return _iam_arn(region, "role" if operation == "ListRoles" else "user", "/", "")
    if service == "logs":
        group = params.get("logGroupName") or params.get("logGroupIdentifier", "").rpartition(":log-group:")[2]
        stream = params["logStreamName"] if operation in _OF_STREAM else ""
        return log_arn(region, "" if operation == "DescribeLogGroups" else group, stream)
    if operation == "RequestServiceQuotaIncrease":
        quota = f"{params['ServiceCode']}/{params['QuotaCode']}"
        return f"arn:{partition(region)}:servicequotas:{region}:{ACCOUNT_ID}:{quota}"
    return "*"


def _iam_arn(region: str, kind: str, path: str, name: str) -> str:
    return f"arn:{partition(region)}:iam::{ACCOUNT_ID}:{kind}{path}{name}"


def request_context(service: str, params: Params) -> dict[str, tuple[str, ...]]:
    """Return the condition keys that the request has values for."""
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
    values: dict[str, Any] = {f"aws:requesttag/{key}".lower(): value for key, value in tags.items()}
    values["aws:tagkeys"] = list(tags) or params.get("TagKeys")
    if service == "iam" and "PolicyArn" in params:
        values["iam:policyarn"] = params["PolicyArn"]
    if service == "sts":
        values |= {"sts:externalid": params.get("ExternalId"), "sts:rolesessionname": params.get("RoleSessionName")}
    if service == "sagemaker":
        values |= _sagemaker_values(params)
    return {key: as_texts(value) for key, value in values.items() if value not in (None, [])}


def _sagemaker_values(params: Params) -> dict[str, Any]:
    """Return the values of SageMaker's condition keys; None for one that the request does not have."""
    params = {**params.get("TrainingJobDefinition", {}), **params}
    machines = (
        params.get("HyperParameterTuningResourceConfig")
        or params.get("ProcessingResources", {}).get("ClusterConfig")
        or params.get("ResourceConfig", {})
    )
    network = {**params, **params.get("NetworkConfig", {})}
    parts = {
        **params,
        "ResourceConfig": machines,
        "OutputDataConfig": params.get("OutputDataConfig") or params.get("ProcessingOutputConfig", {}),
        "NetworkConfig": network,
        "VpcConfig": network.get("VpcConfig", {}),
    }
    values = {key: parts.get(part, {}).get(member) for key, (part, member) in _SAGEMAKER_KEYS.items()}
    variants = [machines, params.get("TransformResources", {}), *params.get("ProductionVariants", [])]
    values["sagemaker:instancetypes"] = sorted({one["InstanceType"] for one in variants if one.get("InstanceType")})
    return values
