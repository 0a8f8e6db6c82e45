"""The split of a table's rows into a training, a validation and a test part.

By asteroid (the default), the part is a hash of the asteroid's identity and the seed. All its rows are in one part, the
same on every machine, also after the table grows. By row is the tutorial's random draw, kept for comparison.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.formats.columns import codes
from asteroid_ll.neo.label import require_two_classes

PARTS = ("train", "validation", "test")

_TWO_TO_53 = float(2**53)


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers (0-based, ascending) of each part. Each row is in exactly one part."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def part(self, name: str) -> NDArray[np.int64]:
        """Return the row numbers of the part ``train``, ``validation`` or ``test``."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]


@dataclass(frozen=True, slots=True)
class PartDescription:
    """Counts of a part; ``hazardous_share`` is the share of its rows that are hazardous, in [0, 1]."""

    name: str
    n_rows: int
    n_asteroids: int
    n_hazardous: int
    hazardous_share: float


@dataclass(frozen=True, slots=True)
class SplitDescription:
    """All parts, and the share of test rows (in [0, 1]) whose asteroid also has a training row."""

    parts: tuple[PartDescription, ...]
    test_rows_seen_in_train_share: float


def split_by_asteroid(
    asteroid_ids: Sequence[str] | NDArray[np.object_], *, validation: float, test: float, seed: int
) -> Split:
    """Assign each row to one part by hashing its asteroid.

    Args:
        asteroid_ids: identity per row, shape ``(n_rows,)``. Repeats are expected: one asteroid can have several close
            approaches.
        validation: share of asteroids held out for model selection, in (0, 1).
        test: share of asteroids held out for the final score, in (0, 1).
        seed: the same seed and identities give the same split on every machine.

    Returns:
        The parts, disjoint by asteroid.

    Raises:
        DataError: the shares are impossible, or a part is empty.
    """
    _check_shares(validation, test)
    identities = np.asarray(asteroid_ids, dtype=object)
    asteroids, first = codes(pd.Series(identities))
    draws = _draws(map(str, identities[first].tolist()), prefix=f"{seed}:")
    return _cut(draws[asteroids], validation=validation, test=test)


def split_by_row(n_rows: int, *, validation: float, test: float, seed: int) -> Split:
    """Assign each row to one part by a uniform draw, as the tutorial does.

    Rows of one asteroid may be in several parts, which makes the score too good: see ``describe``.

    Args:
        n_rows: number of rows.
        validation: expected share of rows for model selection, in (0, 1).
        test: expected share of rows for the final score, in (0, 1).
        seed: seed of numpy's default generator.

    Returns:
        The parts, disjoint by row.

    Raises:
        DataError: the shares are impossible, or a part is empty.
    """
    _check_shares(validation, test)
    return _cut(np.random.default_rng(seed).random(n_rows), validation=validation, test=test)


def training_order(rows: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """Return row numbers in a random order, the same for the same seed on every machine.

    Linear Learner reads the training rows in file order, and scales by the first 10,000 of them. A catalogue lists the
    oldest discoveries, and with them the largest asteroids, first.

    Args:
        rows: row numbers, shape ``(n,)``.
        seed: the split's seed.
    """
    return rows[np.argsort(_draws(map(str, rows.tolist()), prefix=f"order {seed}:"), kind="stable")]


def describe(
    split: Split, labels: NDArray[np.bool_], *, asteroid_ids: Sequence[str] | NDArray[np.object_]
) -> SplitDescription:
    """Count the rows and asteroids of each part, and the test rows whose asteroid is also in the training part.

    Args:
        split: the parts.
        labels: True for potentially hazardous, shape ``(n_rows,)``.
        asteroid_ids: identity per row, shape ``(n_rows,)``.

    Raises:
        DataError: a part has only one class.
    """
    asteroids, first = codes(pd.Series(np.asarray(asteroid_ids, dtype=object)))
    parts = []
    for name in PARTS:
        rows = split.part(name)
        require_two_classes(labels[rows], where=f"The {name} part")
        n_hazardous = int(labels[rows].sum())
        n_asteroids = int(np.count_nonzero(np.bincount(asteroids[rows], minlength=1)))
        parts.append(PartDescription(name, rows.size, n_asteroids, n_hazardous, n_hazardous / rows.size))
    is_trained_on = np.zeros(len(first), dtype=np.bool_)
    is_trained_on[asteroids[split.train]] = True
    seen = int(is_trained_on[asteroids[split.test]].sum())
    return SplitDescription(tuple(parts), seen / split.test.size)


def _draws(texts: Iterable[str], *, prefix: str) -> NDArray[np.float64]:
    """Return a uniform draw in [0, 1) per text, by BLAKE2b with a prefix."""
    start = hashlib.blake2b(prefix.encode(), digest_size=8)
    digests = bytearray()
    for text in texts:
        digest = start.copy()
        digest.update(text.encode())
        digests += digest.digest()
    # A double represents 53 bits exactly.
    return np.asarray((np.frombuffer(bytes(digests), dtype=">u8") >> np.uint64(11)) / _TWO_TO_53)


def _check_shares(validation: float, test: float) -> None:
    if not (0.0 < validation < 1.0 and 0.0 < test < 1.0 and validation + test < 1.0):
        raise DataError(
            f"The shares validation={validation:g} and test={test:g} leave a part without rows.",
            hint="Choose both above 0 and their sum below 1, such as 0.15 and 0.15.",
            validation=validation,
            test=test,
        )


def _cut(draws: NDArray[np.float64], *, validation: float, test: float) -> Split:
    """Cut uniform draws into train (lowest), validation and test (highest)."""
    ends = np.array([1.0 - validation - test, 1.0 - test])
    part = np.searchsorted(ends, draws, side="right")
    split = Split(*(np.flatnonzero(part == number).astype(np.int64) for number in range(3)))
    empty = [name for name in PARTS if split.part(name).size == 0]
    if empty:
        raise DataError(
            f"{draws.size} rows are too few: the part {' and '.join(empty)} is empty.",
            hint="Use more rows or larger shares for validation and test.",
            empty=empty,
        )
    return split
