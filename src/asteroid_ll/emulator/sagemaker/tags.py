"""SageMaker's tags: add, list and delete them on any resource."""

from __future__ import annotations

from typing import Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.sagemaker.listing import bad_token
from asteroid_ll.emulator.transport.messages import ApiError

MAX_TAGS = 50
DEFAULT_PAGE_SIZE = 50


def add(call: SageMakerCall) -> dict[str, Any]:
    """AddTags: an existing key gets the new value."""
    arn = _existing_arn(call)
    new_tags = call.new_tags()
    tags = {**call.resources.tags(arn), **new_tags}
    if len(tags) > MAX_TAGS:
        raise ApiError(
            "ResourceLimitExceeded", f"A resource can have at most {MAX_TAGS} tags; {arn} would have {len(tags)}."
        )
    with call.state.transaction() as db:
        call.resources.put_tags(db, arn, new_tags)
        ledger.retag_intervals(db, arn, tags=tags)
    return {"Tags": _as_list(tags)}


def list_tags(call: SageMakerCall) -> dict[str, Any]:
    """ListTags."""
    tags = _as_list(call.resources.tags(_existing_arn(call)))
    token = call.params.get("NextToken", "0")
    if not token.isdecimal() or int(token[:4]) > MAX_TAGS:
        raise bad_token()
    start = int(token)
    stop = start + call.params.get("MaxResults", DEFAULT_PAGE_SIZE)
    return {"Tags": tags[start:stop], "NextToken": str(stop) if stop < len(tags) else None}


def delete(call: SageMakerCall) -> dict[str, Any]:
    """DeleteTags: missing keys are ignored."""
    arn = _existing_arn(call)
    call.refuse_reserved_tags(call.params["TagKeys"])
    with call.state.transaction() as db:
        call.resources.remove_tags(db, arn, call.params["TagKeys"])
        ledger.retag_intervals(db, arn, tags=call.resources.tags(arn))
    return {}


def _existing_arn(call: SageMakerCall) -> str:
    arn = str(call.params["ResourceArn"])
    resource = call.resources.by_arn(arn)
    if resource is None or resource.region != call.region:
        raise invalid(f'Could not find resource "{arn}".')
    return arn


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
