from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from asteroid_ll.evaluation.calibration import calibrate
from asteroid_ll.evaluation.metrics import Scoreboard, scoreboard
from asteroid_ll.report import plots
from asteroid_ll.report.columns import PlainColumn
from asteroid_ll.report.weights import piecewise, weigh

MAGNITUDE = PlainColumn("absolute_magnitude_mag", "mag", "Absolute magnitude H")
MOID = PlainColumn("moid_au", "au", "Earth MOID")
UNCERTAINTY = PlainColumn("orbit_uncertainty", "MPC code", "Orbit uncertainty")


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
    return scoreboard(labels, scores, train_labels=labels, rule_predicted=labels)


@pytest.fixture(scope="session")
def makers(table_values: SimpleNamespace, board: Scoreboard) -> dict[str, Callable[[], plots.Plot]]:
    """A function for every figure of the package that draws it anew."""
    v = table_values
    rng = np.random.default_rng(2)
    train = rng.random((5, 32)) + 0.1
    labels, scores = np.arange(50) % 2, rng.permutation(50) / 50
    across, along = np.linspace(15, 30, 31), np.geomspace(1e-4, 1, 41)
    margin = np.minimum((21.5 - across)[np.newaxis, :], -np.log(along / 0.04)[:, np.newaxis])
    steps = piecewise({"moid_au": (0.001, 0.05, 0.5), "absolute_magnitude_mag": (18, 22, 25)}, [-1, -2, -3, 0.5])
    calibration = calibrate(labels, scores)
    assert calibration is not None
    return {
        "distributions": lambda: plots.distributions(
            [
                plots.Panel(MAGNITUDE, v.magnitude),
                plots.Panel(MOID, v.moid, "log"),
                plots.Panel(UNCERTAINTY, v.uncertainty, "integer"),
            ],
            labels=v.labels,
        ),
        "class-balance": lambda: plots.class_balance({"train": v.labels[:300], "test": v.labels[300:]}),
        "correlation": lambda: plots.correlation_map(np.eye(3), [MAGNITUDE, MOID, UNCERTAINTY]),
        "magnitude-moid": lambda: plots.magnitude_moid(v.magnitude, v.moid, labels=v.labels, columns=(MAGNITUDE, MOID)),
        "ranking": lambda: plots.ranking_curves(labels, scores, model=board.model, rule=board.get("rule")),
        "confusion": lambda: plots.confusion_matrix(board.model),
        "decision-plane": lambda: plots.decision_plane(
            v.magnitude,
            v.moid,
            labels=v.labels,
            predicted=(v.magnitude <= 21.5) & (v.moid <= 0.04),
            columns=(MAGNITUDE, MOID),
            grid=plots.DecisionGrid(across, along, margin),
        ),
        "calibration": lambda: plots.calibration_curve(calibration),
        "learned-functions": lambda: plots.learned_functions(
            steps, {"moid_au": MOID, "absolute_magnitude_mag": MAGNITUDE}, score="log-odds (nats)"
        ),
        "weights": lambda: plots.strongest_weights(
            weigh(["a", "b"], [1.0, -2.0], steps=["1 km", "1 au"], features=[[0, 0], [1, 3]]), score="score (no unit)"
        ),
        "training": lambda: plots.training_curves(
            train, validation_objective=train, best_index=3, objective="cross-entropy (nats a row)"
        ),
    }


@pytest.fixture(scope="session")
def tutorial_csv() -> Path:
    path = Path(__file__).resolve().parents[4] / "shared" / "data" / "nasa_asteroids.csv"
    if not path.exists():
        pytest.skip(f"The 40-column file is not at {path}.")
    return path
