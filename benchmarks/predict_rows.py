"""``predict --input`` with many rows, offline, beside a loop that only formats the same features with ``np.savetxt``.

    python benchmarks/predict_rows.py [rows]

A run directory is made by ``run-all``. The rows are those of the bundled catalogue, repeated. The figures are CPU times
and the peak memory of whole processes, best of three. The rival is what a tutorial does to make the bodies of requests,
without reading, sending or scoring anything.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np

import asteroid_ll

REPEATS = 3
COMMAND = [sys.executable, "-m", "asteroid_ll"]


def measured(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Run the command line; return its CPU time, s, and its peak memory, MB."""
    process = subprocess.Popen([*COMMAND, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_rows(path: Path, n_rows: int) -> None:
    """Write the catalogue's rows, repeated."""
    catalogue = Path(asteroid_ll.__file__).parent / "data" / "catalogue.csv.gz"
    with gzip.open(catalogue, "rt", encoding="utf-8-sig") as file:
        header, *lines = file
    with path.open("w", encoding="utf-8") as file:
        file.write(header)
        file.writelines(islice(cycle(lines), n_rows))


def savetxt_s(n_rows: int) -> float:
    """Return the CPU time of formatting a matrix of 13 features, in seconds."""
    features = np.random.default_rng(0).normal(size=(n_rows, 13)).astype(np.float32)
    started = time.process_time()
    np.savetxt(os.devnull, features, delimiter=",", fmt="%g")
    return time.process_time() - started


def main() -> None:
    """Print the figures."""
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured(["run-all"], folder)
        write_rows(folder / "new.csv", n_rows)
        write_rows(folder / "one.csv", 1)
        pairs = []
        for _ in range(REPEATS):
            whole = measured(["predict", "-i", "new.csv", "-o", "scored.csv", "--offline"], folder)
            start = measured(["predict", "-i", "one.csv", "-o", "scored.csv", "--offline"], folder)
            pairs.append((whole, start, savetxt_s(n_rows)))
    whole_s, peak_mb = min(pair[0] for pair in pairs)
    start_s, rival_s = min(pair[1][0] for pair in pairs), min(pair[2] for pair in pairs)
    print(
        f"{n_rows:,} rows: {whole_s:.2f} s CPU, of which {start_s:.2f} s for one row; peak {peak_mb:.0f} MB; "
        f"np.savetxt alone {rival_s:.2f} s"
    )


if __name__ == "__main__":
    main()
