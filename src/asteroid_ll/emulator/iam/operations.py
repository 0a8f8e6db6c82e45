"""IAM: its operations on roles, users, access keys and policies.

Roles and users hold policies in the same way, so an operation on either finds its holder by the request's member.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from asteroid_ll.emulator.iam.evaluation import Principal, context_of, decide
from asteroid_ll.emulator.iam.language import Document, Kind, problem_of
from asteroid_ll.emulator.iam.store import POLICY, ROLE, USER, AccessKey, Entity, Identities
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.service import Service
from asteroid_ll.emulator.transport.messages import ApiError

Answer = dict[str, Any]

_PAGE = 100
"""AWS's default for MaxItems."""
_SESSION_S = 3_600
_VERSION = "v1"
"""The only version of a policy."""

_QUOTAS = {
    "AccessKeysPerUser": 2,
    "ACLSizePerRole": 2_048,
    "PoliciesPerRole": 10,
    "PoliciesPerUser": 10,
    "PolicySize": 6_144,
}
_INLINE_SIZE = {ROLE: 10_240, USER: 2_048}
"""AWS's quotas (IAM user guide, "IAM and AWS STS quotas")."""


@dataclass(frozen=True)
class IamCall:
    """One validated call.

    Attributes:
        identities: the account's roles, users and policies.
        partition: the partition of the region that the request was signed for.
        sender: who sends the request.
        params: the request's members, as the service's model names them.
    """

    identities: Identities
    partition: str
    sender: Principal
    params: Mapping[str, Any]

    def holder(self) -> Entity:
        """Return the role or the user that the request names.

        Raises:
            ApiError: ``NoSuchEntity``, or ``ValidationError``: it names no user, and none sends it.
        """
        kind = ROLE if "RoleName" in self.params else USER
        name = self.params["RoleName"] if kind == ROLE else self.params.get("UserName") or self._own_name()
        entity = self.identities.by_name(kind, self.partition, name)
        if entity is None:
            raise refusal("NoSuchEntity", f"The {kind} with name {name} cannot be found.")
        return entity

    def policy(self) -> Entity:
        """Return the managed policy that the request names.

        Raises:
            ApiError: ``NoSuchEntity``.
        """
        policy = self.identities.policy(self.params["PolicyArn"])
        if policy is None:
            raise refusal("NoSuchEntity", f"Policy {self.params['PolicyArn']} was not found.")
        return policy

    def create(self, kind: str, name: str, **body: Any) -> Entity:
        """Save a new role, user or policy.

        Raises:
            ApiError: ``EntityAlreadyExists``, or ``NoSuchEntity``: there is no such permissions boundary.
        """
        if self.identities.by_name(kind, self.partition, name) is not None:
            words = f"{kind.title()} with name {name} already exists."
            if kind == POLICY:
                words = f"A policy called {name} already exists. Duplicate names are not allowed."
            raise refusal("EntityAlreadyExists", words)
        boundary = self.params.get("PermissionsBoundary")
        if boundary is not None and self.identities.document(boundary) is None:
            raise refusal("NoSuchEntity", f"Scope ARN: {boundary} does not exist or is not attachable.")
        path = self.params.get("Path", "/")
        return self.identities.new(kind, self.partition, name, path=path, boundary=boundary, **body)

    def document(self, member: str, *, kind: Kind = "identity", quota: str = "PolicySize") -> str:
        """Return the text of a policy document of the request.

        Raises:
            ApiError: ``MalformedPolicyDocument``, ``LimitExceeded``.
        """
        text = str(self.params[member])
        parsed(text, kind=kind)
        check_quota(quota, _size(text))
        return text

    def page(self, member: str, items: Sequence[Any]) -> Answer:
        """Return one page of a listing.

        Raises:
            ApiError: ``ValidationError``: the marker is not one of ours.
        """
        marker = self.params.get("Marker", "0")
        if not (marker.isascii() and marker.isdigit()):
            raise ApiError("ValidationError", "Invalid Marker.")
        start = int(marker)
        stop = start + self.params.get("MaxItems", _PAGE)
        more = {"Marker": str(stop)} if stop < len(items) else {}
        return {member: list(items[start:stop]), "IsTruncated": bool(more), **more}

    def refuse(self, *members: str) -> None:
        """Refuse members that the emulator does not have.

        Raises:
            ApiError: ``InvalidInput``.
        """
        for member in members:
            if member in self.params:
                raise ApiError("InvalidInput", f"The emulator has no {member} here.")

    def _own_name(self) -> str:
        kind, _, name = self.sender.arn.split(":")[5].partition("/")
        if kind != USER:
            raise ApiError("ValidationError", "Must specify userName when calling with non-User credentials")
        return name.rpartition("/")[2]


