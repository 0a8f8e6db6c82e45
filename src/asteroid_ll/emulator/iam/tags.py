"""IAM: the tags of roles, users, policies and identity providers. All kinds have the same operations.

The keys of roles and users are compared without their case, the others with it (IAM user guide, "Rules for tagging").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from asteroid_ll.emulator.iam.call import Answer, IamCall, limit_exceeded
from asteroid_ll.emulator.iam.store import POLICY, PROVIDER, ROLE, USER, Entity
from asteroid_ll.emulator.transport.messages import ApiError

Tags = list[dict[str, str]]

MAX_TAGS = 50

_TITLES = {ROLE: "Role", USER: "User", POLICY: "Policy", PROVIDER: "OpenIDConnectProvider"}
_WITHOUT_CASE = (ROLE, USER)


def new_tags(call: IamCall, kind: str) -> Tags:
    """Return the request's ``Tags``.

    Raises:
        ApiError: ``InvalidInput``: a key is repeated or reserved for AWS.
    """
    tags: Tags = call.params.get("Tags", [])
    if len({_folded(kind, tag["Key"]) for tag in tags}) < len(tags):
        note = " Please note that Tag keys are case insensitive." if kind in _WITHOUT_CASE else ""
        raise _invalid(f"Duplicate tag keys found.{note}")
    _refuse_reserved(tag["Key"] for tag in tags)
    return tags


def tag(call: IamCall, kind: str) -> Answer:
    """TagRole and so on: an existing key gets the new value."""
    entity, added = _existing(call, kind), new_tags(call, kind)
    tags = [*_without(entity, (new["Key"] for new in added)), *added]
    if len(tags) > MAX_TAGS:
        raise limit_exceeded("The number of tags has reached the maximum limit.")
    call.identities.save(entity.changed(tags=tags))
    return {}


def untag(call: IamCall, kind: str) -> Answer:
    """UntagRole and so on: missing keys are ignored."""
    entity, keys = _existing(call, kind), call.params["TagKeys"]
    _refuse_reserved(keys)
    call.identities.save(entity.changed(tags=_without(entity, keys)))
    return {}


def list_tags(call: IamCall, kind: str) -> Answer:
    """ListRoleTags and so on, by key."""
    return call.page("Tags", sorted(_existing(call, kind).body["tags"], key=lambda tag: str(tag["Key"])))


def operations() -> dict[str, Callable[[IamCall], Answer]]:
    """Return the operations on tags, by AWS's name."""
    return {
        name: partial(function, kind=kind)
        for kind, title in _TITLES.items()
        for name, function in ((f"Tag{title}", tag), (f"Untag{title}", untag), (f"List{title}Tags", list_tags))
    }


def _existing(call: IamCall, kind: str) -> Entity:
    if kind == POLICY:
        return call.policy()
    return call.provider() if kind == PROVIDER else call.holder(kind)


def _without(entity: Entity, keys: Iterable[str]) -> Tags:
    """Return an entity's tags except those of some keys."""
    removed = {_folded(entity.kind, key) for key in keys}
    return [tag for tag in entity.body["tags"] if _folded(entity.kind, tag["Key"]) not in removed]


def _folded(kind: str, key: str) -> str:
    return key.lower() if kind in _WITHOUT_CASE else key


def _refuse_reserved(keys: Iterable[str]) -> None:
    if any(key.lower().startswith("aws:") for key in keys):
        raise _invalid("Caller is an end user and not allowed to mutate system tags")


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidInput", message)
