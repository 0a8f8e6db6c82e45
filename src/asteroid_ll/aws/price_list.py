"""SageMaker's prices of a region from AWS's Price List API, and their copy in the run directory.

The list is a read that the caller may be denied, so it is asked once, with short timeouts and no retry. The copy is in
the run directory and not in a cache of the user: the bill of a run then has the prices that its estimate had, also on
another machine, and no run depends on another.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from asteroid_ll.aws.pricing import Component, Price, Prices
from asteroid_ll.errors import DataError
from asteroid_ll.run.files import read_json, write_json

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

MAX_AGE_S = 7 * 24 * 3600
"""Age after which a copy is read anew."""

_PARTITION = "aws"
"""The list of the other partitions has no prices in US dollars, or no API."""

_VERSION = 1


def read_prices(aws: Aws, wanted: Iterable[tuple[Component, str]], *, today: str) -> Prices:
    """Return the prices that AWS lists for the connection's region; types that it does not list are absent.

    Args:
        aws: the connection.
        wanted: uses and types of instances.
        today: the date of the prices, ISO 8601.

    Raises:
        AsteroidError: the list is denied, cannot be reached, or has an answer that is none.
    """
    from asteroid_ll.aws.errors import aws_call  # imports botocore, which a command that only reads does not need

    found: dict[tuple[Component, str], Price] = {}
    if aws.partition != _PARTITION:
        return found
    for component, instance_type in wanted:
        attributes = {"regionCode": aws.region, "instanceName": instance_type, "component": component}
        with aws_call("reading AWS's Price List", service="pricing"):
            answer = aws.price_list.get_products(
                ServiceCode="AmazonSageMaker",
                FormatVersion="aws_v1",
                Filters=[{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in attributes.items()],
                MaxResults=100,
            )
        prices = [price for item in answer.get("PriceList", ()) for price in _hourly_usd(item, attributes)]
        if prices:
            found[component, instance_type] = Price(max(prices), "price-list", aws.region, today)
    return found


def stored_prices(path: Path, *, region: str, now_s: float | None = None) -> Prices:
    """Return the prices of a copy; none if it is missing, damaged, of another region, or from the future.

    Args:
        path: the copy.
        region: the region of the run.
        now_s: seconds since 1970; a copy that is older than `MAX_AGE_S` then has no prices. None for any age.
    """
    try:
        stored = read_json(path)
        read_s = datetime.fromisoformat(stored["read_at"]).timestamp()
        date = datetime.fromtimestamp(read_s, UTC).date().isoformat()
        is_usable = stored["version"] == _VERSION and stored["region"] == region
        if not is_usable or (now_s is not None and not 0 <= now_s - read_s <= MAX_AGE_S):
            return {}
        components: tuple[Component, ...] = get_args(Component)
        return {
            (component, str(name)): Price(float(usd), "price-list", region, date)
            for component in components
            for name, usd in stored["usd_per_h"].get(component, {}).items()
            if _is_price(usd)
        }
    except (DataError, ValueError, TypeError, AttributeError, OverflowError, OSError):
        return {}


def store_prices(path: Path, prices: Prices, *, region: str, now_s: float) -> None:
    """Write the copy; a disk that refuses it costs only a request of the next command."""
    by_component: dict[str, dict[str, float]] = {}
    for (component, instance_type), price in prices.items():
        by_component.setdefault(component, {})[instance_type] = price.usd_per_h
    read_at = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds")
    write_json(path, {"version": _VERSION, "region": region, "read_at": read_at, "usd_per_h": by_component})


def _hourly_usd(item: object, attributes: dict[str, str]) -> Iterator[float]:
    """Yield the on-demand prices per hour of a product of the list, if it is the one that was asked for."""
    try:
        product: Any = json.loads(item) if isinstance(item, str) else item
        if any(product["product"]["attributes"].get(name) != value for name, value in attributes.items()):
            return
        for term in product["terms"]["OnDemand"].values():
            for dimension in term["priceDimensions"].values():
                usd = float(dimension["pricePerUnit"]["USD"])
                if str(dimension["unit"]).lower() in ("hrs", "hours", "hour") and _is_price(usd):
                    yield usd
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return


def _is_price(usd: object) -> bool:
    """Return whether a value is a price: a finite number above zero. AWS lists zero for a free tier."""
    return isinstance(usd, int | float) and not isinstance(usd, bool) and math.isfinite(usd) and usd > 0
