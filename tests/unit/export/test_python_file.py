"""The Python export runs without any package and gives an endpoint's answers."""

from __future__ import annotations

import ast
import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest

from asteroid_ll.export.named import named
from asteroid_ll.export.python_file import to_python
from asteroid_ll.linear_learner.model import Model

HOSTILE = ('"""', "a'b\"c", "\\", "__import__('os')._exit(9)", "名前", "{}%s")


def loaded(source: bytes) -> dict:
    namespace: dict = {}
    exec(compile(source, "exported.py", "exec"), namespace)
    return namespace


def model(predictor_type, loss, *, n_outputs=1, n_features=2, threshold=0.5):
    weight = np.linspace(-1, 1, n_features * n_outputs, dtype=np.float32).reshape(n_features, n_outputs)
    return Model(predictor_type, loss, weight, np.zeros(n_outputs, np.float32), threshold)


def test_scores_are_those_of_the_model_in_double_and_labels_those_of_the_endpoint(exported):
    predict = loaded(to_python(named(exported.model)))["predict"]
    answers = [predict(row.tolist()) for row in exported.rows]
    scores = np.array([answer["score"] for answer in answers]).reshape(exported.scores.shape)
    np.testing.assert_allclose(scores, exported.scores.astype(float), rtol=1e-12, atol=1e-12)
    endpoint = exported.model.predict(exported.rows)
    np.testing.assert_allclose(scores.squeeze(), endpoint.score, rtol=2e-5, atol=1e-6)
    assert ("predicted_label" in answers[0]) == (endpoint.predicted_label is not None)
    if endpoint.predicted_label is not None:
        exported.check_labels([answer["predicted_label"] for answer in answers])


def test_the_file_needs_no_package_and_no_new_python(tmp_path):
    for made in (model("regressor", "squared_loss"), model("binary_classifier", "logistic")):
        ast.parse(to_python(named(made)), feature_version=(3, 8))
    source = to_python(named(model("multiclass_classifier", "softmax_loss", n_outputs=3)))
    ast.parse(source, feature_version=(3, 8))
    (tmp_path / "model.py").write_bytes(source)
    program = "import sys, json; sys.path.insert(0, '.'); import model; print(json.dumps(model.predict([1, 2])))"
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == loaded(source)["predict"]([1, 2])


@pytest.mark.parametrize("value", [1e4, -1e4, 3e38])
def test_large_sums_do_not_overflow(value):
    predict = loaded(to_python(named(model("binary_classifier", "logistic"))))["predict"]
    assert predict([-value, value]) == {"score": float(value > 0), "predicted_label": int(value > 0)}
    answer = loaded(to_python(named(model("multiclass_classifier", "softmax_loss", n_outputs=3))))["predict"](
        [0, value]
    )
    assert answer["score"] == ([0, 0, 1] if value > 0 else [1, 0, 0])
    assert answer["predicted_label"] == (2 if value > 0 else 0)


def test_a_score_at_the_threshold_is_labelled_0():
    predict = loaded(to_python(named(model("binary_classifier", "logistic", threshold=0.5))))["predict"]
    assert predict([1, 1]) == {"score": 0.5, "predicted_label": 0}


def test_a_row_can_have_names_and_more_columns_than_the_model_needs():
    predict = loaded(to_python(named(model("regressor", "squared_loss"), ["moid", "H"])))["predict"]
    rows = csv.DictReader(io.StringIO("id,H,moid\n7,22.5,0.25\n"))
    assert predict(next(rows)) == predict([0.25, 22.5]) == {"score": 22.25}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([1], "the row has 1 numbers, and the model takes 2"),
        ([1, 2, 3], "the row has 3 numbers"),
        ([1, None], "feature b is not a number: None"),
        ([1, "far"], "feature b is not a number: 'far'"),
        ([float("nan"), 1], "feature a is not a finite float32: nan"),
        ([1, 1e39], "feature b is not a finite float32"),
        ([1, 10**400], "feature b is not a number"),
        ({"a": 1, "c": 2}, "feature b is not a number: None"),
    ],
)
def test_a_row_that_an_endpoint_would_refuse_is_an_error(row, says):
    predict = loaded(to_python(named(model("regressor", "squared_loss"), ["a", "b"])))["predict"]
    with pytest.raises(ValueError, match=says):
        predict(row)


def test_no_name_becomes_code():
    namespace = loaded(to_python(named(model("regressor", "squared_loss", n_features=len(HOSTILE)), HOSTILE)))
    assert tuple(namespace["WEIGHTS"]) == HOSTILE
    assert namespace["predict"](dict.fromkeys(HOSTILE, 0)) == {"score": 0.0}
