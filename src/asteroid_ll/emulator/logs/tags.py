"""CloudWatch Logs: the tags of log groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asteroid_ll.emulator.logs.call import LogsCall, no_group
from asteroid_ll.emulator.resources import Resources
from asteroid_ll.emulator.transport.messages import ApiError

MAX_TAGS = 50


def tag(call: LogsCall) -> dict[str, Any]:
    """TagResource: an existing key gets the new value."""
    arn, new_tags, resources = _existing_arn(call), call.params["tags"], Resources(call.store.state)
    _refuse_reserved(new_tags)
    if len({**resources.tags(arn), **new_tags}) > MAX_TAGS:
        raise ApiError("TooManyTagsException", f"A resource can have no more than {MAX_TAGS} tags.", resourceName=arn)
    with call.store.state.transaction() as db:
        resources.put_tags(db, arn, new_tags)
    return {}


def untag(call: LogsCall) -> dict[str, Any]:
    """UntagResource: missing keys are ignored."""
    arn = _existing_arn(call)
    _refuse_reserved(call.params["tagKeys"])
    with call.store.state.transaction() as db:
        Resources(call.store.state).remove_tags(db, arn, call.params["tagKeys"])
    return {}


def list_tags(call: LogsCall) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"tags": Resources(call.store.state).tags(_existing_arn(call))}


def forget(call: LogsCall, group: str) -> None:
    """Remove the tags of a group that no longer exists; a group goes with its last stream."""
    arn, resources = call.arn(group), Resources(call.store.state)
    if not call.store.has_group(call.region, group):
        with call.store.state.transaction() as db:
            resources.remove_tags(db, arn, resources.tags(arn))


def _existing_arn(call: LogsCall) -> str:
    """Return the ARN of a group that exists, which here does not end with ``:*``."""
    arn = str(call.params["resourceArn"])
    group = arn.partition(":log-group:")[2]
    if arn != call.arn(group) or not call.store.has_group(call.region, group):
        raise no_group()
    return arn


def _refuse_reserved(keys: Iterable[str]) -> None:
    if any(key.lower().startswith("aws:") for key in keys):
        raise ApiError("InvalidParameterException", "Caller is an end user and not allowed to mutate system tags")
