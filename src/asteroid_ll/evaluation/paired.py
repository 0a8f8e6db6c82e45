"""The difference of two models' scores with its interval, paired if both were tested on the same rows.

Two models err on the same hard asteroids, so on the same rows their scores move together, and the difference is known
better than either score. All replicates of a paired interval draw the same asteroids for both.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 8 and 13; see `intervals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.intervals import CONFIDENCE, N_REPLICATES, Interval, bootstrap, interval
from asteroid_ll.evaluation.metrics import METRICS, BinaryScores
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.neo.table import IDENTITY

_MODEL = "model"


@dataclass(frozen=True)
class ScoredRows:
    """The test rows of a run with the model's answers.

    Attributes:
        asteroid_ids: identity per row, shape ``(n_rows,)``.
        labels: True for a hazardous row, same shape.
        scores: the model's scores, same shape.
        predicted: the model's predicted labels, same shape.
    """

    asteroid_ids: NDArray[np.str_]
    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]
    predicted: NDArray[np.bool_]

    def has_rows_of(self, other: ScoredRows) -> bool:
        """Return whether another run was tested on the same rows with the same labels."""
        return np.array_equal(self.asteroid_ids, other.asteroid_ids) and np.array_equal(self.labels, other.labels)

    @property
    def board(self) -> BinaryScores:
        """The model's scores."""
        return binary_scores(self.labels, self.predicted, self.scores)


def read_scored_rows(path: Path) -> ScoredRows:
    """Return the rows of ``predict/predictions.csv``.

    Raises:
        DataError: the file is damaged.
    """
    truth = {"hazardous": bool, "predicted_hazardous": bool}
    try:
        table = pd.read_csv(path, usecols=[IDENTITY, "score", *truth], dtype={IDENTITY: str, **truth})
        return ScoredRows(
            table[IDENTITY].to_numpy().astype(str),
            table["hazardous"].to_numpy(),
            table["score"].to_numpy().astype(np.float32).astype(np.float64),
            table["predicted_hazardous"].to_numpy(),
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} can't be read: {error}.",
            hint="asteroid-ll run-all --force predict   scores the test part again.",
        ) from error


@dataclass(frozen=True)
class Difference:
    """The scores of a run minus those of another one.

    Attributes:
        is_paired: whether both were tested on the same rows. If not, their rows are drawn independently, and the
            intervals are wider.
        values: difference by metric; None if one of the two is undefined.
        intervals: its interval of `CONFIDENCE` by metric; None if there is none.
    """

    is_paired: bool
    values: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        metrics = {}
        for key, value in self.values.items():
            ends = self.intervals.get(key)
            metrics[key] = {"value": value, "low": ends and ends.low, "high": ends and ends.high}
        return {"paired": self.is_paired, "confidence": CONFIDENCE, "n_replicates": N_REPLICATES, "metrics": metrics}


def difference(run: ScoredRows, other: ScoredRows) -> Difference:
    """Return the scores of ``run`` minus those of ``other`` with intervals."""
    is_paired = run.has_rows_of(other)
    if is_paired:
        drawn = bootstrap(run.labels, {"run": _predictions(run), "other": _predictions(other)}, groups=run.asteroid_ids)
        own, others = drawn["run"], drawn["other"]
    else:
        own, others = _replicates(run, seed=0), _replicates(other, seed=1)
    ours, theirs = run.board, other.board
    values: dict[str, float | None] = {}
    for metric in METRICS:
        first, second = ours[metric.key], theirs[metric.key]
        values[metric.key] = None if first is None or second is None else first - second
    return Difference(is_paired, values, {key: interval(own[key] - others[key]) for key in own})


def _predictions(rows: ScoredRows) -> Predictions:
    return Predictions(rows.predicted, rows.scores)


def _replicates(rows: ScoredRows, *, seed: int) -> dict[str, NDArray[np.float64]]:
    return bootstrap(rows.labels, {_MODEL: _predictions(rows)}, groups=rows.asteroid_ids, seed=seed)[_MODEL]
