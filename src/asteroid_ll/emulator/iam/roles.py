"""IAM: roles."""

from __future__ import annotations

from asteroid_ll.emulator.iam.call import Answer, IamCall, conflict, encoded, exists, limit_exceeded, size_of, summary
from asteroid_ll.emulator.iam.store import ROLE, Entity
from asteroid_ll.emulator.iam.tags import new_tags

_TRUST_SIZE = 2_048
_SESSION_S = 3_600


def create(call: IamCall) -> Answer:
    """CreateRole."""
    name, trust = call.params["RoleName"], _trust(call, "AssumeRolePolicyDocument")
    boundary = call.boundary()
    if call.identities.by_name(ROLE, call.partition, name) is not None:
        raise exists(f"Role with name {name} already exists.")
    role = call.identities.new(
        ROLE,
        call.partition,
        name,
        path=call.params.get("Path", "/"),
        trust=trust,
        description=call.params.get("Description"),
        max_session_s=call.params.get("MaxSessionDuration", _SESSION_S),
        tags=new_tags(call, ROLE),
        boundary=boundary,
        inline={},
        attached=[],
    )
    call.identities.save(role)
    return {"Role": _described(role)}


def get(call: IamCall) -> Answer:
    """GetRole."""
    return {"Role": {**_described(call.holder(ROLE)), "RoleLastUsed": {}}}


def list_all(call: IamCall) -> Answer:
    """ListRoles. As on AWS, it leaves out tags and the permissions boundary."""
    prefix = call.params.get("PathPrefix", "/")
    roles = [role for role in call.identities.find(ROLE, call.partition) if role.path.startswith(prefix)]
    return call.page("Roles", [{**_described(role), "Tags": None, "PermissionsBoundary": None} for role in roles])


def delete(call: IamCall) -> Answer:
    """DeleteRole."""
    role = call.holder(ROLE)
    refuse_policies(role)
    call.identities.delete(role)
    return {}


def update_trust(call: IamCall) -> Answer:
    """UpdateAssumeRolePolicy."""
    role = call.holder(ROLE)
    call.identities.save(role.changed(trust=_trust(call, "PolicyDocument")))
    return {}


def refuse_policies(holder: Entity) -> None:
    """Refuse to delete a role or user that has policies.

    Raises:
        ApiError: ``DeleteConflict``.
    """
    if holder.body["attached"]:
        raise conflict("Cannot delete entity, must detach all policies first.")
    if holder.body["inline"]:
        raise conflict("Cannot delete entity, must delete policies first.")


def _trust(call: IamCall, member: str) -> str:
    text = call.document(member, kind="trust")
    if size_of(text) > _TRUST_SIZE:
        raise limit_exceeded(f"Cannot exceed quota for ACLSizePerRole: {_TRUST_SIZE}")
    return text


def _described(role: Entity) -> Answer:
    return {
        **summary(role),
        "AssumeRolePolicyDocument": encoded(role.body["trust"]),
        "Description": role.body["description"],
        "MaxSessionDuration": role.body["max_session_s"],
    }
