"""The cost of a run before it starts: the price of each machine, the worst case, and the cap that refuses.

A price is, in this order, the one of the configuration, the region's from AWS's Price List, or the one of the bundled
table (`asteroid_ll.instance_prices`). A bundled price is an estimate if it is derived from EC2's, or if the run is in
another region than the table's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from asteroid_ll.errors import ConfigError
from asteroid_ll.instance_prices import REGION, bundled_prices

Component = Literal["Training", "Hosting", "Processing"]
"""AWS's name of what an instance is used for."""

Use = Literal["clean", "encode", "training", "hosting", "transform", "serverless"]
"""What a run pays for; a stage is one that runs as a processing job.

Batch transform costs what training costs, to a cent (aws.amazon.com/sagemaker/pricing). So does processing: the
evidence is beside the bundled table.
"""

SERVERLESS_USD_PER_GB_S = 0.00002
"""A second of a serverless endpoint's answer, for each GB of its memory, in us-east-1.

Source: AWS's Price List, usage type USE1-ServerlessInf:Mem-3GB, 0.00006 USD per second, effective 2026-09-01.
"""

SERVERLESS_DATE = "2026-09-01"
LONGEST_REQUEST_S = 60
"""InvokeEndpoint's limit."""

MOST_REQUESTS = 60
"""Requests of a run that its worst case counts: those of 4 MB, with repetitions."""

Origin = Literal["configuration", "price-list", "bundled", "derived"]


@dataclass(frozen=True)
class Price:
    """The price of one instance for an hour.

    Attributes:
        usd_per_h: US dollars, on demand.
        origin: where it is from; ``derived`` is a bundled upper bound from EC2's price.
        region: region that it holds for; empty for a price of the configuration.
        date: day on which AWS had it, ISO 8601; empty for a price of the configuration.
    """

    usd_per_h: float
    origin: Origin
    region: str = ""
    date: str = ""

    def is_estimate(self, region: str) -> bool:
        """Return whether AWS may charge another price in a region."""
        return self.origin == "derived" or self.region not in ("", region)


Prices = Mapping[tuple[Component, str], Price]
"""Prices by the use and the type of an instance, such as ``("Training", "ml.m5.large")``."""


@dataclass(frozen=True)
class Item:
    """A job or the hosted model, for as long as it can be billed at most.

    Attributes:
        use: what is paid for.
        instance_type: their type, such as ``ml.m5.large``.
        instance_count: their number.
        hours: how long each of them is billed at most.
        price: None if it is unknown.
    """

    use: Use
    instance_type: str
    instance_count: int
    hours: float
    price: Price | None

    @property
    def instances(self) -> str:
        """The instances as text, such as ``2 x ml.m5.large`` or ``serverless 2048 MB``."""
        if self.use == "serverless":
            return self.instance_type
        return f"{self.instance_count} x {self.instance_type}"

    @property
    def usd_per_h(self) -> float | None:
        """All instances for an hour; None if the price is unknown."""
        return None if self.price is None else self.price.usd_per_h * self.instance_count

    @property
    def usd(self) -> float | None:
        """The most that they cost; None if the price is unknown."""
        return None if self.usd_per_h is None else self.usd_per_h * self.hours

    def sentence(self) -> str:
        """Return the worst case as text, such as ``hosting 0.115 an hour``."""
        if self.use == "hosting":
            return f"hosting {self.usd_per_h:.3f} an hour"
        words = {"transform": "batch transform", "serverless": "serverless requests"}.get(self.use, self.use)
        idle = ", nothing while idle" if self.use == "serverless" else ""
        return f"{words} up to {self.usd:.2f}{idle}"

    def cost_usd(self, seconds: float | None) -> float | None:
        """Return the cost of all instances for a time; None if the time or the price is unknown."""
        return None if seconds is None or self.usd_per_h is None else self.usd_per_h * seconds / 3600

    def to_json(self, region: str) -> dict[str, Any]:
        """Return the item as JSON values, for a run in a region."""
        price = self.price
        return {
            "instance_type": self.instance_type,
            "instance_count": self.instance_count,
            "hours": self.hours,
            "usd_per_h": None if price is None else price.usd_per_h,
            "usd": _rounded(self.usd),
            "source": None if price is None else price.origin,
            "source_region": None if price is None else price.region or None,
            "source_date": None if price is None else price.date or None,
            "is_estimate": price is None or price.is_estimate(region),
        }


