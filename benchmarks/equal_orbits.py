"""Nearly equal orbits: the growth with the number of rows, beside a sort of the same rows and a loop along sorted a.

    python benchmarks/equal_orbits.py [rows ...]

"distinct" has random orbits. "repeated" has the bundled catalogue's orbits again and again under fresh designations, so
the number of pairs grows with the square of the rows. Each figure is the CPU time of a process's work, the best of
three. The exponent is that of the growth since the line before. The loop is the rival; it runs up to 250,000 distinct
and 125,000 repeated rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import asteroid_ll
from asteroid_ll.neo.feature_sets import ELEMENTS
from asteroid_ll.neo.identities import equal_orbits
from asteroid_ll.neo.orbit_grid import _are_equal
from asteroid_ll.neo.sources.tabular import read

ROWS = (125_000, 250_000, 500_000, 1_000_000)
LOOP_ROWS = {"distinct": 250_000, "repeated": 125_000}
NAMES = [*ELEMENTS, "absolute_magnitude_mag"]


def cpu_s(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest CPU time of some repeats, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def distinct(n_rows: int) -> pd.DataFrame:
    """Return random orbits."""
    rng = np.random.default_rng(0)
    columns = (
        rng.uniform(0.0, 0.9, n_rows),
        np.exp(rng.uniform(-0.3, 1.2, n_rows)),
        rng.rayleigh(10.0, n_rows),
        rng.uniform(0.0, 360.0, n_rows),
        rng.uniform(0.0, 360.0, n_rows),
        rng.uniform(15.0, 30.0, n_rows),
    )
    return named(pd.DataFrame(dict(zip(NAMES, columns, strict=True))))


def repeated(n_rows: int) -> pd.DataFrame:
    """Return the catalogue's orbits, repeated."""
    table = read(Path(asteroid_ll.__file__).parent / "data" / "catalogue.csv.gz").table[NAMES]
    return named(table.iloc[np.arange(n_rows) % len(table)].reset_index(drop=True))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a fresh designation per row."""
    return table.assign(asteroid_id=[f"2030 A{number}" for number in range(len(table))])


def loop(table: pd.DataFrame) -> int:
    """Return the number of pairs, by steps of 1, 2, 3 ... along the orbits in the order of a."""
    order = np.argsort(table["semi_major_axis_au"].to_numpy(), kind="stable")
    orbits = table[list(ELEMENTS)].to_numpy()[order]
    magnitude_mag = table["absolute_magnitude_mag"].to_numpy()[order]
    n_pairs = 0
    for step in range(1, len(orbits)):
        near = (orbits[step:, 1] - orbits[:-step, 1]) / orbits[:-step, 1] <= 1e-3
        if not near.any():
            break
        near &= np.abs(orbits[step:, 0] - orbits[:-step, 0]) <= 1e-3
        first = np.flatnonzero(near)
        n_pairs += int(_are_equal(orbits, magnitude_mag, np.column_stack([first, first + step])).sum())
    return n_pairs


def main() -> None:
    """Print one line per number of rows."""
    print(f"{'':9} {'rows':>9} {'pairs':>13} {'grid':>8} {'exponent':>8} {'times a sort':>12} {'loop, times grid':>16}")
    for name, make in (("distinct", distinct), ("repeated", repeated)):
        before: tuple[int, float] | None = None
        for n_rows in [int(text) for text in sys.argv[1:]] or ROWS:
            table = make(n_rows)
            grid_s = cpu_s(lambda table=table: len(equal_orbits(table)))  # type: ignore[misc]
            sort_s = cpu_s(lambda table=table: table.sort_values(NAMES))  # type: ignore[misc]
            n_pairs = len(equal_orbits(table))
            rival = ""
            if n_rows <= LOOP_ROWS[name]:
                loop_s = cpu_s(lambda table=table: loop(table), 1)  # type: ignore[misc]
                assert loop(table) == n_pairs
                rival = f"{loop_s / grid_s:.1f}"
            exponent = f"{np.log(grid_s / before[1]) / np.log(n_rows / before[0]):.2f}" if before else ""
            print(
                f"{name:9} {n_rows:9,} {n_pairs:13,} {grid_s:6.2f} s {exponent:>8} {grid_s / sort_s:12.2f} {rival:>16}",
                flush=True,
            )
            before = (n_rows, grid_s)


if __name__ == "__main__":
    main()
