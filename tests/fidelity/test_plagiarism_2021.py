"""A real job on plagiarism features: binary classifier, 70 rows in one batch, 25 epochs, no validation channel."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from asteroid_ll.linear_learner import TrainingResult, train
from asteroid_ll.linear_learner.images import NEWER_SCORES

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "plagiarism-2021"


@pytest.fixture(scope="module")
def log() -> str:
    if not DATA.exists():
        pytest.skip(f"the plagiarism data is not at {DATA}")
    return (DATA / "job.log").read_text()


@pytest.fixture(scope="module")
def training(log: str) -> TrainingResult:
    rows = np.loadtxt(DATA / "train.csv", delimiter=",").astype(np.float32)
    hyperparameters = {
        "feature_dim": "8",
        "predictor_type": "binary_classifier",
        "epochs": "25",
        "mini_batch_size": "70",
    }
    return train(rows[:, 1:], rows[:, 0], hyperparameters)


def test_all_800_logged_objectives_are_met(training: TrainingResult) -> None:
    logged = np.loadtxt(DATA / "per_model_train_objective.csv", delimiter=",").T
    np.testing.assert_allclose(training.train_objective, logged, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(training.train_objective.argmin(axis=1), logged.argmin(axis=1))


def test_every_epoch_improved_as_logged(training: TrainingResult, log: str) -> None:
    logged = re.findall(r"criteria=binary_classification_cross_entropy_objective, value=(\S+)", log)
    assert {epoch.criterion for epoch in training.epochs} == {"binary_classification_cross_entropy_objective"}
    values = [epoch.criterion_value for epoch in training.epochs]
    np.testing.assert_allclose(values, np.array(logged[:25], float), atol=1e-6, rtol=0)
    assert all(epoch.improved for epoch in training.epochs)
    assert log.count("Loss improved") == 25


def test_the_final_scores_are_the_logs(training: TrainingResult, log: str) -> None:
    logged = re.findall(r"#train_score \(algo-1\) : \('(\S+)', (\S+)\)", log)
    scores = [score for score in training.scores["train"] if score.name not in NEWER_SCORES]
    assert [score.name for score in scores] == [name for name, _ in logged]
    assert scores[0].value == pytest.approx(float(logged[0][1]), abs=1e-7)
    assert [score.value for score in scores[1:]] == [float(value) for _, value in logged[1:]]


def test_the_same_model_is_exported(training: TrainingResult, log: str) -> None:
    assert training.best_hyperparameters["learning_rate"] == 0.1
    assert str(training.best_hyperparameters).replace("'", '"') in log


def test_the_scaler_prints_the_logged_digits(training: TrainingResult, log: str) -> None:
    assert f"'stdev_weight': \n{training.scaler.std_features}\n" in log
    assert f"'mean_weight': \n{training.scaler.mean_features}\n" in log
    assert training.scaler.mean_label is None
    assert training.scaler.std_label is None
