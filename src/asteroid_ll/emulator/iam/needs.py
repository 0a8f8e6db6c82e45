"""Which actions, on which resources, each operation of a service with JSON or query protocol needs.

Source: AWS's Service Authorization Reference, and for ``iam:PassRole`` and the tags of a create call the SageMaker
developer guide, "Amazon SageMaker API permissions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from asteroid_ll.emulator.resources import partition, resource_arn
from asteroid_ll.emulator.state import ACCOUNT_ID

Params = Mapping[str, Any]

SAGEMAKER_SERVICE = "sagemaker.amazonaws.com"
"""The service principal to which roles are passed, and which assumes them."""


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
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    """What a SageMaker operation needs.

    Attributes:
        on: the resource type and the request's member with the name, for each resource; none for a listing.
        passes: the member with the role that is passed.
    """

    on: tuple[tuple[str, str], ...] = ()
    passes: str = ""


_JOB = ("training-job", "TrainingJobName")
_TRANSFORM = ("transform-job", "TransformJobName")
_PROCESSING = ("processing-job", "ProcessingJobName")
_TUNING = ("hyper-parameter-tuning-job", "HyperParameterTuningJobName")
_MODEL = ("model", "ModelName")
_CONFIG = ("endpoint-config", "EndpointConfigName")
_ENDPOINT = ("endpoint", "EndpointName")
_ARN = ("", "ResourceArn")

SAGEMAKER: Mapping[str, _Row] = {
    "CreateTrainingJob": _Row((_JOB,), passes="RoleArn"),
    **{f"{verb}TrainingJob": _Row((_JOB,)) for verb in ("Describe", "Update", "Stop", "Delete")},
    **{f"{verb}TransformJob": _Row((_TRANSFORM,)) for verb in ("Create", "Describe", "Stop")},
    "CreateProcessingJob": _Row((_PROCESSING,), passes="RoleArn"),
    **{f"{verb}ProcessingJob": _Row((_PROCESSING,)) for verb in ("Describe", "Stop", "Delete")},
    "CreateHyperParameterTuningJob": _Row((_TUNING,), passes="RoleArn"),
    **{f"{verb}HyperParameterTuningJob": _Row((_TUNING,)) for verb in ("Describe", "Stop", "Delete")},
    "ListTrainingJobsForHyperParameterTuningJob": _Row((_TUNING,)),
    "CreateModel": _Row((_MODEL,), passes="ExecutionRoleArn"),
    **{f"{verb}Model": _Row((_MODEL,)) for verb in ("Describe", "Delete")},
    **{f"{verb}EndpointConfig": _Row((_CONFIG,)) for verb in ("Create", "Describe", "Delete")},
    **{f"{verb}Endpoint": _Row((_ENDPOINT, _CONFIG)) for verb in ("Create", "Update")},
    **{f"{verb}Endpoint": _Row((_ENDPOINT,)) for verb in ("Describe", "Delete")},
    **{f"List{kind}": _Row() for kind in ("TrainingJobs", "TransformJobs", "Models", "EndpointConfigs", "Endpoints")},
    **{name: _Row() for name in ("ListHyperParameterTuningJobs", "ListProcessingJobs")},
    **{name: _Row((_ARN,)) for name in ("AddTags", "ListTags", "DeleteTags")},
    "InvokeEndpoint": _Row((_ENDPOINT,)),
}
"""The rows of SageMaker's operations, by name."""

DATA_PLANE = {"InvokeEndpoint"}
"""SageMaker's operations with the REST-JSON protocol, which answer a denial with HTTP 403 in place of 400."""

LOGS = {
    "DescribeLogGroups": "",
    **dict.fromkeys(("DescribeLogStreams", "FilterLogEvents", "DeleteLogGroup"), "group"),
    **dict.fromkeys(("GetLogEvents", "DeleteLogStream"), "stream"),
}
"""What an operation of CloudWatch Logs is about: all groups, a group or a stream."""

_ROLE, _USER, _POLICY = ("role", "RoleName"), ("user", "UserName"), ("", "PolicyArn")
_PROVIDER = ("", "OpenIDConnectProviderArn")

