#!/usr/bin/env python3
"""Build the package's table of SageMaker's instance prices from the figures in ``instance_prices_source.json``.

    python scripts/build_prices.py

The source has two kinds of figures, each with its origin and date: SageMaker's own prices, and EC2's on-demand prices
of the machines that SageMaker offers. Its prices of processing jobs are the evidence that the table holds for them too.
A type with a price of SageMaker's own keeps it. Every other type that EC2 sells
gets an upper bound: EC2's price times the largest ratio of a SageMaker price to EC2's price of the same machine. The
source lists the types with neither. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("instance_prices_source.json")
DEFAULT_OUTPUT = Path(__file__).resolve().parents[1] / "src" / "asteroid_ll" / "data" / "instance_prices.json"


def table_of(source: dict[str, Any]) -> dict[str, Any]:
    """Return the table: known prices, derived upper bounds, and the types without a price."""
    known = {name: price for part in source["sagemaker"] for name, price in part["usd_per_h"].items()}
    ec2 = source["ec2"]["usd_per_h"]
    ratios = {name: price / ec2[_machine(name)] for name, price in known.items() if _machine(name) in ec2}
    widest = max(ratios, key=lambda name: ratios[name])
    derived = {
        f"ml.{machine}": math.ceil(price * ratios[widest] * 10_000) / 10_000
        for machine, price in sorted(ec2.items())
        if f"ml.{machine}" not in known
    }
    return {
        "region": source["region"],
        "currency": source["currency"],
        "unit": source["unit"],
        "made_by": "scripts/build_prices.py from scripts/instance_prices_source.json",
        "known": {
            "sources": [{"source": part["source"], "date": part["date"]} for part in source["sagemaker"]],
            "date": min(part["date"] for part in source["sagemaker"]),
            "usd_per_h": dict(sorted(known.items())),
        },
        "processing": source["processing"],
        "derived": {
            "source": source["ec2"]["source"],
            "date": source["ec2"]["date"],
            "ratio_to_ec2": round(ratios[widest], 6),
            "ratio_of": f"{widest}, the largest of {len(ratios)} types",
            "usd_per_h": derived,
        },
        "without_price": source["without_price"],
    }


def _machine(name: str) -> str:
    """Return EC2's name of the machine of a SageMaker instance type."""
    return name.removeprefix("ml.")


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Build the table of instance prices.")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT)
    output = parser.parse_args().output
    table = table_of(json.loads(SOURCE.read_text(encoding="utf-8")))
    output.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    counts = (len(table["known"]["usd_per_h"]), len(table["derived"]["usd_per_h"]), len(table["without_price"]))
    print("{} known prices, {} derived upper bounds, {} types without a price".format(*counts))


if __name__ == "__main__":
    main()
