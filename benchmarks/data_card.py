"""The smallest and largest text of a column for the data card, in four ways.

    python benchmarks/data_card.py [rows]

Each figure is the best of three CPU times, in seconds. The card uses "numpy, objects".
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

WAYS: dict[str, Callable[[pd.Series], tuple[str, str]]] = {
    "min and max of a Series": lambda texts: (min(texts), max(texts)),
    "Series.min, Series.max": lambda texts: (texts.min(), texts.max()),
    "min and max of a list": lambda texts: (min(texts.tolist()), max(texts.tolist())),
    "distinct texts first": lambda texts: (min(texts.unique()), max(texts.unique())),
    "numpy, objects": lambda texts: (
        np.minimum.reduce(texts.to_numpy(dtype=object)),
        np.maximum.reduce(texts.to_numpy(dtype=object)),
    ),
}


def cpu_s(work: Callable[[], object]) -> float:
    """Return the shortest CPU time of three repeats, in seconds."""
    times = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    """Print one line per way."""
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rng = np.random.default_rng(0)
    days = pd.date_range("1900-01-01", periods=30_000).strftime("%Y-%m-%d")
    columns = {
        "distinct": pd.Series([f"2030 A{number}" for number in rng.permutation(n_rows)]),
        "dates": pd.Series(rng.choice(days.tolist(), n_rows)).astype(str),
        "constant": pd.Series(["Earth"] * n_rows),
    }
    print(f"{n_rows:,} rows{'':14} {''.join(f'{name:>10}' for name in columns)}")
    for way, extremes in WAYS.items():
        assert all(extremes(texts) == (min(texts), max(texts)) for texts in columns.values())
        times = [cpu_s(lambda texts=texts: extremes(texts)) for texts in columns.values()]  # type: ignore[misc] # noqa: B023
        print(f"{way:27} {''.join(f'{seconds:10.3f}' for seconds in times)}", flush=True)


if __name__ == "__main__":
    main()