IAM: Mapping[str, tuple[str, str]] = {
    **{f"{verb}Role": _ROLE for verb in ("Create", "Get", "Delete", "Update", "Tag", "Untag")},
    "UpdateAssumeRolePolicy": _ROLE,
    "ListRoleTags": _ROLE,
    **{f"{verb}User": _USER for verb in ("Create", "Get", "Delete", "Update", "Tag", "Untag")},
    "ListUserTags": _USER,
    **{
        f"{verb}{kind}{noun}": row
        for kind, row in (("Role", _ROLE), ("User", _USER))
        for verb, noun in (
            *(("Put", "Policy"), ("Get", "Policy"), ("Delete", "Policy"), ("Attach", "Policy"), ("Detach", "Policy")),
            *(("List", "Policies"), ("ListAttached", "Policies")),
            *(("Put", "PermissionsBoundary"), ("Delete", "PermissionsBoundary")),
        )
    },
    **{f"{verb}AccessKey": _USER for verb in ("Create", "Update", "Delete")},
    "ListAccessKeys": _USER,
    "CreatePolicy": ("policy", "PolicyName"),
    **{f"{verb}Policy": _POLICY for verb in ("Get", "Delete", "Tag", "Untag")},
    "ListPolicyTags": _POLICY,
    **{f"{verb}PolicyVersion": _POLICY for verb in ("Create", "Get", "Delete")},
    "SetDefaultPolicyVersion": _POLICY,
    "ListPolicyVersions": _POLICY,
    "ListEntitiesForPolicy": _POLICY,
    "CreateOpenIDConnectProvider": ("oidc-provider", "Url"),
    **{f"{verb}OpenIDConnectProvider": _PROVIDER for verb in ("Get", "Delete", "Tag", "Untag")},
    "ListOpenIDConnectProviderTags": _PROVIDER,
    "SimulatePrincipalPolicy": ("", "PolicySourceArn"),
    "SimulateCustomPolicy": ("", ""),
    "ListRoles": ("role", ""),
    "ListUsers": ("user", ""),
    "ListPolicies": ("policy", ""),
    "ListOpenIDConnectProviders": ("oidc-provider", ""),
}
"""The resource type, and the request's member with the name or the ARN, of each operation of IAM."""

SERVICE_QUOTAS = (
    *("ListServices", "ListServiceQuotas", "ListAWSDefaultServiceQuotas", "GetServiceQuota"),
    *("GetAWSDefaultServiceQuota", "RequestServiceQuotaIncrease", "GetRequestedServiceQuotaChange"),
    *("ListRequestedServiceQuotaChangeHistory", "ListRequestedServiceQuotaChangeHistoryByQuota"),
)
"""Operations of Service Quotas; a request for an increase alone knows a resource."""

FREE = {"GetCallerIdentity", "AssumeRoleWithWebIdentity"}
"""Operations of STS that need no permission of the sender."""


def sagemaker(operation: str, params: Params, region: str) -> Iterator[Need]:
    """Yield what an operation of SageMaker needs, in the order in which AWS checks it."""
    row, action = SAGEMAKER[operation], f"sagemaker:{operation}"
    params = {**params.get("TrainingJobDefinition", {}), **params.get("NetworkConfig", {}), **params}
    context = dict(_sagemaker_context(params))
    arns = [resource_arn(kind, region, params[member]) if kind else params[member] for kind, member in row.on]
    for arn in arns or ["*"]:
        yield Need(action, arn, context)
    if operation.startswith("Create") and params.get("Tags"):
        yield Need("sagemaker:AddTags", arns[0], {**context, "sagemaker:taggingaction": (operation,)})
    role_arn = params.get(row.passes)
    if role_arn:
        passed = {"iam:passedtoservice": (SAGEMAKER_SERVICE,), "iam:associatedresourcearn": (arns[0],)}
        yield Need("iam:PassRole", role_arn, passed)


def logs(operation: str, params: Params, region: str) -> Iterator[Need]:
    """Yield what an operation of CloudWatch Logs needs. AWS writes the ARN of a group with ``:log-stream:``."""
    about = LOGS[operation]
    group = params.get("logGroupName") or params.get("logGroupIdentifier", "").rpartition(":log-group:")[2]
    stream = params.get("logStreamName", "") if about == "stream" else ""
    yield Need(f"logs:{operation}", log_arn(region, group if about else "", stream))


def iam(operation: str, params: Params, region: str) -> Iterator[Need]:
    """Yield what an operation of IAM needs."""
    kind, member = IAM[operation]
    name = str(params.get(member, ""))
    if not kind:
        resource = name or "*"
    else:
        path = params.get("Path", "/") if member else "/"
        resource = f"arn:{partition(region)}:iam::{ACCOUNT_ID}:{kind}{path}{name.removeprefix('https://')}"
    context = dict(_tag_context(params))
    if kind and "PolicyArn" in params:
        context["iam:policyarn"] = (params["PolicyArn"],)
    yield Need(f"iam:{operation}", resource, context)
    if operation.startswith("Create") and params.get("Tags"):
        yield Need(f"iam:{operation.replace('Create', 'Tag', 1)}", resource, context)


