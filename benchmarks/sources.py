"""Lists of every known asteroid: MOIDs per second, and the time and memory of reading both formats.

    python benchmarks/sources.py [--rows ROWS] [--json]

The lists are made up, in the formats of MPCORB.DAT and mpcorb_extended.json.gz, and are read in processes of their own.
The rival of a list is the reading of the whole file at once: a split of all lines, and a parse of the whole array. The
bound is unpacking the file. The MOIDs are those of the list's orbits; their bound is one evaluation of the distance on
the grid in single precision, without the iteration. Times are CPU times.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

LISTS = Path(__file__).resolve().parents[1] / "tests" / "unit" / "neo" / "fake_lists" / "lists.py"

WORK = {
    "read in batches": (
        "from asteroid_ll.neo.sources import open_source\n"
        "from pathlib import Path\n"
        "for batch in open_source('mpc').batches(Path(sys.argv[1])): n += len(batch.table)\n"
    ),
    "whole lines": ("for line in gzip.open(sys.argv[1]).read().splitlines(): n += len(line.split()) > 20\n"),
    "whole array": ("import orjson\nn = len(orjson.loads(gzip.open(sys.argv[1]).read()))\n"),
    "unpack": ("stream = gzip.open(sys.argv[1])\nwhile block := stream.read(1 << 20): n += len(block)\n"),
}
PROLOGUE = "import gzip, json, re, sys, time\nn = 0\nstarted = time.process_time()\n"
EPILOGUE = (
    "peak_kb = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
    "print(json.dumps([n, time.process_time() - started, int(peak_kb) / 1024]))\n"
)
"""The peak of a process's own memory, from Linux: that of getrusage includes the parent's."""


def lists() -> Any:
    """Return the module that makes up lists."""
    specification = importlib.util.spec_from_file_location("lists", LISTS)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["lists"] = module
    specification.loader.exec_module(module)
    return module


def measured(work: str, path: Path) -> tuple[float, float]:
    """Return the CPU time in s and the peak memory in MB of a process."""
    code = PROLOGUE + WORK[work] + EPILOGUE
    out = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True).stdout
    _, cpu_s, peak_mb = json.loads(out)
    return cpu_s, peak_mb


def moids(population: Any) -> dict[str, Any]:
    """Return the time of the MOIDs of a population, and of their bound."""
    from asteroid_ll.neo import moid

    orbits = moid.Orbits(population.a, population.e, population.i, population.node, population.peri)
    started = time.process_time()
    moid.earth_moid_au(orbits, epoch_jd=2_461_000.5)
    cpu_s = time.process_time() - started
    x, y = np.random.default_rng(0).random((2, 250, moid.GRID_POINTS), dtype=np.float32)
    started = time.process_time()
    for _ in range(0, len(population), 250):
        for _ in range(3):
            np.multiply(x, y, out=x)
            np.add(x, y, out=x)
            np.multiply(x, y, out=x)
        np.sqrt(x, out=x)
        np.divide(x, y, out=x)
    bound_s = time.process_time() - started
    return {"work": "MOIDs", "cpu_s": cpu_s, "peak_mb": None, "rival_s": None, "rival_mb": None, "bound_s": bound_s}


def reading(name: str, path: Path, rival: str) -> dict[str, Any]:
    """Return the time and memory of reading a list, of its rival and of its bound."""
    cpu_s, peak_mb = measured("read in batches", path)
    rival_s, rival_mb = measured(rival, path)
    bound_s, _ = measured("unpack", path)
    return {
        "work": name, "cpu_s": cpu_s, "peak_mb": peak_mb, "rival_s": rival_s, "rival_mb": rival_mb, "bound_s": bound_s
    }  # fmt: skip


def main() -> None:
    """Print the table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    population = lists().Population(arguments.rows)
    rows = [moids(population)]
    with tempfile.TemporaryDirectory() as folder:
        lines = population.write_lines(Path(folder, "MPCORB.DAT.gz"))
        rows.append(reading("MPCORB.DAT.gz, with MOIDs", lines, "whole lines"))
        records = population.write_records(Path(folder, "mpcorb_extended.json.gz"))
        rows.append(reading("mpcorb_extended.json.gz, with MOIDs", records, "whole array"))
    if arguments.json:
        claim = "every known asteroid is read in bounded memory"
        print(json.dumps({"claim": claim, "rows": rows, "n": arguments.rows, "rival": "the whole file at once"}))
        return
    print(f"| {arguments.rows:,} asteroids | CPU | peak memory | the whole file at once | its peak | the least work |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        cells = [row["work"], f"{row['cpu_s']:.1f} s", mb(row["peak_mb"])]
        cells += [
            "" if row["rival_s"] is None else f"{row['rival_s']:.1f} s",
            mb(row["rival_mb"]),
            f"{row['bound_s']:.1f} s",
        ]
        print("| " + " | ".join(cells) + " |")


def mb(value: float | None) -> str:
    """Return a number of megabytes as text."""
    return "" if value is None else f"{value:,.0f} MB"


if __name__ == "__main__":
    main()
