"""The quotas of SageMaker's instances: their names, codes and AWS's defaults."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from asteroid_ll.instance_prices import bundled_prices

PURPOSES = (
    *("training job usage", "spot training job usage", "training warm pool usage"),
    *("endpoint usage", "transform job usage", "processing job usage"),
)
"""What follows the instance type in a quota's name, such as ``ml.m5.large for endpoint usage``."""

NO_LIMIT = 10_000.0
"""The value of a quota that the account's settings do not limit."""

_CODES = {
    "ml.m5.large for training job usage": "L-611FA074",
    "ml.m5.large for spot training job usage": "L-29688C85",
    "ml.m5.large for endpoint usage": "L-614B09FD",
    "ml.m5.large for transform job usage": "L-236AE59F",
    "ml.m5.large for processing job usage": "L-8541302D",
    "ml.m5.xlarge for training job usage": "L-CCE2AFA6",
    "ml.m5.xlarge for spot training job usage": "L-4CEE6BA6",
    "ml.m5.xlarge for endpoint usage": "L-2F737F8D",
    "ml.m5.xlarge for transform job usage": "L-7939E4EC",
    "ml.m5.xlarge for processing job usage": "L-0307F515",
    "ml.m5.2xlarge for processing job usage": "L-1D84B9D2",
    "ml.m5.4xlarge for processing job usage": "L-379E85A3",
    "ml.t3.medium for processing job usage": "L-0CE343FE",
    "ml.t2.medium for endpoint usage": "L-29C181D7",
}
"""AWS's codes of common quotas, from public listings of ``list-service-quotas``. `quota_of` makes the others."""

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


@lru_cache(maxsize=8)
def all_quotas(more: frozenset[str]) -> tuple[Quota, ...]:
    """Return a quota per instance type and purpose, by code.

    Args:
        more: further names.
    """
    names = {f"{name} for {purpose}" for name in bundled_prices() for purpose in PURPOSES} | more
    return tuple(sorted(map(quota_of, names), key=lambda quota: quota.code))


def quota_of(name: str) -> Quota:
    """Return the quota of a name. A code that is not known is the start of a hash of the name, in AWS's format."""
    code = _CODES.get(name) or f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
    return Quota(code, name, _DEFAULTS.get(name, 0.0))
