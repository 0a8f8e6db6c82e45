"""Time and cost of more rows, from the CPU time per row of each stage in ``results.json`` and the bundled prices.

    python benchmarks/scale.py

The time per row is that of the rows by which the two measured tables differ, so the start of a command does not count.
Core hours are rows times CPU seconds per row / 3,600. US dollars are core hours / cores of a machine times its price
per hour. Nothing is measured here; ``scripts/bench --only stages`` does that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from frame import short, table

from asteroid_ll.instance_prices import bundled_prices

MACHINE, CORES, MACHINES = "ml.m5.xlarge", 4, 20
ROWS = {"10^6": 1e6, "10^8": 1e8, "10^10": 1e10}
STAGES = ("fetch", "clean", "split", "encode", "train", "score")
"""Those that touch every row at any scale. ``explore`` can take a sample."""


def markdown(stages: dict[str, Any]) -> str:
    """Return the table, from the result of ``benchmarks/stages.py``."""
    usd_per_h = bundled_prices()[MACHINE].usd_per_h / CORES
    per_row_s = {name: _per_row_s(stages["figures"], name) for name in STAGES}
    total_s = sum(per_row_s.values())
    rows = []
    for name, row_s in (*per_row_s.items(), ("all", total_s)):
        cells = {
            f"{text} rows": f"{_time(n_rows * row_s)}, {_usd(n_rows * row_s / 3_600 * usd_per_h)}"
            for text, n_rows in ROWS.items()
        }
        rows.append({"stage": name, "rows per core second": short(1 / row_s), **cells})
    by_the_clock = {f"{text} rows": _time(n_rows * total_s / CORES / MACHINES) for text, n_rows in ROWS.items()}
    rows.append({"stage": f"all, on {MACHINES} {MACHINE}, by the clock", **by_the_clock})
    return table(rows, list(rows[0]))


def _per_row_s(figures: list[dict[str, Any]], name: str) -> float:
    (figure,) = (figure for figure in figures if figure["work"].startswith(f"{name},"))
    part = 1 / figure["times"]
    return float((figure["ours"]["cpu_s"] - part * figure["theirs"]["cpu_s"]) / (figure["unit"][1] * (1 - part)))


def _time(seconds: float) -> str:
    return f"{short(seconds / 3_600)} h" if seconds >= 3_600 else f"{short(seconds)} s"


def _usd(amount: float) -> str:
    return f"{amount:,.2f} USD" if amount >= 0.005 else "under 0.01 USD"


if __name__ == "__main__":
    results = json.loads(Path(__file__).with_name("results.json").read_text(encoding="utf-8"))
    print(markdown(results["stages"]), end="")
