"""The model's scores beside those of the baselines that it has to beat, as they are stored. It needs no numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.metrics import METRICS, BinaryScores, interval_metrics
from asteroid_ll.run.files import read_json

TITLES = {
    "model": "Linear Learner",
    "boosting": "Gradient boosting",
    "rule": "CNEOS rule (H, MOID)",
    "majority": "Majority class",
    "median": "Median train label",
}
"""Names of the predictors in tables, by their names in JSON files."""


@dataclass(frozen=True)
class Scoreboard:
    """The model and its baselines, scored on the same rows.

    Attributes:
        scores: by predictor (``model``, ``majority``, ``median``, ``rule``); the model comes first.
    """

    scores: Mapping[str, BinaryScores]

    @property
    def model(self) -> BinaryScores:
        """The model's scores."""
        return self.scores["model"]

    @property
    def rule(self) -> BinaryScores:
        """The scores of the CNEOS rule."""
        return self.scores["rule"]

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Return the scores by predictor: ``{"model": {"title": ..., "f1": ...}, "majority": ...}``."""
        return {name: {"title": TITLES[name], **scores.to_json()} for name, scores in self.scores.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Any]]) -> Scoreboard:
        """Read what `to_json` wrote, in this version or an earlier one.

        Raises:
            DataError: the counts or the model are missing.
        """
        try:
            board = cls({name: BinaryScores.from_json(scores) for name, scores in data.items() if name in TITLES})
            _ = board.model, board.rule
        except (KeyError, TypeError) as error:
            raise DataError(
                f"The stored metrics have another format: {error!r}.",
                hint="asteroid-ll run-all --force predict   computes them again.",
            ) from error
        return board


def outdated(path: Path) -> str | None:
    """Return a sentence if ``predict/metrics.json`` lacks a metric of this version, or None."""
    try:
        stored = read_json(path)
        scores, intervals = stored["metrics"]["scores"], stored["metrics"]["intervals"]["scores"]
        is_complete = (
            all(metric.key in row for metric in METRICS for row in scores.values())
            and all(metric.key in intervals["model"] for metric in interval_metrics())
            and all("p_hazardous" in item for item in stored["metrics"]["errors"]["listed"])
            and len(stored["findings"]) == len(stored["levels"])
        )
    except (DataError, KeyError, TypeError, AttributeError):
        is_complete = False
    return None if is_complete else "another version wrote its scores: computed from the stored predictions"
