"""A real job on Boston housing: regressor with a validation channel that stopped early."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.linear_learner import TrainingResult, train
from asteroid_ll.linear_learner.hyperparameters import aws_defaults
from asteroid_ll.linear_learner.images import NEWER_SCORES

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "housing-2021"


@pytest.fixture(scope="module")
def log() -> str:
    if not DATA.exists():
        pytest.skip(f"the housing data is not at {DATA}")
    return (DATA / "job.log").read_text()


@pytest.fixture(scope="module")
def training(log: str) -> TrainingResult:
    table = pd.read_csv(DATA / "housing.csv")
    table = table[["medv", *(column for column in table if column != "medv")]]
    rows = table.sample(frac=0.9, random_state=59)
    held_out = table.drop(rows.index)
    x, y = (part.to_numpy(np.float32) for part in (rows, held_out))
    hyperparameters = {"predictor_type": "regressor", "mini_batch_size": "32"}
    return train(x[:, 1:], x[:, 0], hyperparameters, validation=(y[:, 1:], y[:, 0]))


def _table(name: str) -> np.ndarray:
    return np.loadtxt(DATA / name, delimiter=",").T


def test_the_train_objectives_are_the_logs(training: TrainingResult) -> None:
    logged = _table("per_model_train_mse_objective.csv")
    np.testing.assert_allclose(training.train_objective, logged, atol=1e-6, rtol=0)


def test_the_validation_objectives_are_the_logs(training: TrainingResult) -> None:
    logged = _table("per_model_validation_mse_objective.csv")
    assert training.validation_objective is not None
    np.testing.assert_allclose(training.validation_objective, logged, atol=1e-4, rtol=0)


def test_the_same_epoch_stops_the_job_and_the_same_is_kept(training: TrainingResult, log: str) -> None:
    logged = [float(value) for value in re.findall(r"criteria=mse_objective, value=(\S+)", log)]
    assert training.stopped_early
    # The criterion of the last epoch is printed once more after the stop.
    assert len(training.epochs) == len(logged) - 1 == 11
    np.testing.assert_allclose([epoch.criterion_value for epoch in training.epochs], logged[:-1], atol=1e-4, rtol=0)
    improved = [int(epoch) for epoch in re.findall(r"Epoch (\d+): Loss improved", log)]
    assert [epoch.epoch for epoch in training.epochs if epoch.improved] == improved
    assert training.best_epoch == 6


def test_the_same_model_is_exported_with_the_logged_scores(training: TrainingResult, log: str) -> None:
    assert training.best_index == 9
    logged = re.findall(r"#validation_score \(algo-1\) : \('(\w+)', (\S+)\)", log)
    scores = [score for score in training.scores["validation"] if score.name not in NEWER_SCORES]
    assert [score.name for score in scores] == [name for name, _ in logged]
    for score, (_, value) in zip(scores, logged, strict=True):
        assert score.value == pytest.approx(float(value), abs=1e-4)


def test_the_endpoints_published_answer_is_met(training: TrainingResult) -> None:
    row = [[0.00632, 18, 2.31, 0, 0.538, 6.575, 65.2, 4.09, 1, 296, 15.3, 4.98]]
    assert training.model.predict(row).score[0] == pytest.approx(30.413358688, abs=1e-4)


def test_the_scaler_prints_the_logged_digits(training: TrainingResult, log: str) -> None:
    scaler = training.scaler
    for name, values in (("stdev_weight", scaler.std_features), ("mean_weight", scaler.mean_features)):
        assert f"'{name}': \n{values}\n" in log
    for name, value in (("stdev_label", scaler.std_label), ("mean_label", scaler.mean_label)):
        assert f"'{name}': \n{np.array([value])}\n" in log


def test_the_defaults_are_those_that_the_container_prints(log: str) -> None:
    assert f"default-input.json: {aws_defaults()}\n" in log
