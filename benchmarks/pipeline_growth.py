"""CPU time and peak memory of each stage from a CSV file to shards, for prefixes of one table.

    python benchmarks/pipeline_growth.py FILE ROWS [ROWS ...]

    scripts/rubin 4000000 rows.csv && python benchmarks/pipeline_growth.py rows.csv 1000000 4000000

Each stage is a command of its own. The ratio is that of the CPU times of the last and the first number of rows.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

STAGES = ("fetch", "clean", "explore", "split", "encode")
LAUNCHER = """
import os, sys
null = os.open(os.devnull, os.O_RDWR)
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_, status, usage = os.wait4(pid, 0)
print(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""
"""A small process between this one and the command: Linux counts the memory of the parent as the child's first one."""


def measured(stage: str, file: Path, folder: Path) -> tuple[float, float]:
    """Run a stage; return its CPU time in s and its peak memory in MB."""
    settings = ["source.kind=csv", f"source.location={file}"]
    options = [option for setting in settings for option in ("--set", setting)]
    command = [sys.executable, "-m", "asteroid_ll", stage, "--workdir", str(folder), *options]
    launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    status, cpu_s, peak_mb = subprocess.run(launched, capture_output=True, text=True, check=True).stdout.split()
    if int(status):
        raise RuntimeError(f"{stage} failed: {' '.join(command)}")
    return float(cpu_s), float(peak_mb)


def main() -> None:
    """Print a line per stage."""
    source, sizes = Path(sys.argv[1]), [int(text.replace("_", "")) for text in sys.argv[2:]]
    found: dict[int, list[tuple[float, float]]] = {}
    for n_rows in sizes:
        with tempfile.TemporaryDirectory(dir=source.parent) as name:
            file = Path(name) / "rows.csv"
            with source.open("rb") as lines, file.open("wb") as prefix:
                prefix.writelines(itertools.islice(lines, n_rows + 1))
            found[n_rows] = [measured(stage, file, Path(name) / "run") for stage in STAGES]
    print(f"| stage | {' | '.join(f'{n_rows:,} rows' for n_rows in sizes)} | ratio |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for place, stage in enumerate((*STAGES, "CSV to shards")):
        if stage in STAGES:
            cells = [found[n_rows][place] for n_rows in sizes]
        else:
            without = [
                [figures for name, figures in zip(STAGES, found[n], strict=True) if name != "explore"] for n in sizes
            ]
            cells = [(sum(cpu_s for cpu_s, _ in figures), max(peak for _, peak in figures)) for figures in without]
        shown = " | ".join(f"{cpu_s:.1f} s, {peak_mb:,.0f} MB" for cpu_s, peak_mb in cells)
        print(f"| {stage} | {shown} | {cells[-1][0] / cells[0][0]:.1f} |")


if __name__ == "__main__":
    main()
