"""The time of ``import asteroid_ll``, measured in turn with an interpreter that does nothing.

    python benchmarks/import_time.py

Bound: at most 1.5 times ``python -c pass``. ``import numpy`` is shown for scale.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 60
BOUND = 1.5


def wall_s(code: str) -> float:
    """Return the wall time of one interpreter that runs the code, in seconds."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> int:
    """Print the medians and their ratio beside the bound. Return 1 if the bound is passed."""
    codes = ("pass", "import asteroid_ll", "import numpy")
    rounds = [[wall_s(code) for code in codes] for _ in range(RUNS + 1)][1:]
    nothing_s, package_s, numpy_s = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratio = package_s / nothing_s
    print(
        f"pass {nothing_s * 1e3:.1f} ms   import asteroid_ll {package_s * 1e3:.1f} ms   import numpy "
        f"{numpy_s * 1e3:.1f} ms   ratio {ratio:.2f}   bound {BOUND}"
    )
    return int(ratio > BOUND)


if __name__ == "__main__":
    sys.exit(main())