@dataclass(frozen=True)
class Estimate:
    """The most that one run can cost.

    Attributes:
        training: the job for its whole allowed time.
        hosting: the endpoint for the hours after which it expires, or the transform job for its whole allowed time, or
            `MOST_REQUESTS` to the serverless endpoint.
        region: region of the run.
        note: why AWS's Price List is not the source; empty if it is, or was not needed.
        processing: the stages that run as processing jobs, each for its whole allowed time.
    """

    training: Item
    hosting: Item
    region: str
    note: str = ""
    processing: tuple[Item, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """All items, in the order of the run."""
        return *self.processing, self.training, self.hosting

    @property
    def total_usd(self) -> float | None:
        """All items together; None if a price is unknown."""
        costs = [item.usd for item in self.items if item.usd is not None]
        return sum(costs) if len(costs) == len(self.items) else None

    @property
    def unknown_types(self) -> tuple[str, ...]:
        """The instance types without a price."""
        return tuple(sorted({item.instance_type for item in self.items if item.price is None}))

    @property
    def is_estimate(self) -> bool:
        """Whether AWS may charge other prices than these."""
        return any(item.price is None or item.price.is_estimate(self.region) for item in self.items)

    def sentence(self) -> str:
        """Return the worst case as text, such as ``at most 0.17 USD (training up to 0.06, hosting 0.115 an hour)``."""
        if self.total_usd is None:
            return f"unknown: {_listed(self.unknown_types)} {_have(self.unknown_types)} no price"
        estimated = "by estimate " if self.is_estimate else ""
        parts = ", ".join(item.sentence() for item in self.items)
        return f"{estimated}at most {self.total_usd:.2f} USD ({parts})"

    def sources(self) -> Iterator[str]:
        """Yield a sentence for each source of the prices."""
        if self.note:
            yield self.note
        by_origin: dict[tuple[Origin, str, str], list[str]] = {}
        for item in self.items:
            if item.price is not None:
                key = (item.price.origin, item.price.region, item.price.date)
                by_origin.setdefault(key, []).append(item.instance_type)
        for (origin, region, date), types in by_origin.items():
            yield _source(_listed(dict.fromkeys(types)), origin=origin, place=region, date=date, region=self.region)

    def lines(self, max_usd: float) -> tuple[str, ...]:
        """Return the worst case beside the cap, and the sources of the prices, as lines of text."""
        return f"Price: {self.sentence()}, cap {max_usd:.2f} USD.", *self.sources()

    def to_json(self, max_usd: float) -> dict[str, Any]:
        """Return the worst case and the cap as JSON values; ``worst_case_usd`` is None if a price is unknown."""
        return {
            "worst_case_usd": _rounded(self.total_usd),
            "cap_usd": max_usd,
            "is_estimate": self.is_estimate,
            "region": self.region,
            **{item.use: item.to_json(self.region) for item in self.processing},
            "training": self.training.to_json(self.region),
            "hosting": self.hosting.to_json(self.region),
            "sources": list(self.sources()),
        }


def usd_per_h(instance_type: str | None) -> float | None:
    """Return the bundled price of one instance for an hour, or None if it is unknown."""
    price = None if instance_type is None else bundled_prices().get(instance_type)
    return None if price is None else price.usd_per_h


def price_of(component: Component, instance_type: str, *, stated: Mapping[str, float], listed: Prices) -> Price | None:
    """Return the price of an instance, or None if no source has one.

    Args:
        component: its use.
        instance_type: its type.
        stated: prices of the configuration in US dollars per hour, by type.
        listed: prices of the run's region from AWS's Price List.
    """
    if instance_type in stated:
        return Price(stated[instance_type], "configuration")
    if (component, instance_type) in listed:
        return listed[component, instance_type]
    bundled = bundled_prices().get(instance_type)
    if bundled is None:
        return None
    return Price(bundled.usd_per_h, "derived" if bundled.is_derived else "bundled", REGION, bundled.date)


def serverless_price(memory_mb: int) -> Price:
    """Return the price of an hour of answers from a serverless endpoint."""
    return Price(round(SERVERLESS_USD_PER_GB_S * memory_mb / 1024 * 3600, 6), "bundled", REGION, SERVERLESS_DATE)


def refusal_of(estimated: Estimate, max_usd: float) -> ConfigError | None:
    """Return the refusal of a run that may cost more than the cap, or has an unknown price; else None."""
    total_usd = estimated.total_usd
    if total_usd is None:
        stated = ", ".join(f"{name}: 1.23" for name in estimated.unknown_types)
        example = f"--set 'cost.price_usd_per_h={{{stated}}}'"
        return ConfigError(
            f"The cost is {estimated.sentence()}, so the cap of {max_usd:.2f} USD cannot be checked.",
            hint=f"State what AWS charges per hour, such as {example}, or choose another instance type.",
        )
    if total_usd > max_usd:
        sections = ("processing", "training") if estimated.processing else ("training",)
        limits = " or ".join(f"'{section}.max_runtime_s'" for section in sections)
        return ConfigError(
            f"The run may cost {estimated.sentence()}, above the cap of {max_usd:.2f} USD.",
            hint=f"Raise 'cost.max_usd', or shorten {limits}, or choose a smaller instance type.",
        )
    return None


def _source(types: str, *, origin: Origin, place: str, date: str, region: str) -> str:
    """Return where the prices of some types are from, for a run in a region."""
    estimate = "an estimate" if place in ("", region) else f"an estimate for {region}"
    if origin == "configuration":
        return f"Price of {types}: 'cost.price_usd_per_h'."
    if origin == "price-list":
        return f"Price of {types}: AWS's Price List of {place}, {date}."
    if origin == "derived":
        return f"Price of {types}: {estimate}, the upper bound from EC2's price in {place}, {date}."
    estimated = "" if place == region else f"{estimate} from "
    return f"Price of {types}: {estimated}the bundled table of {place}, {date}."


def _listed(names: Iterable[str]) -> str:
    """Return names as text, such as ``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _have(names: tuple[str, ...]) -> str:
    return "has" if len(names) == 1 else "have"


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 6)
