"""IAM: the policies of roles and users, inline and attached. Both kinds have the same operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from asteroid_ll.emulator.iam.call import Answer, IamCall, encoded, limit_exceeded, no_entity, size_of
from asteroid_ll.emulator.iam.store import ROLE, USER

_INLINE_SIZE = {ROLE: 10_240, USER: 2_048}
_MOST_ATTACHED = 10
"""AWS's quotas (IAM user guide, "IAM and AWS STS quotas")."""


def put(call: IamCall, kind: str) -> Answer:
    """PutRolePolicy and PutUserPolicy."""
    holder = call.holder(kind)
    inline = {**holder.body["inline"], call.params["PolicyName"]: call.document("PolicyDocument", kind="identity")}
    if sum(map(size_of, inline.values())) > _INLINE_SIZE[kind]:
        raise limit_exceeded(f"Maximum policy size of {_INLINE_SIZE[kind]} bytes exceeded for {kind} {holder.name}")
    call.identities.save(holder.changed(inline=inline))
    return {}


def get(call: IamCall, kind: str) -> Answer:
    """GetRolePolicy and GetUserPolicy."""
    holder, name = call.holder(kind), call.params["PolicyName"]
    text = holder.body["inline"].get(name)
    if text is None:
        raise no_entity(f"The {kind} policy with name {name} cannot be found.")
    return {f"{kind.title()}Name": holder.name, "PolicyName": name, "PolicyDocument": encoded(text)}


def names(call: IamCall, kind: str) -> Answer:
    """ListRolePolicies and ListUserPolicies."""
    return call.page("PolicyNames", sorted(call.holder(kind).body["inline"]))


def delete(call: IamCall, kind: str) -> Answer:
    """DeleteRolePolicy and DeleteUserPolicy."""
    holder, name = call.holder(kind), call.params["PolicyName"]
    inline = dict(holder.body["inline"])
    if inline.pop(name, None) is None:
        raise no_entity(f"The {kind} policy with name {name} cannot be found.")
    call.identities.save(holder.changed(inline=inline))
    return {}


def attach(call: IamCall, kind: str) -> Answer:
    """AttachRolePolicy and AttachUserPolicy."""
    holder, arn = call.holder(kind), call.params["PolicyArn"]
    if call.identities.document(arn) is None:
        raise no_entity(f"Policy {arn} does not exist or is not attachable.")
    attached = holder.body["attached"]
    if arn in attached:
        return {}
    if len(attached) >= _MOST_ATTACHED:
        raise limit_exceeded(f"Cannot exceed quota for PoliciesPer{kind.title()}: {_MOST_ATTACHED}")
    call.identities.save(holder.changed(attached=[*attached, arn]))
    return {}


def detach(call: IamCall, kind: str) -> Answer:
    """DetachRolePolicy and DetachUserPolicy."""
    holder, arn = call.holder(kind), call.params["PolicyArn"]
    if arn not in holder.body["attached"]:
        raise no_entity(f"Policy {arn} was not found.")
    call.identities.save(holder.changed(attached=[other for other in holder.body["attached"] if other != arn]))
    return {}


def list_attached(call: IamCall, kind: str) -> Answer:
    """ListAttachedRolePolicies and ListAttachedUserPolicies."""
    attached = call.holder(kind).body["attached"]
    return call.page("AttachedPolicies", [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in attached])


def operations(kind: str) -> dict[str, Callable[[IamCall], Answer]]:
    """Return the operations on the policies of a kind, by AWS's name."""
    title = kind.title()
    functions = {
        f"Put{title}Policy": put,
        f"Get{title}Policy": get,
        f"List{title}Policies": names,
        f"Delete{title}Policy": delete,
        f"Attach{title}Policy": attach,
        f"Detach{title}Policy": detach,
        f"ListAttached{title}Policies": list_attached,
    }
    return {name: partial(function, kind=kind) for name, function in functions.items()}
