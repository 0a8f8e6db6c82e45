"""Whole commands, timed as processes in turn with a rival: ``run-all``, the same again, and ``--help``.

    python benchmarks/whole_commands.py [--runs N] [--json]

The rival of ``run-all`` is a process that does nothing but import numpy, pandas and boto3; that of ``--help`` does
nothing. Times are medians of wall times; the ratio is the median of the pairs' ratios.

Bounds, on 2 cores that nothing else uses: ``run-all`` in an empty folder takes at most 2.3 s or 6.5 times its rival,
the same again, which finds everything up to date, at most 0.35 s, and ``--help`` at most 0.1 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMAND = [str(Path(sys.executable).with_name("asteroid-ll"))]
IMPORTS = [sys.executable, "-c", "import numpy, pandas, boto3"]
NOTHING = [sys.executable, "-c", "pass"]


def wall_s(command: list[str], *, folder: Path | None = None) -> float:
    """Wall time of one process, in seconds; it must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def run_all() -> float:
    """``run-all`` in a folder that is empty each time."""
    with tempfile.TemporaryDirectory() as folder:
        return wall_s([*COMMAND, "run-all"], folder=Path(folder))


def compare(title: str, ours: Callable[[], float], rival: list[str], *, runs: int, bound_s: float) -> dict[str, Any]:
    """Time both in turn, after one warm-up each; return the medians, their ratio and the bound."""
    ours(), wall_s(rival)
    pairs = [(ours(), wall_s(rival)) for _ in range(runs)]
    return {
        "command": title,
        "s": statistics.median(pair[0] for pair in pairs),
        "rival": " ".join(rival[1:]),
        "rival_s": statistics.median(pair[1] for pair in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
        "bound_s": bound_s,
    }


def main() -> None:
    """Print one line per command."""
    parser = argparse.ArgumentParser(description="Whole commands against processes that import or do nothing.")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder)
        wall_s([*COMMAND, "run-all"], folder=again)
        rows = [
            compare("run-all", run_all, IMPORTS, runs=arguments.runs, bound_s=2.3),
            compare(
                "run-all, up to date", lambda: wall_s([*COMMAND, "run-all"], folder=again), IMPORTS,
                runs=arguments.runs, bound_s=0.35,
            ),
            compare("--help", lambda: wall_s([*COMMAND, "--help"]), NOTHING, runs=arguments.runs, bound_s=0.1),
        ]  # fmt: skip
    if arguments.json:
        print(json.dumps({"claim": "whole commands", "rows": rows}))
        return
    print("| command | wall time | bound | rival | its time | ratio |\n|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['command']} | {row['s']:.2f} s | {row['bound_s']:g} s | `{row['rival']}` | {row['rival_s']:.2f} s "
            f"| {row['ratio']:.2f} |"
        )


if __name__ == "__main__":
    main()
