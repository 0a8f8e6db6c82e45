"""Runs recorded with MLflow: in a folder, without a server."""

from __future__ import annotations

import sys

import pytest

from asteroid_ll.config import Config, load
from asteroid_ll.errors import ConfigError
from asteroid_ll.pipeline.tracking import MLFLOW_SETTINGS, flat_numbers, parameters_of, require_mlflow


def _mlflow(monkeypatch):
    for name, value in MLFLOW_SETTINGS.items():
        monkeypatch.setenv(name, value)
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    from mlflow.tracking import MlflowClient

    return MlflowClient


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_run_is_recorded_with_its_settings_numbers_and_files(finished, monkeypatch):
    client = _mlflow(monkeypatch)(tracking_uri=str(finished.folder / "mlruns"))
    command = ("run-all", "--set", "tracking.mlflow_uri=mlruns", "--set", "tracking.experiment=night sky")
    ended = finished.run(*command, "--force", "predict", "--json")
    assert ended.code == 0, ended.err
    experiment = client.get_experiment_by_name("night sky")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["hyperparameters.epochs"] == "2"
    assert run.data.params["features.n_knots"] == "8"
    assert run.data.metrics["scores.model.f1"] == finished.metrics()["scores"]["model"]["f1"]
    assert {item.path for item in client.list_artifacts(run.info.run_id, "predict")} == {
        "predict/metrics.json",
        "predict/predictions.csv",
    }
    assert [item.path for item in client.list_artifacts(run.info.run_id, "train")] == [
        "train/job.json",
        "train/model.tar.gz",
    ]


@pytest.mark.interop
def test_a_run_that_scores_nothing_is_not_recorded(finished, monkeypatch):
    _mlflow(monkeypatch)
    assert finished.run("run-all", "--set", "tracking.mlflow_uri=mlruns").code == 0
    assert not (finished.folder / "mlruns").exists()


@pytest.mark.interop
def test_what_mlflow_refuses_is_an_error_after_teardown(finished, monkeypatch):
    _mlflow(monkeypatch)
    (finished.folder / "mlruns").write_text("a file", "utf-8")
    ended = finished.run("run-all", "--set", "tracking.mlflow_uri=mlruns", "--force", "predict")
    assert ended.code == 1
    assert "The run is done and MLflow did not record it" in ended.err
    assert finished.open_intervals() == []


def test_without_mlflow_a_tracking_uri_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr("asteroid_ll.pipeline.tracking.find_spec", lambda _name: None)
    require_mlflow(Config())
    with pytest.raises(ConfigError, match="MLflow is not installed") as caught:
        require_mlflow(load(None, overrides=["tracking.mlflow_uri=mlruns"]))
    assert "asteroid-ll[mlflow]" in caught.value.hint


@pytest.mark.parametrize("uri", ["http://me:secret@127.0.0.1:5000", "https://token@host/path"])
def test_a_password_in_the_uri_is_refused_and_not_repeated(uri):
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_PASSWORD") as caught:
        load(None, overrides=[f"tracking.mlflow_uri={uri}"])
    assert "secret" not in str(caught.value)
    assert "token@" not in str(caught.value)


def test_no_secret_is_a_parameter():
    location = "source.location=https://user:canary@host/a.csv?token=canary&year=2016"
    parameters = parameters_of(load(None, overrides=["source.kind=csv", location]))
    assert parameters["source.location"] == "https://[removed]@host/a.csv?token=[removed]&year=2016"
    assert parameters["hyperparameters.epochs"] == "15"
    assert "canary" not in str(parameters)


def test_only_finite_numbers_are_metrics():
    values = {"a": {"b": 1, "c": None, "d": "x", "e": float("nan"), "f": True}, "g": 2.5, "h": [1]}
    assert flat_numbers(values) == {"a.b": 1.0, "g": 2.5}
