"""Filters, order and pages of the List operations."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.transport.messages import ApiError

DEFAULT_PAGE_SIZE = 10
"""SageMaker's default of ``MaxResults``."""


_CONDITIONS = {
    "NameContains": "instr(lower(name), lower(?))",
    "StatusEquals": "status = ?",
    "CreationTimeAfter": "created_s > ?",
    "CreationTimeBefore": "created_s < ?",
    "LastModifiedTimeAfter": "modified_s > ?",
    "LastModifiedTimeBefore": "modified_s < ?",
}
"""The filters of the operations, in SQL."""


def page(
    call: SageMakerCall,
    kind: str,
    *,
    member: str,
    summary: Callable[[Resource], dict[str, Any]],
    default_by: str = "CreationTime",
    default_order: str = "Descending",
    matches: Callable[[Resource], bool] = lambda _: True,
) -> dict[str, Any]:
    """Return one page of a listing as the operation's output.

    Args:
        call: the request, with its filters, ``SortBy``, ``SortOrder``, ``MaxResults`` and ``NextToken``.
        kind: the kind of resource.
        member: the output's member for the list.
        summary: returns a resource's entry in the list.
        default_by: the operation's default of ``SortBy``.
        default_order: that of ``SortOrder``.
        matches: a filter of the operation's own.

    Returns:
        The output, with ``NextToken`` if there are more pages. A token is the place of the page's last resource in the
        order, so it stays valid whatever is created or deleted meanwhile.

    Raises:
        ApiError: ``ValidationException`` for a token of another listing.
    """
    params = call.params
    by = params.get("SortBy", default_by)
    size = params.get("MaxResults", DEFAULT_PAGE_SIZE)
    after = place_in(params["NextToken"], listing=member) if "NextToken" in params else None
    rows: list[Resource] = []
    while len(rows) <= size:
        found = call.resources.page(
            kind,
            call.region,
            conditions={sql: params[name] for name, sql in _CONDITIONS.items() if name in params},
            by=by,
            descending=params.get("SortOrder", default_order) == "Descending",
            after=after,
            limit=size + 1,
        )
        rows += [resource for resource in found if matches(resource)]
        if len(found) <= size:
            break
        after = _key(found[-1], by)
    answer: dict[str, Any] = {member: [summary(resource) for resource in rows[:size]]}
    if len(rows) > size:
        answer["NextToken"] = token_of(_key(rows[size - 1], by), listing=member)
    return answer


def token_of(place: tuple[float | str, str], *, listing: str) -> str:
    """Return the ``NextToken`` for a place in the order of a listing: the value that is sorted by, and the name."""
    return base64.urlsafe_b64encode(json.dumps([listing, *place]).encode()).decode()


def place_in(token: str, *, listing: str) -> tuple[float | str, str]:
    """Return the place that a ``NextToken`` has.

    Raises:
        ApiError: ``ValidationException``: it is not a token of that listing.
    """
    try:
        kind, value, name = json.loads(base64.urlsafe_b64decode(token))
        place = value if isinstance(value, str) else float(value), str(name)
        json.dumps(place, ensure_ascii=False).encode()  # not half a surrogate pair
    except (TypeError, ValueError, OverflowError):
        raise bad_token() from None
    if kind != listing:
        raise bad_token()
    return place


def bad_token() -> ApiError:
    """Return the refusal of a ``NextToken`` that is not one of the listing."""
    return invalid("Invalid pagination token.")


def _key(resource: Resource, by: str) -> tuple[float | str, str]:
    values: dict[str, float | str] = {"CreationTime": resource.created_s, "Status": resource.status, "Name": ""}
    return values[by], resource.name
