"""Everything that the report shows, gathered from the run directory; nothing is trained, scored or fetched again."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.table import load_table
from asteroid_ll.report.feature_names import feature_steps
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json
from asteroid_ll.scoring.scoring import DEFAULT_THRESHOLD
from asteroid_ll.stages.stage import Context

if TYPE_CHECKING:
    import pandas as pd

    from asteroid_ll.evaluation.calibration import Calibration
    from asteroid_ll.evaluation.metrics import Scoreboard
    from asteroid_ll.evaluation.mistakes import Mistake
    from asteroid_ll.evaluation.thresholds import Cheapest, ThresholdRow
    from asteroid_ll.linear_learner import Model
    from asteroid_ll.linear_learner.log_reader import JobHistory
    from asteroid_ll.neo.features import FittedFeatures
    from asteroid_ll.report.columns import ColumnLike
    from asteroid_ll.report.plots import DecisionGrid
    from asteroid_ll.report.weights import Step, Weight

MAGNITUDE, MOID = "absolute_magnitude_mag", "moid_au"
_GRID_COLUMNS, _GRID_ROWS = 60, 50
_FINER_REACH, _FINER_POINTS = 1.5, 60
_PACKAGES = ("asteroid-ll", "boto3", "matplotlib", "numpy", "pandas", "pydantic")


@dataclass(frozen=True)
class ReportInputs:
    """The run directory as values; each is read when it is first asked for, and once."""

    context: Context

    @cached_property
    def predicted(self) -> dict[str, Any]:
        """``predict/metrics.json``: the metrics and the findings."""
        return read_json(self.context.path(paths.METRICS))

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics of the test part."""
        found: dict[str, Any] = self.predicted["metrics"]
        return found

    @cached_property
    def board(self) -> Scoreboard:
        """The model and its baselines."""
        from asteroid_ll.evaluation.metrics import Scoreboard

        return Scoreboard.from_json(self.metrics["scores"])

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The rows that were predicted wrong, as far as they are listed."""
        from asteroid_ll.evaluation.mistakes import Mistake

        return tuple(Mistake(**item) for item in self.metrics["errors"]["listed"])

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The test rows' labels, scores and predictions."""
        import pandas as pd

        table = pd.read_csv(self.context.path(paths.PREDICTIONS), dtype={"asteroid_id": str, "name": str})
        # The file has the shortest digits that give the same float32 again.
        return table.assign(score=table["score"].astype(np.float32).astype(np.float64))

    @property
    def labels(self) -> NDArray[np.bool_]:
        """The test rows' labels."""
        return self.predictions["hazardous"].to_numpy(dtype=np.bool_)

    @property
    def scores(self) -> NDArray[np.float64]:
        """The test rows' scores, as the endpoint answered them."""
        return self.predictions["score"].to_numpy()

    @cached_property
    def test_rows(self) -> pd.DataFrame:
        """The test rows of the clean table."""
        table = load_table(self.context.path(paths.CLEANED_TABLE))
        with np.load(self.context.path(paths.SPLIT_ROWS)) as rows:
            chosen: pd.DataFrame = table.iloc[rows["test"]]
        return chosen

    def plane(self) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[ColumnLike, ColumnLike]]:
        """H and MOID of the test rows, and how they are called."""
        from asteroid_ll.neo.table import find, locate

        spelled = locate(self.test_rows.columns, [MAGNITUDE, MOID])
        magnitude, moid = (self.test_rows[name].to_numpy(dtype=np.float64) for name in spelled.values())
        return magnitude, moid, (find(MAGNITUDE), find(MOID))

    @cached_property
    def features(self) -> FittedFeatures:
        """The fitted features."""
        from asteroid_ll.neo.features import FittedFeatures

        return FittedFeatures.from_json(read_json(self.context.path(paths.FEATURES)))

    @cached_property
    def model(self) -> Model:
        """The exported model."""
        from asteroid_ll.linear_learner import Model

        return Model.load(self.context.path(paths.ARTIFACT))

    @property
    def threshold(self) -> float:
        """Scores above it were predicted hazardous."""
        configured = self.context.config.predict.threshold
        if configured is not None:
            return configured
        return DEFAULT_THRESHOLD if self.model.predictor_type == "regressor" else self.model.threshold

    @property
    def raw_score(self) -> str:
        """What the weights add up to, with its unit."""
        return "log-odds (nats)" if self.model.loss == "logistic" else "score (no unit)"

    @cached_property
    def history(self) -> JobHistory | None:
        """The losses of every model, from the job's log; None where the log has none, such as one that was not kept."""
        from asteroid_ll.errors import DataError
        from asteroid_ll.linear_learner.log_reader import read_log

        text = self.context.path(paths.JOB_LOG).read_text(encoding="utf-8")
        try:
            return read_log(text)
        except DataError:
            return None

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """The weights with the spread of their features over the test rows."""
        from asteroid_ll.formats.recordio import read_file
        from asteroid_ll.report.weights import weigh

        files = sorted(self.context.path("encode", "test").glob("*.pbr"))
        features = np.concatenate([read_file(file)[0] for file in files])
        return weigh(
            self.features.columns, self.model.weight[:, 0], steps=feature_steps(self.features), features=features
        )

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The functions of single variables that a piecewise-linear set has learned; empty for another set."""
        from asteroid_ll.report.weights import piecewise

        return piecewise(self.features.knots, self.model.weight[:, 0])

    @cached_property
    def grid(self) -> DecisionGrid | None:
        """The model's decision over H and MOID; None where it depends on anything else."""
        import pandas as pd

        from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
        from asteroid_ll.report.plots import DecisionGrid

        if not set(self.features.inputs) <= {MAGNITUDE, MOID}:
            return None
        magnitude, moid, _ = self.plane()
        positive = moid[moid > 0]
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
        """How near the scores are to probabilities; None for scores that are none."""
        from asteroid_ll.evaluation.calibration import calibrate

        return None if self.model.loss == "hinge_loss" else calibrate(self.labels, self.scores)

    @cached_property
    def thresholds(self) -> tuple[ThresholdRow, ...]:
        """What other thresholds would do."""
        from asteroid_ll.evaluation.thresholds import threshold_table

        return threshold_table(self.labels, self.scores)

    @cached_property
    def own_threshold(self) -> ThresholdRow:
        """What the threshold in force does."""
        from asteroid_ll.evaluation.thresholds import threshold_table

        return threshold_table(self.labels, self.scores, thresholds=(self.threshold,))[0]

    @cached_property
    def cheapest(self) -> tuple[Cheapest, ...]:
        """The cheapest threshold at each price of a missed object."""
        from asteroid_ll.evaluation.thresholds import cheapest_thresholds

        return cheapest_thresholds(self.labels, self.scores)

    @cached_property
    def bill(self) -> dict[str, Any]:
        """What the training job and the endpoint cost at list prices; an emulated one costs nobody anything."""
        from asteroid_ll.aws.pricing import PRICES_CHECKED_ON, PRICES_REGION, usd_per_h

        config = self.context.config
        training, hosting = config.training, config.hosting
        billable_s = read_json(self.context.path(paths.JOB))["billable_s"]
        price, hosting_price = usd_per_h(training.instance_type), usd_per_h(hosting.instance_type)
        hours = None if billable_s is None else billable_s * training.instance_count / 3600
        return {
            "target": config.target,
            "prices": f"list prices of {PRICES_REGION}, checked on {PRICES_CHECKED_ON}",
            "training": {
                "instances": f"{training.instance_count} x {training.instance_type}",
                "billable_s": billable_s,
                "usd_per_h": price,
                "usd": None if price is None or hours is None else round(price * hours, 6),
            },
            "endpoint": {
                "instances": f"{hosting.instance_count} x {hosting.instance_type}",
                "usd_per_h": None if hosting_price is None else hosting_price * hosting.instance_count,
            },
        }

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The content fingerprint of each stage that is done, this one's included."""
        history = self.context.journal.read()
        names = dict.fromkeys(record["stage"] for record in history.records if record["event"] == "done")
        found = {name: history.last_done(name) for name in names if name != "report"}
        known = {name: str(record["fingerprint"]) for name, record in found.items() if record is not None}
        return {**known, "report": self.context.fingerprint}

    @cached_property
    def environment(self) -> dict[str, str]:
        """Versions of what computed this."""
        from importlib.metadata import version

        return {
            "python": platform.python_version(),
            "system": f"{sys.platform} {platform.machine()}",
            **{package: version(package) for package in _PACKAGES},
        }

    def optional_json(self, relative: str) -> dict[str, Any]:
        """A JSON file of the run directory that not every run has; empty where it is missing."""
        path = self.context.path(relative)
        return read_json(path) if path.is_file() else {}

    def _raw_threshold(self) -> float:
        if self.model.loss != "logistic":
            return self.threshold
        tiny = float(np.finfo(np.float64).tiny)
        return float(np.log(max(self.threshold, tiny)) - np.log(max(1 - self.threshold, tiny)))


def _finer(places: NDArray[np.float64], *, around: float) -> NDArray[np.float64]:
    """The same places with more of them near one, where the model's border turns."""
    near = np.linspace(around - _FINER_REACH, around + _FINER_REACH, _FINER_POINTS)
    inside = near[(near > places[0]) & (near < places[-1])]
    return np.unique(np.concatenate((places, inside)))
