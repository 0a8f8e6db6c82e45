"""IAM: the account's managed policies and their versions."""

from __future__ import annotations

import json
from typing import Any

from asteroid_ll.emulator.iam.call import (
    Answer,
    IamCall,
    conflict,
    encoded,
    exists,
    limit_exceeded,
    no_entity,
    size_of,
)
from asteroid_ll.emulator.iam.store import POLICY, Entity
from asteroid_ll.emulator.iam.tags import new_tags

_SIZE = 6_144
_MOST_VERSIONS = 5
"""AWS's quotas (IAM user guide, "IAM and AWS STS quotas")."""


def create(call: IamCall) -> Answer:
    """CreatePolicy."""
    name, text = call.params["PolicyName"], _text(call)
    if call.identities.by_name(POLICY, call.partition, name) is not None:
        raise exists(f"A policy called {name} already exists. Duplicate names are not allowed.")
    policy = call.identities.new(
        POLICY,
        call.partition,
        name,
        path=call.params.get("Path", "/"),
        description=call.params.get("Description"),
        tags=new_tags(call, POLICY),
        default="v1",
        next=2,
        versions={"v1": {"document": text, "created_s": call.now_s}},
    )
    call.identities.save(policy)
    return {"Policy": {**_described(call, policy), "Description": None}}


def get(call: IamCall) -> Answer:
    """GetPolicy, also of one of AWS's own."""
    arn = call.params["PolicyArn"]
    if arn in call.identities.managed:
        name, path = arn.rpartition("/")[2], arn.partition(":policy")[2].rpartition("/")[0] + "/"
        known = {"PolicyName": name, "Arn": arn, "Path": path, "DefaultVersionId": "v1", "IsAttachable": True}
        return {"Policy": {**known, "AttachmentCount": len(call.identities.holders(arn))}}
    return {"Policy": _described(call, call.policy())}


def delete(call: IamCall) -> Answer:
    """DeletePolicy."""
    policy = call.policy()
    if call.identities.holders(policy.arn):
        raise conflict("Cannot delete a policy attached to entities.")
    if len(policy.body["versions"]) > 1:
        raise conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    call.identities.delete(policy)
    return {}


def create_version(call: IamCall) -> Answer:
    """CreatePolicyVersion."""
    policy, text = call.policy(), _text(call)
    versions, number = policy.body["versions"], policy.body["next"]
    if len(versions) >= _MOST_VERSIONS:
        raise limit_exceeded(
            f"A managed policy can have up to {_MOST_VERSIONS} versions. Before you create a new version, you must "
            "delete an existing version."
        )
    version = f"v{number}"
    changed = policy.changed(
        next=number + 1,
        versions={**versions, version: {"document": text, "created_s": call.now_s}},
        default=version if call.params.get("SetAsDefault") else policy.body["default"],
    )
    call.identities.save(changed)
    return {"PolicyVersion": {**_version(changed, version), "Document": None}}


def get_version(call: IamCall) -> Answer:
    """GetPolicyVersion, also of one of AWS's own."""
    arn, version = call.params["PolicyArn"], call.params["VersionId"]
    if arn in call.identities.managed and version == "v1":
        text = json.dumps(call.identities.managed[arn])
        return {"PolicyVersion": {"Document": encoded(text), "VersionId": version, "IsDefaultVersion": True}}
    return {"PolicyVersion": _version(_with(call.policy(), version), version)}


def list_versions(call: IamCall) -> Answer:
    """ListPolicyVersions, newest first."""
    policy = call.policy()
    versions = [{**_version(policy, version), "Document": None} for version in reversed(policy.body["versions"])]
    return call.page("Versions", versions)


def delete_version(call: IamCall) -> Answer:
    """DeletePolicyVersion."""
    version = call.params["VersionId"]
    policy = _with(call.policy(), version)
    if version == policy.body["default"]:
        raise conflict("Cannot delete the default version of a policy.")
    versions = {name: body for name, body in policy.body["versions"].items() if name != version}
    call.identities.save(policy.changed(versions=versions))
    return {}


def _text(call: IamCall) -> str:
    text = call.document("PolicyDocument", kind="identity")
    if size_of(text) > _SIZE:
        raise limit_exceeded(f"Cannot exceed quota for PolicySize: {_SIZE}")
    return text


def _with(policy: Entity, version: str) -> Entity:
    """Return the policy if it has a version.

    Raises:
        ApiError: ``NoSuchEntity``.
    """
    if version not in policy.body["versions"]:
        raise no_entity(f"Policy {policy.arn} version {version} does not exist or is not attachable.")
    return policy


def _version(policy: Entity, version: str) -> Answer:
    body: dict[str, Any] = policy.body["versions"][version]
    return {
        "Document": encoded(body["document"]),
        "VersionId": version,
        "IsDefaultVersion": version == policy.body["default"],
        "CreateDate": body["created_s"],
    }


def _described(call: IamCall, policy: Entity) -> Answer:
    newest = max(body["created_s"] for body in policy.body["versions"].values())
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.body["default"],
        "AttachmentCount": len(call.identities.holders(policy.arn)),
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "Description": policy.body["description"],
        "CreateDate": policy.created_s,
        "UpdateDate": newest,
        "Tags": policy.body["tags"],
    }
