"""The cost of a run before it starts: bundled prices, an upper bound, and the cap that refuses.

The prices are on-demand US dollars per hour in us-east-1. AWS charges the same for training and real-time hosting on
these types. Source: https://aws.amazon.com/sagemaker/pricing/, checked against public copies on `PRICES_CHECKED_ON`.
AWS cut its prices by up to 14 % on 19 April 2021. For the older families (t2.large and above, m4, c4) the figures are
from before that day, so they are upper bounds. Storage and requests are left out: a 10 GB volume costs about
0.002 USD per hour.
"""

from __future__ import annotations

from dataclasses import dataclass

from asteroid_ll.errors import ConfigError

PRICES_REGION = "us-east-1"
PRICES_CHECKED_ON = "2026-11-24"

_USD_PER_H = {
    "ml.t2.medium": 0.056,
    "ml.t2.large": 0.13,
    "ml.t2.xlarge": 0.26,
    "ml.t2.2xlarge": 0.521,
    "ml.m4.xlarge": 0.28,
    "ml.m4.2xlarge": 0.56,
    "ml.m4.4xlarge": 1.12,
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.c4.xlarge": 0.279,
    "ml.c4.2xlarge": 0.557,
    "ml.c5.large": 0.102,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.c5.9xlarge": 1.836,
    "ml.r5.large": 0.151,
    "ml.r5.xlarge": 0.302,
    "ml.r5.2xlarge": 0.605,
    "ml.r5.8xlarge": 2.419,
    "ml.r5.16xlarge": 4.838,
    "ml.g4dn.xlarge": 0.736,
    "ml.g4dn.2xlarge": 0.94,
    "ml.g4dn.4xlarge": 1.505,
    "ml.g4dn.8xlarge": 2.72,
    "ml.g5.xlarge": 1.408,
    "ml.p3.2xlarge": 3.825,
    "ml.p3.8xlarge": 14.688,
}


@dataclass(frozen=True)
class Estimate:
    """The maximum cost of one run.

    Attributes:
        training_usd: the job for its whole allowed time; None if the type's price is unknown.
        hosting_usd: the endpoint for the given hours; None if the type's price is unknown.
        hosting_usd_per_h: the endpoint for one hour; None if unknown.
        unknown_types: the instance types without a price.
        is_home_region: whether the run is in `PRICES_REGION`.
    """

    training_usd: float | None
    hosting_usd: float | None
    hosting_usd_per_h: float | None
    unknown_types: tuple[str, ...]
    is_home_region: bool

    @property
    def total_usd(self) -> float | None:
        """Training and hosting together; None if a price is unknown."""
        if self.training_usd is None or self.hosting_usd is None:
            return None
        return self.training_usd + self.hosting_usd

    def sentence(self) -> str:
        """Return the estimate as text, such as ``at most 0.17 USD (training up to 0.06, hosting 0.115 an hour)``."""
        if self.total_usd is None:
            return f"unknown: no bundled price for {', '.join(self.unknown_types)}"
        region = "" if self.is_home_region else f", at the prices of {PRICES_REGION}"
        return (
            f"at most {self.total_usd:.2f} USD (training up to {self.training_usd:.2f}, "
            f"hosting {self.hosting_usd_per_h:.3f} an hour{region})"
        )


def usd_per_h(instance_type: str | None) -> float | None:
    """Return the on-demand price of one instance for an hour in `PRICES_REGION`, or None if it is unknown."""
    return None if instance_type is None else _USD_PER_H.get(instance_type)


def estimate(
    *,
    training_type: str,
    training_count: int,
    max_runtime_s: float,
    hosting_type: str,
    hosting_count: int,
    hosting_h: float,
    region: str,
) -> Estimate:
    """Return the maximum cost of one run.

    Args:
        training_type: instance type of the job.
        training_count: instances of the job.
        max_runtime_s: the job's limit in seconds, the most that AWS bills for each instance.
        hosting_type: instance type of the endpoint.
        hosting_count: instances of the endpoint.
        hosting_h: planned hours of the endpoint.
        region: AWS region of the run.
    """
    training_price, hosting_price = usd_per_h(training_type), usd_per_h(hosting_type)
    per_h = None if hosting_price is None else hosting_price * hosting_count
    priced = {training_type: training_price, hosting_type: hosting_price}
    return Estimate(
        training_usd=None if training_price is None else training_price * training_count * max_runtime_s / 3600,
        hosting_usd=None if per_h is None else per_h * hosting_h,
        hosting_usd_per_h=per_h,
        unknown_types=tuple(sorted(name for name, price in priced.items() if price is None)),
        is_home_region=region == PRICES_REGION,
    )


def refuse_above(estimated: Estimate, max_usd: float) -> None:
    """Refuse a run that may cost more than the cap, or has an unknown price.

    Raises:
        ConfigError: the estimate is above the cap or unknown.
    """
    total_usd = estimated.total_usd
    if total_usd is None:
        raise ConfigError(
            f"The cost is {estimated.sentence()}, so the cap of {max_usd:.2f} USD cannot be checked.",
            hint=f"Choose another instance type, for example ml.m5.large at {_USD_PER_H['ml.m5.large']} USD an hour.",
        )
    if total_usd > max_usd:
        raise ConfigError(
            f"The run may cost {estimated.sentence()}, above the cap of {max_usd:.2f} USD.",
            hint="Raise 'cost.max_usd', or shorten 'training.max_runtime_s', or choose a smaller instance type.",
        )
