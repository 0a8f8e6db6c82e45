"""Checks of the machines: the region offers their types, and the account's quotas are not below their numbers.

Service Quotas lists a quota for each use of each type that a region offers, such as ``ml.m5.large for endpoint usage``.
How much of it is in use is not known. A new account often has the quota 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws.checks.check import Check, failed, ok, reason_of, unchecked
from asteroid_ll.aws.errors import answer, aws_call, expected
from asteroid_ll.aws.iam_commands import aws_command
from asteroid_ll.errors import ConfigError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

_SERVICE = "sagemaker"
_PAGE = 100
"""AWS's limit for the quotas of a page. SageMaker has thousands of quotas, so the pages take seconds."""

_CODES = {
    "ml.m5.large for training job usage": "L-611FA074",
    "ml.m5.xlarge for training job usage": "L-CCE2AFA6",
    "ml.m5.xlarge for processing job usage": "L-0307F515",
    "ml.m5.large for endpoint usage": "L-614B09FD",
    "ml.t2.medium for endpoint usage": "L-29C181D7",
}
"""AWS's codes of common quotas, from public listings, which need no pages. The answer's name is compared."""


@dataclass(frozen=True)
class Need:
    """Machines that a run starts together.

    Attributes:
        name: such as ``training``.
        key: the key of the configuration that has their type.
        usage: the use as Service Quotas names it, such as ``training job``.
        instance_type: their type, such as ``ml.m5.large``.
        count: their number.
        is_priced: whether AWS's Price List of the region has the type for this use.
    """

    name: str
    key: str
    usage: str
    instance_type: str
    count: int
    is_priced: bool = False

    @property
    def quota(self) -> str:
        """AWS's name of their quota."""
        return f"{self.instance_type} for {self.usage} usage"


def machine_checks(aws: Aws, needs: Sequence[Need]) -> Iterator[Check]:
    """Yield for each need whether its type is offered, and whether its quota is high enough.

    Args:
        aws: the connection.
        needs: the machines.
    """
    if not needs:
        return
    quotas: Mapping[str, Mapping[str, Any]] = {}
    reason = ""
    try:
        quotas = read_quotas(aws, [need.quota for need in needs])
    except Exception as error:  # of any type: a run can do without the check
        reason = reason_of(expected(error, "reading the quotas of SageMaker"))
    for need in needs:
        yield _offer(need, quotas, region=aws.region)
        if not reason:
            yield _quota(aws, need, quotas.get(need.quota))
    if reason:
        yield unchecked("quotas", reason)


def read_quotas(aws: Aws, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """Return the account's quotas of SageMaker by name: those that are asked for, and others that were read on the way.

    Raises:
        AsteroidError: Service Quotas denies the question, or cannot be reached.
    """
    with aws_call("reading the quotas of SageMaker", service="servicequotas"):
        quotas = {name: quota for name in names if (quota := _by_code(aws, name)) is not None}
        if all(name in quotas for name in names):
            return quotas
        paginator = aws.quotas.get_paginator("list_service_quotas")
        for page in paginator.paginate(ServiceCode=_SERVICE, PaginationConfig={"PageSize": _PAGE}):
            quotas |= {quota.get("QuotaName", ""): quota for quota in page.get("Quotas", ())}
            if all(name in quotas for name in names):
                break
    return quotas


def _by_code(aws: Aws, name: str) -> Mapping[str, Any] | None:
    """Return a quota by its code; None if the code is unknown, or that of another quota."""
    if name not in _CODES:
        return None
    try:
        quota: Mapping[str, Any] = aws.quotas.get_service_quota(ServiceCode=_SERVICE, QuotaCode=_CODES[name])["Quota"]
    except Exception as error:
        if answer(error)[0] == "NoSuchResourceException":
            return None
        raise
    return quota if quota.get("QuotaName") == name else None


def _offer(need: Need, quotas: Mapping[str, Mapping[str, Any]], *, region: str) -> Check:
    """Check that the region offers a type. One source that has it is enough, since each may be incomplete."""
    name = f"{need.name} type"
    if need.is_priced or need.quota in quotas:
        return ok(name, f"{need.instance_type} is offered in {region}")
    others = {quota.partition(" ")[0]: quota for quota in quotas if quota.endswith(f" for {need.usage} usage")}
    if not others:
        return unchecked(name, f"neither the Price List nor the quotas show whether {region} has {need.instance_type}")
    enough = [other for other, quota in others.items() if quotas[quota].get("Value", 0) >= need.count] or list(others)
    (closest,) = get_close_matches(need.instance_type, enough, n=1, cutoff=0)
    fact = f"{region} does not offer {need.instance_type} for {need.usage}s; the closest that it offers is {closest}"
    return failed(name, fact, f"asteroid-ll doctor --set {need.key}={closest}", kind=ConfigError)


def default_value(aws: Aws, code: str) -> float:
    """Return AWS's default of a quota.

    A new account can have a lower value, and AWS raises a quota only to more than its default.

    Raises:
        AsteroidError: Service Quotas denies the question, or cannot be reached.
    """
    with aws_call("reading the default of a quota", service="servicequotas"):
        answered = aws.quotas.get_aws_default_service_quota(ServiceCode=_SERVICE, QuotaCode=code)
        return float(answered["Quota"]["Value"])


def _quota(aws: Aws, need: Need, quota: Mapping[str, Any] | None) -> Check:
    name = f"{need.name} quota"
    if quota is None:
        return unchecked(name, f"AWS lists no quota {need.quota}")
    value = quota.get("Value", 0)
    if value >= need.count:
        return ok(name, f"{need.quota}: {value:g}, needed: {need.count}")
    code, fact, desired = str(quota.get("QuotaCode")), f"{need.quota}: {value:g}, needed: {need.count}", need.count
    try:
        desired = max(desired, int(default_value(aws, code)) + 1)
    except Exception as error:  # of any type: the number that is needed may do
        fact += f"; AWS's default is unknown: {reason_of(expected(error, 'reading the default of a quota'))}"
    fix = aws_command(
        "service-quotas",
        "request-service-quota-increase",
        region=aws.region,
        service_code=_SERVICE,
        quota_code=code,
        desired_value=str(desired),
    )
    return failed(name, fact, fix)
