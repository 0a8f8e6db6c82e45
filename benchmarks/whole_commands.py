"""Whole commands, timed as processes in turn with a rival: ``run-all`` and ``--help``.

    python benchmarks/whole_commands.py

Bounds: ``run-all`` in an empty folder takes at most 6 s of wall time on 2 cores; ``--help`` at most 0.2 s. The rival
of the first is a process that does nothing but import numpy, pandas and boto3; of the second, one that does nothing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RUNS = 7
COMMAND = [str(Path(sys.executable).with_name("asteroid-ll"))]


def wall_s(command: list[str], *, folder: Path | None = None) -> float:
    """Wall time of one process, in seconds; it must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def run_all() -> float:
    """``run-all`` in a folder that is empty each time."""
    with tempfile.TemporaryDirectory() as folder:
        return wall_s([*COMMAND, "run-all"], folder=Path(folder))


def compare(title: str, ours: Callable[[], float], rival: Callable[[], float], *, bound_s: float) -> None:
    """Time both in turn, after one warm-up each, and print medians, their ratio and the share of the bound."""
    ours(), rival()
    pairs = [(ours(), rival()) for _ in range(RUNS)]
    median_s = statistics.median(pair[0] for pair in pairs)
    rival_s = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(a / b for a, b in pairs)
    print(
        f"{title:<10} {median_s:6.3f} s   rival {rival_s:6.3f} s   ratio {ratio:5.2f}   "
        f"bound {bound_s:g} s: {median_s / bound_s:.0%} of it"
    )


def main() -> None:
    """Print one line per command."""
    imports = [sys.executable, "-c", "import numpy, pandas, boto3"]
    nothing = [sys.executable, "-c", "pass"]
    compare("run-all", run_all, lambda: wall_s(imports), bound_s=6.0)
    compare("--help", lambda: wall_s([*COMMAND, "--help"]), lambda: wall_s(nothing), bound_s=0.2)


if __name__ == "__main__":
    main()
