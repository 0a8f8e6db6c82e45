"""Service Quotas: the operations for SageMaker's instances, and requests to raise a quota.

A quota is the account's setting ``quotas``, which the emulator applies in every region. A request to raise it is
approved after the setting ``quota_approval_s``, when Service Quotas is next called.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from asteroid_ll.emulator.json_service import JsonService
from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.servicequotas.quotas import NO_LIMIT, Quota, all_quotas, quota_of
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.emulator.transport.messages import ApiError

MAX_PAGE = 100
"""AWS's limit for the items of a page, and its default."""

_SERVICE, _SERVICE_NAME = "sagemaker", "Amazon SageMaker"
_PENDING, _APPROVED = "PENDING", "APPROVED"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS quota_requests (
    id TEXT PRIMARY KEY, region TEXT NOT NULL, name TEXT NOT NULL, desired REAL NOT NULL, status TEXT NOT NULL,
    created_s REAL NOT NULL, updated_s REAL NOT NULL);
"""

Answer = dict[str, Any]


@dataclass(frozen=True)
class QuotasCall:
    """One call of an operation.

    Attributes:
        state: the emulator's state.
        region: the region that the request was signed for.
        caller_arn: who sends the request.
        params: the request's members.
    """

    state: State
    region: str
    caller_arn: str
    params: Mapping[str, Any]

    @cached_property
    def quotas(self) -> tuple[Quota, ...]:
        """The quotas of the request's service.

        Raises:
            ApiError: ``NoSuchResourceException``: the emulator has only those of SageMaker.
        """
        if self.params.get("ServiceCode", _SERVICE) != _SERVICE:
            raise _absent("The request failed because the specified service does not exist.")
        return all_quotas(frozenset(self.limits))

    @cached_property
    def limits(self) -> Mapping[str, int]:
        """The account's limits by the quota's name, after the requests whose time has come."""
        _approve(self.state)
        return self.state.settings.quotas

    def quota(self) -> Quota:
        """Return the quota that the request names.

        Raises:
            ApiError: ``NoSuchResourceException``.
        """
        code = self.params["QuotaCode"]
        quota = next((quota for quota in self.quotas if quota.code == code), None)
        if quota is None:
            raise _absent(
                f"The request failed because the specified quota {code} does not exist for service {_SERVICE}."
            )
        return quota

    def arn(self, quota: Quota, *, account: str = ACCOUNT_ID) -> str:
        """Return the ARN of a quota."""
        return f"arn:{partition(self.region)}:servicequotas:{self.region}:{account}:{_SERVICE}/{quota.code}"

    def value(self, quota: Quota) -> float:
        """Return the account's value of a quota."""
        return float(self.limits.get(quota.name, NO_LIMIT))

    def requests(self, where: str, *values: str) -> list[sqlite3.Row]:
        """Return the requests of the region that a condition selects, newest first."""
        _approve(self.state)
        sql = f"SELECT * FROM quota_requests WHERE region = ? AND {where} ORDER BY rowid DESC"  # noqa: S608 - constants
        return self.state.connection.execute(sql, (self.region, *values)).fetchall()


def get_quota(call: QuotasCall) -> Answer:
    """GetServiceQuota."""
    return {"Quota": _applied(call, call.quota())}


def list_quotas(call: QuotasCall) -> Answer:
    """ListServiceQuotas."""
    code = call.params.get("QuotaCode")
    chosen = [quota for quota in call.quotas if code in (None, quota.code)]
    return _page(call, "Quotas", chosen, _applied)


def get_default(call: QuotasCall) -> Answer:
    """GetAWSDefaultServiceQuota."""
    return {"Quota": _default(call, call.quota())}


def list_defaults(call: QuotasCall) -> Answer:
    """ListAWSDefaultServiceQuotas."""
    return _page(call, "Quotas", call.quotas, _default)


def request_increase(call: QuotasCall) -> Answer:
    """RequestServiceQuotaIncrease.

    Raises:
        ApiError: ``IllegalArgumentException`` if it is not an increase, ``ResourceAlreadyExistsException`` if another
            request is still open.
    """
    quota, desired = call.quota(), float(call.params["DesiredValue"])
    for word, value in (("default", quota.default), ("current", call.value(quota))):
        if desired <= value:
            message = f"You must provide a quota value greater than the {word} quota value of {value}"
            raise ApiError("IllegalArgumentException", message)
    if call.requests("name = ? AND status = ?", quota.name, _PENDING):
        message = "Only one open service quota increase request is allowed per quota."
        raise ApiError("ResourceAlreadyExistsException", message)
    now_s = call.state.now()
    request = (secrets.token_hex(16), call.region, quota.name, desired, _PENDING, now_s, now_s)
    call.state.connection.execute("INSERT INTO quota_requests VALUES (?, ?, ?, ?, ?, ?, ?)", request)
    row = call.state.connection.execute("SELECT * FROM quota_requests WHERE id = ?", request[:1]).fetchone()
    return {"RequestedQuota": _request(call, row)}


