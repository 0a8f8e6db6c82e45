"""A real job on UCI Bike Sharing (regressor, 32 models x 15 epochs, batch 4) and its endpoint's answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.linear_learner import TrainingResult, train

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bike-2020"
FEATURES = [
    *("instant", "dteday", "season", "yr", "mnth", "holiday", "weekday", "workingday"),
    *("weathersit", "temp", "atemp", "hum", "windspeed"),
]
LOGGED_TRAIN_MSE, LOGGED_TRAIN_ABSOLUTE = 803523.4458476028, 667.059686888454


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    if not DATA.exists():
        pytest.skip(f"the bike-sharing data is not at {DATA}")
    days = pd.read_csv(DATA / "day.csv")
    days["dteday"] = days["dteday"].str.replace("-", "").astype(np.int64)
    return days.sample(frac=1, random_state=1729)


@pytest.fixture(scope="module")
def training(table: pd.DataFrame) -> TrainingResult:
    rows = table.iloc[: int(0.7 * len(table))]
    return train(
        rows[FEATURES].to_numpy(np.float32),
        rows["cnt"].to_numpy(np.float32),
        {"feature_dim": "13", "mini_batch_size": "4", "predictor_type": "regressor"},
    )


@pytest.fixture(scope="module")
def logged(table: pd.DataFrame) -> np.ndarray:
    return np.loadtxt(DATA / "per_model_train_mse_objective.csv", delimiter=",").T


def test_all_480_logged_train_objectives_are_met(training: TrainingResult, logged: np.ndarray) -> None:
    assert training.train_objective.shape == (15, 32)
    difference = np.abs(training.train_objective - logged)
    assert difference.max() <= 5e-6
    assert np.median(difference) <= 2e-8


def test_the_best_model_of_every_epoch_is_the_logs(training: TrainingResult, logged: np.ndarray) -> None:
    np.testing.assert_array_equal(training.train_objective.argmin(axis=1), logged.argmin(axis=1))


def test_the_final_scores_are_the_logs(training: TrainingResult) -> None:
    scores = {score.name: score.value for score in training.scores["train"]}
    assert list(scores) == ["mse_objective", "mse", "absolute_loss", "rmse", "r2", "mae"]
    assert scores["mse"] == pytest.approx(LOGGED_TRAIN_MSE, rel=1e-4)
    assert scores["absolute_loss"] == pytest.approx(LOGGED_TRAIN_ABSOLUTE, rel=1e-4)


def test_the_base_model_is_exported(training: TrainingResult) -> None:
    assert training.best_index == 0
    assert training.best_hyperparameters == {
        "optimizer": "adam",
        "learning_rate": 0.005,
        "wd": 0.0001,
        "l1": 0.0,
        "lr_scheduler_step": 10,
        "lr_scheduler_factor": 0.99,
        "lr_scheduler_minimum_lr": 1e-05,
    }


def test_the_220_endpoint_answers_are_met_within_a_third_of_a_bike(
    table: pd.DataFrame, training: TrainingResult
) -> None:
    rows = table.iloc[int(0.7 * len(table)) :]
    logged = np.loadtxt(DATA / "test_predictions.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(rows["cnt"].to_numpy(), logged[:, 1])
    difference = np.abs(training.model.predict(rows[FEATURES].to_numpy(np.float32)).score - logged[:, 0])
    assert difference.mean() <= 0.3
    assert difference.max() <= 0.5


def test_the_scaler_prints_the_logged_digits(training: TrainingResult) -> None:
    scaler = training.scaler
    assert (str(scaler.mean_label), str(scaler.std_label)) == ("4518.01", "1980.7333")
    assert (str(scaler.mean_features[0]), str(scaler.std_features[0])) == ("373.52948", "216.29556")
    assert (str(scaler.mean_features[5]), str(scaler.std_features[5])) == ("0.025590543", "0.15791038")
