from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from asteroid_ll.evaluation.baselines import scoreboard
from asteroid_ll.evaluation.calibration import calibrate
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.scoreboard import Scoreboard
from asteroid_ll.report import model_plots, result_plots, table_plots
from asteroid_ll.report.decision import DecisionGrid
from asteroid_ll.report.quantities import Quantity, quantity
from asteroid_ll.report.style import Plot
from asteroid_ll.report.table_plots import Panel
from asteroid_ll.report.weights import learned_functions, weigh

NAMES = ["absolute_magnitude_mag", "moid_au", "orbit_uncertainty"]
MAGNITUDE, MOID, UNCERTAINTY = quantity(NAMES[0]), quantity(NAMES[1]), Quantity("Orbit uncertainty", "MPC code")


@pytest.fixture(scope="session")
def table_values() -> SimpleNamespace:
    """A small made-up table with the shape of the real one, a missing value and a MOID of zero in it."""
    rng = np.random.default_rng(7)
    n = 400
    values = SimpleNamespace(
        magnitude=rng.normal(23, 3, n),
        moid=rng.lognormal(-2.5, 1.3, n),
        uncertainty=rng.integers(0, 10, n).astype(float),
    )
    values.labels = ((values.magnitude <= 22) & (values.moid <= 0.05)).astype(int)
    values.moid[0] = 0.0
    values.uncertainty[1] = np.nan
    return values


@pytest.fixture(scope="session")
def board() -> Scoreboard:
    rng = np.random.default_rng(1)
    labels = (rng.random(2000) < 0.1).astype(int)
    scores = 1 / (1 + np.exp(-(rng.normal(size=2000) * 2 + 8 * labels - 4)))
    return scoreboard(labels, Predictions(scores > 0.5, scores), train_labels=labels, predicted_by_rule=labels)


@pytest.fixture(scope="session")
def makers(table_values: SimpleNamespace, board: Scoreboard) -> dict[str, Callable[[], Plot]]:
    """A function for every figure of the package that draws it anew."""
    v = table_values
    rng = np.random.default_rng(2)
    train = rng.random((5, 32)) + 0.1
    labels, scores = np.arange(50) % 2, rng.permutation(50) / 50
    across, along = np.linspace(15, 30, 31), np.geomspace(1e-4, 1, 41)
    margin = np.minimum((21.5 - across)[np.newaxis, :], -np.log(along / 0.04)[:, np.newaxis])
    functions = learned_functions(
        {"moid_au": (0.001, 0.05, 0.5), "absolute_magnitude_mag": (18, 22, 25)}, [-1, -2, -3, 0.5]
    )
    calibration = calibrate(labels, scores)
    assert calibration is not None
    return {
        "distributions": lambda: table_plots.distributions(
            [
                Panel(MAGNITUDE, v.magnitude),
                Panel(MOID, v.moid, "log"),
                Panel(UNCERTAINTY, v.uncertainty, "integer"),
            ],
            labels=v.labels,
        ),
        "class-balance": lambda: table_plots.class_balance({"train": v.labels[:300], "test": v.labels[300:]}),
        "correlation": lambda: table_plots.correlation_map(np.eye(3), NAMES),
        "magnitude-moid": lambda: table_plots.magnitude_moid(v.magnitude, v.moid, labels=v.labels),
        "ranking": lambda: result_plots.ranking_curves(labels, scores, model=board.model, rule=board.rule),
        "confusion": lambda: result_plots.confusion_matrix(board.model),
        "decision-plane": lambda: model_plots.decision_plane(
            v.magnitude,
            v.moid,
            labels=v.labels,
            predicted=(v.magnitude <= 21.5) & (v.moid <= 0.04),
            grid=DecisionGrid(across, along, margin),
        ),
        "calibration": lambda: model_plots.calibration_curve(calibration),
        "learned-functions": lambda: model_plots.function_panels(functions, score="log-odds (nats)"),
        "weights": lambda: model_plots.strongest_weights(
            weigh(["a", "b"], [1.0, -2.0], steps=["1 km", "1 au"], features=[[0, 0], [1, 3]]), score="score (no unit)"
        ),
        "training": lambda: result_plots.training_curves(
            train, validation_objective=train, best_index=3, objective="cross-entropy (nats per row)"
        ),
    }


@pytest.fixture(scope="session")
def tutorial_csv() -> Path:
    path = Path(__file__).resolve().parents[4] / "shared" / "data" / "nasa_asteroids.csv"
    if not path.exists():
        pytest.skip(f"The 40-column file is not at {path}.")
    return path
