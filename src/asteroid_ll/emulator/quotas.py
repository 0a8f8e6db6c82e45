"""Service Quotas: the limits of SageMaker's instances, and requests to raise them.

A quota is the account's setting ``quotas``, which the emulator applies in every region. A request to raise it is
approved at once.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.service import JSON, Service
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.instance_prices import bundled_prices

PURPOSES = (
    *("training job usage", "spot training job usage", "endpoint usage"),
    *("transform job usage", "processing job usage"),
)
"""What follows the instance type in a quota's name, such as ``ml.m5.large for endpoint usage``."""

NO_LIMIT = 10_000.0
"""The value of a quota that the account's settings do not limit."""

MAX_PAGE = 100
"""AWS's limit for the items of a page, and its default."""

_CODES = {
    "ml.m5.large for training job usage": "L-611FA074",
    "ml.m5.large for spot training job usage": "L-29688C85",
    "ml.m5.large for endpoint usage": "L-614B09FD",
    "ml.m5.xlarge for training job usage": "L-CCE2AFA6",
    "ml.m5.xlarge for processing job usage": "L-0307F515",
    "ml.t2.medium for endpoint usage": "L-29C181D7",
}
"""AWS's codes of quotas that our documents name, from public listings of ``list-service-quotas``. `code_of` makes the
others."""

_DEFAULTS = {
    "ml.t2.medium for endpoint usage": 2.0,
    "ml.m6g.large for endpoint usage": 2.0,
    "ml.m6g.xlarge for endpoint usage": 1.0,
    "ml.t3.medium for processing job usage": 4.0,
    "ml.t3.large for processing job usage": 4.0,
    "ml.t3.xlarge for processing job usage": 2.0,
}
"""AWS's defaults for endpoints and processing jobs that are not 0, from public listings of July 2026. Every other
default here is 0."""

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

    def names(self) -> dict[str, str]:
        """Return the names of the service's quotas by code: one per instance type and purpose.

        Raises:
            ApiError: ``NoSuchResourceException``: the emulator has only those of SageMaker.
        """
        if self.params["ServiceCode"] != "sagemaker":
            raise _absent("The request failed because the specified service does not exist.")
        names = {f"{instance} for {purpose}" for instance in bundled_prices() for purpose in PURPOSES}
        return {code_of(name): name for name in sorted(names | self.state.settings.quotas.keys())}

    def name(self) -> str:
        """Return the name of the quota that the request gives by its code.

        Raises:
            ApiError: ``NoSuchResourceException``.
        """
        code, names = self.params["QuotaCode"], self.names()
        if code not in names:
            raise _absent(
                f"The request failed because the specified quota {code} does not exist for service sagemaker."
            )
        return names[code]

    def value(self, name: str) -> float:
        """Return the account's value of a quota."""
        return float(self.state.settings.quotas.get(name, NO_LIMIT))

    def described(self, name: str, *, account: str = ACCOUNT_ID) -> Answer:
        """Return the members that describe a quota of the account, or of AWS if there is none."""
        code = code_of(name)
        return {
            "ServiceCode": "sagemaker",
            "ServiceName": "Amazon SageMaker",
            "QuotaCode": code,
            "QuotaName": name,
            "QuotaArn": f"arn:{partition(self.region)}:servicequotas:{self.region}:{account}:sagemaker/{code}",
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }

    def applied(self, name: str) -> Answer:
        """Return a quota with the account's value."""
        return {**self.described(name), "Value": self.value(name), "QuotaAppliedAtLevel": "ACCOUNT"}


def code_of(name: str) -> str:
    """Return the code of a quota. One that is not known is the start of a hash of the name, in AWS's format."""
    return _CODES.get(name) or f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


def get_default(call: QuotasCall) -> Answer:
    """GetAWSDefaultServiceQuota: the value of a new account."""
    name = call.name()
    return {"Quota": {**call.described(name, account=""), "Value": _DEFAULTS.get(name, 0.0)}}


def list_quotas(call: QuotasCall) -> Answer:
    """ListServiceQuotas.

    Raises:
        ApiError: ``InvalidPaginationTokenException``.
    """
    token, wanted = call.params.get("NextToken", "0"), call.params.get("QuotaCode")
    if not token.isdecimal():
        raise ApiError("InvalidPaginationTokenException", "Invalid NextToken was provided.")
    names = [name for code, name in call.names().items() if wanted in (None, code)]
    start, stop = int(token), int(token) + call.params.get("MaxResults", MAX_PAGE)
    quotas = [call.applied(name) for name in names[start:stop]]
    return {"Quotas": quotas, "NextToken": str(stop) if stop < len(names) else None}


def request_increase(call: QuotasCall) -> Answer:
    """RequestServiceQuotaIncrease. The answer is AWS's first one, before a request is approved.

    Raises:
        ApiError: ``IllegalArgumentException`` if it is not an increase.
    """
    name, desired = call.name(), float(call.params["DesiredValue"])
    for word, value in (("default", _DEFAULTS.get(name, 0.0)), ("current", call.value(name))):
        if desired <= value:
            message = f"You must provide a quota value greater than the {word} quota value of {value}"
            raise ApiError("IllegalArgumentException", message)
    settings, now_s = call.state.settings, call.state.now()
    call.state.configure(replace(settings, quotas={**settings.quotas, name: int(desired)}))
    requester = {"accountId": ACCOUNT_ID, "callerArn": call.caller_arn}
    request = {
        **call.described(name),
        "Id": secrets.token_hex(16),
        "DesiredValue": desired,
        "Status": "PENDING",
        "Created": now_s,
        "LastUpdated": now_s,
        "Requester": json.dumps(requester, separators=(",", ":")),
        "QuotaRequestedAtLevel": "ACCOUNT",
    }
    return {"RequestedQuota": request}


def _absent(message: str) -> ApiError:
    return ApiError("NoSuchResourceException", message)


_OPERATIONS: dict[str, Callable[[QuotasCall], Answer]] = {
    "GetServiceQuota": lambda call: {"Quota": call.applied(call.name())},
    "ListServiceQuotas": list_quotas,
    "GetAWSDefaultServiceQuota": get_default,
    "RequestServiceQuotaIncrease": request_increase,
}

SERVICE = Service[QuotasCall](
    "service-quotas",
    JSON,
    operations=_OPERATIONS,
    invalid_code="IllegalArgumentException",
    missing=dict.fromkeys(_OPERATIONS, "quotas other than those of SageMaker's instances"),
)
