"""The quotas of SageMaker's instances: their names, codes and AWS's defaults."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from asteroid_ll.instance_prices import bundled_prices

PURPOSES = ("training job usage", "spot training job usage", "endpoint usage", "transform job usage")
"""What follows the instance type in a quota's name, such as ``ml.m5.large for endpoint usage``."""

NO_LIMIT = 10_000.0
"""The value of a quota that the account's settings do not limit."""

_CODES = {
    "ml.m5.large for training job usage": "L-611FA074",
    "ml.m5.large for spot training job usage": "L-29688C85",
    "ml.m5.large for endpoint usage": "L-614B09FD",
    "ml.m5.large for transform job usage": "L-236AE59F",
    "ml.m5.xlarge for training job usage": "L-CCE2AFA6",
    "ml.m5.xlarge for spot training job usage": "L-4CEE6BA6",
    "ml.m5.xlarge for endpoint usage": "L-2F737F8D",
    "ml.m5.xlarge for transform job usage": "L-7939E4EC",
    "ml.t2.medium for endpoint usage": "L-29C181D7",
}
"""AWS's codes of common quotas, from public listings of ``list-service-quotas``. The others are made by `code_of`."""

_DEFAULTS = {
    "ml.t2.medium for endpoint usage": 2.0,
    "ml.m6g.large for endpoint usage": 2.0,
    "ml.m6g.xlarge for endpoint usage": 1.0,
}
"""AWS's defaults for endpoints that are not 0, from a public listing of July 2026. Every other default here is 0."""


@dataclass(frozen=True)
class Quota:
    """One quota.

    Attributes:
        code: such as ``L-611FA074``.
        name: such as ``ml.m5.large for training job usage``.
        default: AWS's value for a new account.
    """

    code: str
    name: str
    default: float


def all_quotas(more: Iterable[str] = ()) -> list[Quota]:
    """Return a quota per instance type and purpose, by code.

    Args:
        more: further names.
    """
    names = {f"{name} for {purpose}" for name in bundled_prices() for purpose in PURPOSES} | set(more)
    return sorted(
        (Quota(code_of(name), name, _DEFAULTS.get(name, 0.0)) for name in names), key=lambda quota: quota.code
    )


def code_of(name: str) -> str:
    """Return AWS's code of a quota if it is known, else the start of a hash of its name in the same format."""
    return _CODES.get(name) or f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
