"""The file builds estimators of scikit-learn that score and label as the endpoint does."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest

from asteroid_ll.export.named import named
from asteroid_ll.export.sklearn_file import to_sklearn
from asteroid_ll.linear_learner.model import Model

ROWS = np.array([[0.0], [1.0], [2.0]])


def loaded(source: bytes):
    namespace: dict = {}
    exec(compile(source, "exported.py", "exec"), namespace)
    return namespace["model"]


def scores_of(estimator, model, rows):
    if model.predictor_type == "regressor":
        return estimator.predict(rows)
    if model.loss == "hinge_loss":
        return estimator.decision_function(rows)
    probabilities = estimator.predict_proba(rows)
    return probabilities[:, 1] if model.predictor_type == "binary_classifier" else probabilities


def test_scores_are_those_of_the_model_and_labels_those_of_the_endpoint(exported):
    estimator = loaded(to_sklearn(named(exported.model)))
    scores = scores_of(estimator, exported.model, exported.rows.astype(np.float64))
    np.testing.assert_allclose(scores, exported.scores.astype(float).squeeze(), rtol=1e-9, atol=1e-9)
    if exported.model.predictor_type != "regressor":
        exported.check_labels(estimator.predict(exported.rows.astype(np.float64)))


@pytest.mark.parametrize("loss", ["hinge_loss", "logistic"])
def test_a_score_at_the_threshold_is_labelled_0_and_the_next_one_1(loss):
    threshold = {"hinge_loss": 1.0, "logistic": 0.5}[loss]
    bias = {"hinge_loss": 0.0, "logistic": -1.0}[loss]
    model = Model("binary_classifier", loss, np.ones((1, 1), np.float32), np.array([bias], np.float32), threshold)
    estimator = loaded(to_sklearn(named(model)))
    assert estimator.predict(ROWS).tolist() == [0, 0, 1]
    assert estimator.predict(np.nextafter(ROWS[1:2], 2) + 1e-15).tolist() == [1]


def test_given_names_are_checked_and_default_ones_are_not_asked_for():
    model = Model("regressor", "squared_loss", np.array([[1], [10]], np.float32), np.zeros(1, np.float32))
    frame = pd.DataFrame({"H": [1.0], "moid": [2.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loaded(to_sklearn(named(model, ["H", "moid"]))).predict(frame).tolist() == [21]
        assert loaded(to_sklearn(named(model))).predict(frame.to_numpy()).tolist() == [21]
    with pytest.raises(ValueError, match="feature names should match"):
        loaded(to_sklearn(named(model, ["H", "moid"]))).predict(frame[["moid", "H"]])


def test_the_estimator_can_be_stored_without_the_file(exported, tmp_path):
    estimator = loaded(to_sklearn(named(exported.model)))
    joblib.dump(estimator, tmp_path / "model.joblib")
    rows = exported.rows[:3].astype(np.float64)
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(rows), estimator.predict(rows))
