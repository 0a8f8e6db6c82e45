"""The smallest and largest text of a column for the data card, beside pandas and Python.

    python benchmarks/data_card.py [rows] [--json]

The bound is one comparison per text with a constant.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from frame import Case, Side, main, numbers


def numpy_extremes(texts: pd.Series) -> tuple[str, str]:
    """Return the extremes as the card does."""
    objects = texts.to_numpy(dtype=object)
    return np.minimum.reduce(objects), np.maximum.reduce(objects)


def list_extremes(texts: pd.Series) -> tuple[str, str]:
    """Return the extremes of a list."""
    values = texts.tolist()
    return min(values), max(values)


def cases(n_rows: int = 1_000_000) -> Iterator[Case]:
    """Yield columns of distinct texts, of dates, and of one text."""
    rng = np.random.default_rng(0)
    days = pd.date_range("1900-01-01", periods=30_000).strftime("%Y-%m-%d")
    for name, texts in (
        ("distinct texts", pd.Series([f"2030 A{number}" for number in rng.permutation(n_rows)])),
        ("dates", pd.Series(rng.choice(days.tolist(), n_rows)).astype(str)),
        ("the same text", pd.Series(["Earth"] * n_rows)),
    ):
        objects = texts.to_numpy(dtype=object)
        assert numpy_extremes(texts) == list_extremes(texts)
        yield Case(
            f"{n_rows:,} {name}",
            lambda texts=texts: numpy_extremes(texts),
            (
                Side(f"pandas {pd.__version__}", lambda texts=texts: (texts.min(), texts.max())),
                Side("Python's min and max", lambda texts=texts: list_extremes(texts)),
                Side("one comparison per text", lambda objects=objects: objects < "M", is_bound=True),
            ),
        )


if __name__ == "__main__":
    sys.exit(main("data-card", cases(*numbers())))
