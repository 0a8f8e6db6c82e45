"""Everything that the report shows, read from the run directory; nothing is trained, scored or fetched again."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.config import Config
from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.calibration import Calibration, calibrate
from asteroid_ll.evaluation.follow_up import Candidate, follow_up
from asteroid_ll.evaluation.held_out import HeldOutRows
from asteroid_ll.evaluation.mistakes import Mistake
from asteroid_ll.evaluation.scoreboard import Scoreboard
from asteroid_ll.evaluation.thresholds import (
    DEFAULT_THRESHOLD,
    Cheapest,
    RecallAtAlarms,
    ThresholdRow,
    cheapest_thresholds,
    recall_at_false_alarms,
    threshold_table,
)
from asteroid_ll.formats.table import StoredTable
from asteroid_ll.linear_learner import log_reader
from asteroid_ll.linear_learner.hyperparameters import LOSSES
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
from asteroid_ll.report.decision import DecisionGrid
from asteroid_ll.report.quantities import feature_steps
from asteroid_ll.report.weights import LearnedFunction, Weight, learned_functions, weigh
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json
from asteroid_ll.run.usage import Usage

MAGNITUDE, MOID = "absolute_magnitude_mag", "moid_au"
_GRID_COLUMNS, _GRID_ROWS = 60, 50
_FINER_REACH, _FINER_POINTS = 1.5, 60
_SHOWN_MISTAKES, _SHOWN_FOLLOW_UP = 25, 15
_PACKAGES = ("asteroid-ll", "boto3", "matplotlib", "numpy", "pandas", "pydantic")


@dataclass(frozen=True)
class ReportInputs:
    """The contents of a run directory; each property is computed once.

    Attributes:
        directory: the run directory.
        config: its configuration.
        fingerprints: content fingerprint of each stage, the report's included.
        bill: the cost of the job and the endpoint, from `asteroid_ll.report.bill.bill_of`.
        trained_at: when the training was done, UTC, by the journal; None if it has no record of it.
        usage: time and memory of each stage by name, from the journal; stages of earlier versions have none.
    """

    directory: Path
    config: Config
    fingerprints: Mapping[str, str]
    bill: Mapping[str, Any]
    trained_at: datetime | None = None
    usage: Mapping[str, Usage] = field(default_factory=dict)

    def json(self, relative: str) -> dict[str, Any]:
        """Return a JSON file of the run directory."""
        return read_json(self.directory / relative)

    @cached_property
    def stored(self) -> dict[str, Any]:
        """``predict/metrics.json``: the metrics and the findings."""
        return self.json(paths.METRICS)

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics of the test part."""
        metrics: dict[str, Any] = self.stored["metrics"]
        return metrics

    @cached_property
    def board(self) -> Scoreboard:
        """The scores of the model and its baselines."""
        return Scoreboard.from_json(self.metrics["scores"])

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The listed wrong predictions."""
        return tuple(Mistake(**item) for item in self.metrics["errors"]["listed"])

    @property
    def shown_mistakes(self) -> tuple[Mistake, ...]:
        """The wrong predictions that the page shows."""
        return self.mistakes[:_SHOWN_MISTAKES]

    @cached_property
    def part(self) -> HeldOutRows:
        """The test rows with their features and predictions."""
        return HeldOutRows(self.directory)

    @cached_property
    def magnitude(self) -> NDArray[np.float64]:
        """Absolute magnitude H of the test rows, mag."""
        return self.part.column(MAGNITUDE).astype(np.float64)

    @cached_property
    def moid_au(self) -> NDArray[np.float64]:
        """Earth MOID of the test rows, au."""
        return self.part.column(MOID).astype(np.float64)

    @cached_property
    def features(self) -> FittedFeatures:
        """The fitted features."""
        return FittedFeatures.from_json(self.json(paths.FEATURES))

    @cached_property
    def model(self) -> Model:
        """The exported model."""
        return Model.load(self.directory / paths.ARTIFACT)

    @property
    def threshold(self) -> float:
        """Rows with a higher score were predicted hazardous."""
        configured = self.config.predict.threshold
        if configured is not None:
            return configured
        return DEFAULT_THRESHOLD if self.model.predictor_type == "regressor" else self.model.threshold

    @property
    def raw_score(self) -> str:
        """Name of the weighted sum, with its unit."""
        return "log-odds (nats)" if self._has_probabilities else "score (no unit)"

    @property
    def objective(self) -> str:
        """Name of the training objective, with its unit."""
        if self._has_probabilities:
            return "cross-entropy (nats per row)"
        return f"{self.model.loss.replace('_', ' ')} (mean per row, no unit)"

    @cached_property
    def history(self) -> log_reader.JobHistory | None:
        """The losses of every model from the job's log; None if the log has none."""
        text = (self.directory / paths.JOB_LOG).read_text(encoding="utf-8")
        try:
            return log_reader.read_log(text)
        except DataError:
            return None

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """The weights with the spread of their features over the test rows."""
        steps = feature_steps(self.features)
        return weigh(self.features.columns, self.model.weight[:, 0], steps=steps, features=self.part.features)

    @cached_property
    def functions(self) -> tuple[LearnedFunction, ...]:
        """The functions that a piecewise-linear feature set has learned; empty for another set."""
        return learned_functions(self.features.knots, self.model.weight[:, 0])

    @cached_property
    def grid(self) -> DecisionGrid | None:
        """The model's decision over H and MOID; None if it depends on other columns."""
        if not set(self.features.inputs) <= {MAGNITUDE, MOID}:
            return None
        magnitude, positive = self.magnitude, self.moid_au[self.moid_au > 0]
        if positive.size == 0:
            return None
        across = _finer(np.linspace(magnitude.min(), magnitude.max(), _GRID_COLUMNS), around=MAX_ABSOLUTE_MAGNITUDE_MAG)
        along = np.exp(
            _finer(np.log(np.geomspace(positive.min(), positive.max(), _GRID_ROWS)), around=np.log(MAX_MOID_AU))
        )
        mesh = np.meshgrid(across, along)
        table = pd.DataFrame({MAGNITUDE: mesh[0].ravel(), MOID: mesh[1].ravel()})
        raw = self.features.transform(table) @ self.model.weight[:, 0] + self.model.bias[0]
        return DecisionGrid(across, along, raw.reshape(mesh[0].shape).astype(np.float64) - self._raw_threshold())

    @cached_property
    def calibration(self) -> Calibration | None:
        """The calibration of the scores; None if they are not probabilities."""
        is_margin = self.model.predictor_type == "binary_classifier" and LOSSES[self.model.loss].response == "value"
        return None if is_margin else calibrate(self.part.labels, self.part.scores)

    @cached_property
    def thresholds(self) -> tuple[ThresholdRow, ...]:
        """The predictions at other thresholds."""
        return threshold_table(self.part.labels, self.part.scores)

    @cached_property
    def current_threshold(self) -> ThresholdRow:
        """The predictions at the current threshold."""
        return threshold_table(self.part.labels, self.part.scores, thresholds=(self.threshold,))[0]

    @cached_property
    def cheapest(self) -> tuple[Cheapest, ...]:
        """The cheapest threshold by the cost of a missed object."""
        return cheapest_thresholds(self.part.labels, self.part.scores)

    @cached_property
    def recall_at_alarms(self) -> tuple[RecallAtAlarms, ...]:
        """The recall at fixed numbers of false alarms."""
        return recall_at_false_alarms(self.part.labels, self.part.scores)

    @cached_property
    def follow_up(self) -> tuple[Candidate, ...]:
        """The asteroids of the whole table that are worth another observation."""
        return follow_up(StoredTable(self.directory / paths.CLEANED_TABLE))

    @property
    def shown_follow_up(self) -> tuple[Candidate, ...]:
        """The candidates that the page shows."""
        return self.follow_up[:_SHOWN_FOLLOW_UP]

    @cached_property
    def data_card(self) -> dict[str, Any]:
        """The data card; empty for a run without one."""
        return self.json(paths.DATA_CARD) if (self.directory / paths.DATA_CARD).is_file() else {}

    @property
    def environment(self) -> dict[str, str]:
        """Versions of Python, the system and the packages."""
        return {
            "python": platform.python_version(),
            "system": f"{sys.platform} {platform.machine()}",
            **{package: version(package) for package in _PACKAGES},
        }

    @property
    def _has_probabilities(self) -> bool:
        return LOSSES[self.model.loss].response == "probability"

    def _raw_threshold(self) -> float:
        if not self._has_probabilities:
            return self.threshold
        tiny = float(np.finfo(np.float64).tiny)
        return float(np.log(max(self.threshold, tiny)) - np.log(max(1 - self.threshold, tiny)))


def _finer(places: NDArray[np.float64], *, around: float) -> NDArray[np.float64]:
    """Add places near a point at which the model's decision boundary bends."""
    near = np.linspace(around - _FINER_REACH, around + _FINER_REACH, _FINER_POINTS)
    inside = near[(near > places[0]) & (near < places[-1])]
    return np.unique(np.concatenate((places, inside)))