def list_requests(call: QuotasCall) -> Answer:
    """ListRequestedServiceQuotaChangeHistoryByQuota."""
    status = call.params.get("Status")
    rows = [row for row in call.requests("name = ?", call.quota().name) if status in (None, row["status"])]
    return _page(call, "RequestedQuotas", rows, _request)


def get_request(call: QuotasCall) -> Answer:
    """GetRequestedServiceQuotaChange."""
    rows = call.requests("id = ?", call.params["RequestId"])
    if not rows:
        raise _absent("The request failed because the specified quota increase request does not exist.")
    return {"RequestedQuota": _request(call, rows[0])}


def _approve(state: State) -> None:
    """Apply the requests whose time has come."""
    state.ensure(_SCHEMA)
    settings, now_s = state.settings, state.now()
    due = state.connection.execute(
        "SELECT * FROM quota_requests WHERE status = ? AND created_s <= ?",
        (_PENDING, now_s - settings.quota_approval_s),
    ).fetchall()
    if not due:
        return
    raised = {row["name"]: int(row["desired"]) for row in due}
    state.configure(replace(settings, quotas={**settings.quotas, **raised}))
    state.connection.executemany(
        "UPDATE quota_requests SET status = ?, updated_s = ? WHERE id = ?",
        [(_APPROVED, now_s, row["id"]) for row in due],
    )


def _page(call: QuotasCall, member: str, items: Sequence[Any], describe: Callable[[QuotasCall, Any], Answer]) -> Answer:
    """Return one page of a listing, with a description of each item."""
    token = call.params.get("NextToken", "0")
    if not token.isdecimal():
        raise ApiError("InvalidPaginationTokenException", "Invalid NextToken was provided.")
    start, stop = int(token), int(token) + call.params.get("MaxResults", MAX_PAGE)
    described = [describe(call, item) for item in items[start:stop]]
    return {member: described, "NextToken": str(stop) if stop < len(items) else None}


def _applied(call: QuotasCall, quota: Quota) -> Answer:
    return {**_named(quota), "QuotaArn": call.arn(quota), "Value": call.value(quota), "QuotaAppliedAtLevel": "ACCOUNT"}


def _default(call: QuotasCall, quota: Quota) -> Answer:
    return {**_named(quota), "QuotaArn": call.arn(quota, account=""), "Value": quota.default}


def _named(quota: Quota) -> Answer:
    return {
        "ServiceCode": _SERVICE,
        "ServiceName": _SERVICE_NAME,
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _request(call: QuotasCall, row: sqlite3.Row) -> Answer:
    quota = quota_of(row["name"])
    return {
        **_named(quota),
        "Id": row["id"],
        "DesiredValue": row["desired"],
        "Status": row["status"],
        "Created": row["created_s"],
        "LastUpdated": row["updated_s"],
        "Requester": json.dumps({"accountId": ACCOUNT_ID, "callerArn": call.caller_arn}, separators=(",", ":")),
        "QuotaArn": call.arn(quota),
        "QuotaRequestedAtLevel": "ACCOUNT",
    }


def _absent(message: str) -> ApiError:
    return ApiError("NoSuchResourceException", message)


_OPERATIONS: dict[str, Callable[[QuotasCall], Answer]] = {
    "GetServiceQuota": get_quota,
    "ListServiceQuotas": list_quotas,
    "GetAWSDefaultServiceQuota": get_default,
    "ListAWSDefaultServiceQuotas": list_defaults,
    "RequestServiceQuotaIncrease": request_increase,
    "ListRequestedServiceQuotaChangeHistoryByQuota": list_requests,
    "GetRequestedServiceQuotaChange": get_request,
}

SERVICE = JsonService[QuotasCall](
    "service-quotas",
    "Service Quotas",
    target_prefix="ServiceQuotasV20190624.",
    operations=_OPERATIONS,
    invalid_code="IllegalArgumentException",
    missing=dict.fromkeys(_OPERATIONS, "quotas other than those of SageMaker's instances"),
)