def create_role(call: IamCall) -> Answer:
    """CreateRole."""
    tags = call.params.get("Tags", [])
    keys = [tag["Key"].lower() for tag in tags]
    if len(set(keys)) < len(keys):
        raise ApiError("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in keys):
        raise ApiError("InvalidInput", "Caller is an end user and not allowed to mutate system tags")
    role = call.create(
        ROLE,
        call.params["RoleName"],
        trust=call.document("AssumeRolePolicyDocument", kind="trust", quota="ACLSizePerRole"),
        description=call.params.get("Description"),
        max_session_s=call.params.get("MaxSessionDuration", _SESSION_S),
        tags=tags,
        inline={},
        attached=[],
    )
    return {"Role": _described(role)}


def create_user(call: IamCall) -> Answer:
    """CreateUser."""
    call.refuse("Tags")
    return {"User": _described(call.create(USER, call.params["UserName"], inline={}, attached=[]))}


def get_holder(call: IamCall) -> Answer:
    """GetRole and GetUser; without a name, the user who sends it."""
    holder = call.holder()
    return {holder.kind.title(): _described(holder)}


def list_roles(call: IamCall) -> Answer:
    """ListRoles. As on AWS, it leaves out tags and the permissions boundary."""
    prefix = call.params.get("PathPrefix", "/")
    roles = [role for role in call.identities.roles(call.partition) if role.path.startswith(prefix)]
    return call.page("Roles", [{**_described(role), "Tags": None, "PermissionsBoundary": None} for role in roles])


def delete_holder(call: IamCall) -> Answer:
    """DeleteRole and DeleteUser."""
    holder = call.holder()
    if holder.body["attached"]:
        raise refusal("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    if holder.body["inline"]:
        raise refusal("DeleteConflict", "Cannot delete entity, must delete policies first.")
    if holder.kind == USER and call.identities.keys_of(holder.arn):
        raise refusal("DeleteConflict", "Cannot delete entity, must delete access keys first.")
    call.identities.delete(holder)
    return {}


def update_trust(call: IamCall) -> Answer:
    """UpdateAssumeRolePolicy."""
    trust = call.document("PolicyDocument", kind="trust", quota="ACLSizePerRole")
    call.identities.save(call.holder().changed(trust=trust))
    return {}


def put_inline(call: IamCall) -> Answer:
    """PutRolePolicy and PutUserPolicy."""
    holder, text = call.holder(), str(call.params["PolicyDocument"])
    parsed(text)
    inline, limit = {**holder.body["inline"], call.params["PolicyName"]: text}, _INLINE_SIZE[holder.kind]
    if _size("".join(inline.values())) > limit:
        raise refusal("LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for {holder.kind} {holder.name}")
    call.identities.save(holder.changed(inline=inline))
    return {}


def get_inline(call: IamCall) -> Answer:
    """GetRolePolicy and GetUserPolicy."""
    holder, name, inline = _inline(call)
    return {f"{holder.kind.title()}Name": holder.name, "PolicyName": name, "PolicyDocument": _encoded(inline[name])}


def list_inline(call: IamCall) -> Answer:
    """ListRolePolicies and ListUserPolicies."""
    return call.page("PolicyNames", sorted(call.holder().body["inline"]))


def delete_inline(call: IamCall) -> Answer:
    """DeleteRolePolicy and DeleteUserPolicy."""
    holder, name, inline = _inline(call)
    call.identities.save(holder.changed(inline={other: inline[other] for other in inline if other != name}))
    return {}


def attach(call: IamCall) -> Answer:
    """AttachRolePolicy and AttachUserPolicy."""
    holder, arn = call.holder(), call.params["PolicyArn"]
    attached = holder.body["attached"]
    if call.identities.document(arn) is None:
        raise refusal("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")
    if arn in attached:
        return {}
    check_quota(f"PoliciesPer{holder.kind.title()}", len(attached) + 1)
    call.identities.save(holder.changed(attached=[*attached, arn]))
    return {}


def detach(call: IamCall) -> Answer:
    """DetachRolePolicy and DetachUserPolicy."""
    holder, arn = call.holder(), call.params["PolicyArn"]
    if arn not in holder.body["attached"]:
        raise refusal("NoSuchEntity", f"Policy {arn} was not found.")
    call.identities.save(holder.changed(attached=[other for other in holder.body["attached"] if other != arn]))
    return {}


def list_attached(call: IamCall) -> Answer:
    """ListAttachedRolePolicies and ListAttachedUserPolicies."""
    attached = call.holder().body["attached"]
    return call.page("AttachedPolicies", [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in attached])


def create_policy(call: IamCall) -> Answer:
    """CreatePolicy. A policy has its first version only."""
    call.refuse("Tags")
    text, description = call.document("PolicyDocument"), call.params.get("Description")
    policy = call.create(POLICY, call.params["PolicyName"], document=text, description=description)
    return {"Policy": {**_described_policy(call, policy), "Description": None}}


def get_policy(call: IamCall) -> Answer:
    """GetPolicy, also of one of AWS's own."""
    return {"Policy": _described_policy(call, call.policy())}


def get_version(call: IamCall) -> Answer:
    """GetPolicyVersion, also of one of AWS's own: the document."""
    policy, version = call.policy(), call.params["VersionId"]
    if version != _VERSION:
        raise refusal("NoSuchEntity", f"Policy {policy.arn} version {version} does not exist or is not attachable.")
    described = {
        "Document": _encoded(policy.body["document"]),
        "VersionId": version,
        "IsDefaultVersion": True,
        "CreateDate": policy.created_s or None,
    }
    return {"PolicyVersion": described}


def delete_policy(call: IamCall) -> Answer:
    """DeletePolicy."""
    policy = call.policy()
    if policy.account == "aws":
        raise refusal("NoSuchEntity", f"Policy {policy.arn} was not found.")
    if call.identities.holders(policy.arn):
        raise refusal("DeleteConflict", "Cannot delete a policy attached to entities.")
    call.identities.delete(policy)
    return {}


def create_key(call: IamCall) -> Answer:
    """CreateAccessKey. The secret is in this answer only."""
    user = call.holder()
    check_quota("AccessKeysPerUser", len(call.identities.keys_of(user.arn)) + 1)
    key = call.identities.new_key("AKIA", user.arn)
    return {"AccessKey": {**_described_key(user, key), "SecretAccessKey": key.secret}}


def list_keys(call: IamCall) -> Answer:
    """ListAccessKeys."""
    user = call.holder()
    return call.page("AccessKeyMetadata", [_described_key(user, key) for key in call.identities.keys_of(user.arn)])


def delete_key(call: IamCall) -> Answer:
    """DeleteAccessKey."""
    name = call.params["AccessKeyId"]
    if name not in {key.id for key in call.identities.keys_of(call.holder().arn)}:
        raise refusal("NoSuchEntity", f"The Access Key with id {name} cannot be found.")
    call.identities.delete_key(name)
    return {}


def simulate(call: IamCall) -> Answer:
    """SimulatePrincipalPolicy, with the principal's own policies and the context of the request."""
    call.refuse("PolicyInputList", "PermissionsBoundaryPolicyInputList", "PolicyExclusionList", "ResourcePolicy")
    arn = call.params["PolicySourceArn"]
    principal = call.identities.principal(arn)
    if principal is None:
        raise refusal("NoSuchEntity", f"The principal {arn} cannot be found.")
    context = context_of(principal)
    for entry in call.params.get("ContextEntries", []):
        context[entry.get("ContextKeyName", "").lower()] = tuple(entry.get("ContextKeyValues", ()))
    results = []
    for action in call.params["ActionNames"]:
        for resource in call.params.get("ResourceArns", ["*"]):
            decision = decide(action=action, resource=resource, context=context, principal=principal)
            word = "allowed" if decision.allowed else "explicitDeny" if decision.is_explicit else "implicitDeny"
            result = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": word}
            results.append({**result, "MatchedStatements": [], "MissingContextValues": []})
    return call.page("EvaluationResults", results)


SERVICE = Service[IamCall](
    "iam",
    QUERY,
    invalid_code="ValidationError",
    operations={
        "CreateRole": create_role,
        "GetRole": get_holder,
        "ListRoles": list_roles,
        "DeleteRole": delete_holder,
        "UpdateAssumeRolePolicy": update_trust,
        "PutRolePolicy": put_inline,
        "GetRolePolicy": get_inline,
        "ListRolePolicies": list_inline,
        "DeleteRolePolicy": delete_inline,
        "AttachRolePolicy": attach,
        "DetachRolePolicy": detach,
        "ListAttachedRolePolicies": list_attached,
        "CreateUser": create_user,
        "GetUser": get_holder,
        "DeleteUser": delete_holder,
        "PutUserPolicy": put_inline,
        "GetUserPolicy": get_inline,
        "ListUserPolicies": list_inline,
        "DeleteUserPolicy": delete_inline,
        "AttachUserPolicy": attach,
        "DetachUserPolicy": detach,
        "ListAttachedUserPolicies": list_attached,
        "CreateAccessKey": create_key,
        "ListAccessKeys": list_keys,
        "DeleteAccessKey": delete_key,
        "CreatePolicy": create_policy,
        "GetPolicy": get_policy,
        "GetPolicyVersion": get_version,
        "DeletePolicy": delete_policy,
        "SimulatePrincipalPolicy": simulate,
    },
    missing={
        "CreatePolicy": "`Tags`; a policy has the version `v1` only",
        "CreateUser": "`Tags`",
        "SimulatePrincipalPolicy": "`PolicyInputList`, `PermissionsBoundaryPolicyInputList`, `PolicyExclusionList`, "
        "`ResourcePolicy`; matched statements",
    },
)


def parsed(text: str, *, kind: Kind = "identity") -> Document:
    """Return the document of a text.

    Raises:
        ApiError: ``MalformedPolicyDocument``.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ApiError("MalformedPolicyDocument", "This policy contains invalid Json") from None
    problem = problem_of(document, kind=kind)
    if problem:
        raise ApiError("MalformedPolicyDocument", f"Syntax errors in policy. {problem}")
    checked: Document = document
    return checked


def refusal(code: str, message: str) -> ApiError:
    """Return ``NoSuchEntity``, or one of the errors about what exists already."""
    return ApiError(code, message, status=404 if code == "NoSuchEntity" else 409)


def check_quota(name: str, value: int) -> None:
    """Refuse a value above a quota.

    Raises:
        ApiError: ``LimitExceeded``.
    """
    if value > _QUOTAS[name]:
        raise refusal("LimitExceeded", f"Cannot exceed quota for {name}: {_QUOTAS[name]}")


def _size(text: str) -> int:
    """Return the size of a document by which IAM limits it: characters without white space."""
    return len("".join(text.split()))


def _inline(call: IamCall) -> tuple[Entity, str, dict[str, str]]:
    """Return the holder, the name of the inline policy that the request names, and all of the holder's."""
    holder, name = call.holder(), call.params["PolicyName"]
    if name not in holder.body["inline"]:
        raise refusal("NoSuchEntity", f"The {holder.kind} policy with name {name} cannot be found.")
    return holder, name, holder.body["inline"]


def _encoded(text: str) -> str:
    """Return a document as IAM returns it: percent-encoded (RFC 3986)."""
    return quote(text, safe="")


def _described(holder: Entity) -> Answer:
    """Return the members that describe a role or a user."""
    kind, body = holder.kind.title(), holder.body
    bound = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": body["boundary"]}
    about = {
        "Path": holder.path,
        f"{kind}Name": holder.name,
        f"{kind}Id": holder.id,
        "Arn": holder.arn,
        "CreateDate": holder.created_s,
        "PermissionsBoundary": bound if body["boundary"] else None,
    }
    if holder.kind == USER:
        return about
    return {
        **about,
        "AssumeRolePolicyDocument": _encoded(body["trust"]),
        "Description": body["description"],
        "MaxSessionDuration": body["max_session_s"],
        "Tags": body["tags"] or None,
    }


def _described_policy(call: IamCall, policy: Entity) -> Answer:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id or None,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": _VERSION,
        "AttachmentCount": len(call.identities.holders(policy.arn)),
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "Description": policy.body["description"],
        "CreateDate": policy.created_s or None,
        "UpdateDate": policy.created_s or None,
    }


def _described_key(user: Entity, key: AccessKey) -> Answer:
    return {"UserName": user.name, "AccessKeyId": key.id, "Status": "Active", "CreateDate": key.created_s}
