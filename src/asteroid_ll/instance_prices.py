"""The bundled table of SageMaker's on-demand prices, in US dollars per instance and hour.

`scripts/build_prices.py` makes ``data/instance_prices.json``, which names the source and the date of every figure. Most
prices are SageMaker's own. The derived ones are upper bounds: EC2's price of the same machine times the largest ratio
that SageMaker takes for a known type. AWS charges the same for training, real-time hosting and processing, to a cent.
Storage and requests are left out: a 10 GB volume costs about 0.002 USD per hour.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

REGION = "us-east-1"
"""The region of every price in the table."""


@dataclass(frozen=True)
class BundledPrice:
    """A price of the table.

    Attributes:
        usd_per_h: US dollars per instance and hour, on demand.
        date: day on which AWS had this price, ISO 8601.
        is_derived: whether it is an upper bound from EC2's price instead of SageMaker's own price.
    """

    usd_per_h: float
    date: str
    is_derived: bool


@cache
def bundled_prices() -> Mapping[str, BundledPrice]:
    """Return the price of each instance type, such as ``ml.m5.large``; types without one are absent."""
    path = Path(__file__).parent / "data" / "instance_prices.json"
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: BundledPrice(price, table[kind]["date"], is_derived=kind == "derived")
        for kind in ("derived", "known")
        for name, price in table[kind]["usd_per_h"].items()
    }