def service_quotas(operation: str, params: Params, region: str) -> Iterator[Need]:
    """Yield what an operation of Service Quotas needs."""
    resource = "*"
    if operation == "RequestServiceQuotaIncrease":
        quota = f"{params['ServiceCode']}/{params['QuotaCode']}"
        resource = f"arn:{partition(region)}:servicequotas:{region}:{ACCOUNT_ID}:{quota}"
    yield Need(f"servicequotas:{operation}", resource)


def pricing(operation: str, _params: Params, _region: str) -> Iterator[Need]:
    """Yield what an operation of the Price List needs."""
    yield Need(f"pricing:{operation}")


def cloudwatch(operation: str, _params: Params, _region: str) -> Iterator[Need]:
    """Yield what an operation of CloudWatch needs."""
    yield Need(f"cloudwatch:{operation}")


def sts(operation: str, params: Params, _region: str) -> Iterator[Need]:
    """Yield what an operation of STS needs."""
    if operation not in FREE:
        yield Need(f"sts:{operation}", params.get("RoleArn", "*"), assume_context(params))


def assume_context(params: Params) -> dict[str, tuple[str, ...]]:
    """Return the condition keys of AssumeRole that the request has values for."""
    keys = {"sts:externalid": "ExternalId", "sts:rolesessionname": "RoleSessionName"}
    return {key: (params[member],) for key, member in keys.items() if member in params}


SERVICES: Mapping[str, Callable[[str, Params, str], Iterator[Need]]] = {
    "sagemaker": sagemaker,
    "logs": logs,
    "iam": iam,
    "sts": sts,
    "pricing": pricing,
    "cloudwatch": cloudwatch,
    "service-quotas": service_quotas,
}
"""The needs of each service's operations: from the operation, its parameters and the region."""


def log_arn(region: str, group: str, stream: str = "") -> str:
    """Return the ARN of a log stream; of its group if the stream is empty; of all groups if both are."""
    return f"arn:{partition(region)}:logs:{region}:{ACCOUNT_ID}:log-group:{group}:log-stream:{stream}"


def _tag_context(params: Params) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the condition keys about the tags of a request: ``Tags`` is a list, ``tags`` of CloudWatch Logs a map."""
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])} | params.get("tags", {})
    for key, value in tags.items():
        yield f"aws:requesttag/{key}".lower(), (value,)
    keys = list(tags) or params.get("TagKeys") or params.get("tagKeys")
    if keys:
        yield "aws:tagkeys", tuple(keys)


def _sagemaker_context(params: Params) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield SageMaker's condition keys that the request has values for."""
    yield from _tag_context(params)
    resources = (
        params.get("HyperParameterTuningResourceConfig")
        or params.get("ProcessingResources", {}).get("ClusterConfig")
        or params.get("ResourceConfig", {})
    )
    output = params.get("OutputDataConfig") or params.get("ProcessingOutputConfig", {})
    vpc = params.get("VpcConfig", {})
    machines = [resources, params.get("TransformResources", {}), *params.get("ProductionVariants", [])]
    stopping = params.get("StoppingCondition", {})
    values = {
        "sagemaker:instancetypes": sorted({str(m["InstanceType"]) for m in machines if m.get("InstanceType")}),
        "sagemaker:volumekmskey": [resources.get("VolumeKmsKeyId")],
        "sagemaker:keepaliveperiod": [resources.get("KeepAlivePeriodInSeconds")],
        "sagemaker:outputkmskey": [output.get("KmsKeyId")],
        "sagemaker:maxruntimeinseconds": [stopping.get("MaxRuntimeInSeconds")],
        "sagemaker:networkisolation": [params.get("EnableNetworkIsolation")],
        "sagemaker:intercontainertrafficencryption": [params.get("EnableInterContainerTrafficEncryption")],
        "sagemaker:vpcsubnets": vpc.get("Subnets", []),
        "sagemaker:vpcsecuritygroupids": vpc.get("SecurityGroupIds", []),
    }
    for key, items in values.items():
        texts = tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items if item is not None)
        if texts:
            yield key, texts
