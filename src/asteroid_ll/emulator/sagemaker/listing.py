"""Filters, order and pages of the List operations."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.transport.messages import ApiError

DEFAULT_PAGE_SIZE = 10
"""SageMaker's default of ``MaxResults``."""


def page(
    resources: Sequence[Resource],
    params: Mapping[str, Any],
    *,
    member: str,
    summary: Callable[[Resource], dict[str, Any]],
    default_order: str = "Descending",
) -> dict[str, Any]:
    """Return one page of a listing as the operation's output.

    Args:
        resources: all resources of the kind in the region.
        params: the request: filters, ``SortBy``, ``SortOrder``, ``MaxResults``, ``NextToken``.
        member: the output's member for the list.
        summary: returns a resource's entry in the list.
        default_order: the operation's default of ``SortOrder``.

    Returns:
        The output, with ``NextToken`` if there are more pages.

    Raises:
        ApiError: ``ValidationException`` for a token of another listing.
    """
    by = params.get("SortBy", "CreationTime")
    descending = params.get("SortOrder", default_order) == "Descending"
    rows = sorted((r for r in resources if _matches(r, params)), key=lambda r: _key(r, by), reverse=descending)
    if "NextToken" in params:
        after = _decode(params["NextToken"], member=member)
        rows = [r for r in rows if (_key(r, by) < after if descending else _key(r, by) > after)]
    size = params.get("MaxResults", DEFAULT_PAGE_SIZE)
    answer: dict[str, Any] = {member: [summary(resource) for resource in rows[:size]]}
    if len(rows) > size:
        token = json.dumps([member, *_key(rows[size - 1], by)])
        answer["NextToken"] = base64.urlsafe_b64encode(token.encode()).decode()
    return answer


def _matches(resource: Resource, params: Mapping[str, Any]) -> bool:
    infinity = float("inf")
    return (
        params.get("NameContains", "").lower() in resource.name.lower()
        and params.get("StatusEquals", resource.status) == resource.status
        and params.get("CreationTimeAfter", -infinity) < resource.created_s < params.get("CreationTimeBefore", infinity)
        and params.get("LastModifiedTimeAfter", -infinity)
        < resource.modified_s
        < params.get("LastModifiedTimeBefore", infinity)
    )


def _key(resource: Resource, by: str) -> tuple[float | str, str]:
    values: dict[str, float | str] = {"CreationTime": resource.created_s, "Status": resource.status, "Name": ""}
    return values[by], resource.name


def _decode(token: str, *, member: str) -> tuple[float | str, str]:
    try:
        kind, value, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        kind = value = name = None
    if kind != member:
        raise ApiError("ValidationException", "Invalid pagination token.")
    return value, name
