"""Nearly equal orbits: the growth with the number of rows, beside a sort of the same rows and a loop along sorted a.

    python benchmarks/equal_orbits.py [rows] [--json]

"distinct" has random orbits. "repeated" has the bundled catalogue's orbits again and again under fresh designations, so
the number of pairs grows with the square of the rows. Each is measured with an eighth of the rows, and with all of them
beside eight times the time of the eighth. The rival is a loop along the semi-major axes in their order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from frame import Case, Side, main, numbers

import asteroid_ll
from asteroid_ll.neo.feature_sets import ELEMENTS
from asteroid_ll.neo.identities import equal_orbits
from asteroid_ll.neo.orbit_grid import _are_equal
from asteroid_ll.neo.sources.tabular import read

PARTS = 8
NAMES = [*ELEMENTS, "absolute_magnitude_mag"]


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


def cases(n_rows: int = 1_000_000) -> Iterator[Case]:
    """Yield distinct and repeated orbits."""
    for name, make in (("distinct orbits", distinct), ("repeated orbits", repeated)):
        small, large = make(n_rows // PARTS), make(n_rows)
        assert len(equal_orbits(small)) == loop(small)
        yield Case(
            f"{len(small):,} {name}",
            lambda small=small: equal_orbits(small),
            (
                Side("loop along sorted a", lambda small=small: loop(small)),
                Side("a sort of the rows", lambda small=small: small.sort_values(NAMES), is_bound=True),
            ),
            rounds=3,
        )
        yield Case(
            f"{len(large):,} {name}",
            lambda large=large: equal_orbits(large),
            (
                Side(f"{PARTS} times {len(small):,}", lambda small=small: equal_orbits(small), times=PARTS),
                Side("a sort of the rows", lambda large=large: large.sort_values(NAMES), at_least=2 / 3, is_bound=True),
            ),
            rounds=3,
        )


if __name__ == "__main__":
    sys.exit(main("equal-orbits", cases(*numbers())))
