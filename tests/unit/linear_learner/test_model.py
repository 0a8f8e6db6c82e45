"""The exported model: its arithmetic, its predictions, its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.formats import payload, recordio, text
from asteroid_ll.linear_learner import artifact
from asteroid_ll.linear_learner.hyperparameters import ClientError
from asteroid_ll.linear_learner.model import Model, ModelServer


def model(predictor_type: str = "regressor", loss: str = "squared_loss", *, d: int = 5, k: int = 1) -> Model:
    rng = np.random.default_rng(d + k)
    weight, bias = rng.normal(size=(d, k)).astype(np.float32), rng.normal(size=k).astype(np.float32)
    return Model(predictor_type, loss, weight, bias)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(0, 20), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_raw_scores_are_weighted_sums(d: int, n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    linear = model(d=d, k=k)
    features = rng.normal(size=(n, d)).astype(np.float32)
    expected = features.astype(np.float64) @ linear.weight + linear.bias
    np.testing.assert_allclose(linear.raw_scores(features), expected, rtol=1e-5, atol=1e-5)


def test_sums_run_in_four_lanes_of_fused_multiply_adds() -> None:
    # 1 + 2**-24 rounds away, unless the lane keeps it apart from the large term.
    weight = np.array([[1.0], [2**-24], [2**-24], [0.0], [0.0]], np.float32)
    linear = Model("regressor", "squared_loss", weight, np.zeros(1, np.float32))
    assert linear.raw_scores(np.ones((1, 5)))[0, 0] == np.float32(1.0)
    same_lane = Model("regressor", "squared_loss", weight[[1, 0, 3, 3, 2]], np.zeros(1, np.float32))
    assert same_lane.raw_scores(np.ones((1, 5)))[0, 0] > np.float32(1.0)


def test_blocks_of_rows_give_the_same_bits_as_single_rows() -> None:
    linear = model(d=40)
    features = np.random.default_rng(0).normal(size=(9000, 40)).astype(np.float32)
    whole = linear.predict(features).score
    for row in (0, 3276, 3277, 8999):
        assert linear.predict(features[row : row + 1]).score[0] == whole[row]


def test_a_regressor_predicts_a_score_and_no_label() -> None:
    prediction = model().predict(np.zeros((2, 5)))
    assert prediction.predicted_label is None
    assert prediction.score.shape == (2,)
    assert prediction.score.dtype == np.float32


def test_a_binary_classifier_labels_a_row_1_above_its_threshold_and_0_at_it() -> None:
    weight, bias = np.array([[1.0]], np.float32), np.zeros(1, np.float32)
    at_zero = Model("binary_classifier", "logistic", weight, bias, threshold=0.5)
    prediction = at_zero.predict([[-1.0], [0.0], [1.0]])
    np.testing.assert_allclose(prediction.score, [0.26894143, 0.5, 0.7310586], rtol=1e-6)
    assert prediction.predicted_label is not None
    assert prediction.predicted_label.tolist() == [0, 0, 1]


def test_a_hinge_classifier_returns_its_weighted_sum() -> None:
    hinge = Model("binary_classifier", "hinge_loss", np.array([[2.0]], np.float32), np.zeros(1, np.float32), 0.0)
    prediction = hinge.predict([[-1.0], [1.5]])
    assert prediction.score.tolist() == [-2.0, 3.0]
    assert prediction.predicted_label is not None
    assert prediction.predicted_label.tolist() == [0, 1]


def test_a_multiclass_classifier_returns_probabilities_and_the_likeliest_class() -> None:
    prediction = model("multiclass_classifier", "softmax_loss", k=4).predict(
        np.random.default_rng(0).normal(size=(6, 5))
    )
    assert prediction.score.shape == (6, 4)
    np.testing.assert_allclose(prediction.score.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(prediction.predicted_label, prediction.score.argmax(axis=1))


@pytest.mark.parametrize(
    "change",
    [
        {"predictor_type": "binary_classifier"},
        {"loss": "huber_loss"},
        {"threshold": 0.25},
        {"metrics_params": {"f_beta": 2.0}},
        {"weight": np.zeros((5, 1), np.float32)},
        {"weight": np.zeros((4, 1), np.float32)},
        {"bias": np.zeros(1, np.float32)},
    ],
    ids=["predictor-type", "loss", "threshold", "metric-settings", "weights", "shape", "bias"],
)
def test_models_that_differ_in_one_value_are_not_equal(change: dict[str, Any]) -> None:
    assert model() == model()
    assert replace(model(), **change) != model()


def test_a_model_equals_no_other_object_and_has_no_hash() -> None:
    assert model() != "model"
    with pytest.raises(TypeError, match="unhashable"):
        hash(model())


@pytest.mark.parametrize(
    ("linear", "text"),
    [
        (model(d=7), "Model(regressor, 7 features, loss=squared_loss)"),
        (
            replace(model("binary_classifier", "logistic", d=195), threshold=0.43123),
            "Model(binary_classifier, 195 features, loss=logistic, threshold=0.431)",
        ),
        (
            model("multiclass_classifier", "softmax_loss", k=4),
            "Model(multiclass_classifier, 5 features, 4 classes, loss=softmax_loss)",
        ),
    ],
    ids=["regressor", "binary", "multiclass"],
)
def test_the_repr_is_one_line_without_arrays(linear: Model, text: str) -> None:
    assert repr(linear) == text


@pytest.mark.parametrize("features", [np.zeros((2, 4)), np.zeros(5), np.zeros((1, 2, 5))])
def test_features_of_another_width_are_refused_in_the_containers_words(features: np.ndarray) -> None:
    with pytest.raises(ClientError, match="The feature dimension of the input: ") as caught:
        model().predict(features)
    assert "does not match the feature dimension of the model: 5. Please fix the input" in str(caught.value)


@pytest.mark.parametrize("name", ["model.tar.gz", "model_algo-1"])
@pytest.mark.parametrize(
    ("predictor_type", "loss", "k"),
    [
        ("regressor", "huber_loss", 1),
        ("binary_classifier", "logistic", 1),
        ("multiclass_classifier", "softmax_loss", 3),
    ],
)
def test_a_saved_model_loads_as_an_equal_model(
    tmp_path: Path, predictor_type: str, loss: str, k: int, name: str
) -> None:
    saved = model(predictor_type, loss, k=k)
    saved.save(tmp_path / name)
    loaded = Model.load(tmp_path / name)
    assert loaded == saved
    features = np.random.default_rng(1).normal(size=(7, 5))
    np.testing.assert_array_equal(loaded.predict(features).score, saved.predict(features).score)


@pytest.mark.parametrize(
    ("arrays", "params"),
    [
        ({"fc0_weight": np.zeros((5, 1), np.float32)}, {}),
        ({"fc0_weight": np.zeros((5, 1), np.float32), "fc0_bias": np.zeros((1, 2), np.float32)}, {}),
        ({}, {"loss_type": "logistic"}),
        ({}, {"threshold": "high"}),
        ({}, {"predictor_type": "ranker"}),
        ({}, {"metrics_params": [1]}),
    ],
    ids=["no-bias", "shapes", "loss", "threshold", "predictor-type", "metric-settings"],
)
def test_an_artifact_of_another_algorithm_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], params: dict[str, object]
) -> None:
    good = {"fc0_weight": np.zeros((5, 1), np.float32), "fc0_bias": np.zeros((1, 1), np.float32)}
    additional = {"predictor_type": "regressor", "loss_type": "squared_loss", "threshold": 0.5, **params}
    network = artifact.symbol_of("squared_loss", feature_dim=5, n_outputs=1, counter=1, bias_lr_mult=10.0)
    path = tmp_path / "model.tar.gz"
    artifact.write(artifact.Artifact(additional, network, arrays or good), path)
    with pytest.raises(DataError, match=str(path)):
        Model.load(path)


REGRESSOR = Model("regressor", "squared_loss", np.array([[1], [2]], np.float32), np.array([0.5], np.float32))
BINARY = Model("binary_classifier", "logistic", np.array([[1], [0]], np.float32), np.zeros(1, np.float32), 0.5)
HINGE = Model("binary_classifier", "hinge_loss", np.array([[3], [0]], np.float32), np.zeros(1, np.float32), 1.0)
MULTICLASS = Model(
    "multiclass_classifier", "softmax_loss", np.array([[0, 9, 0], [0, 0, 9]], np.float32), np.zeros(3, np.float32)
)


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/csv", "text/html, application/json;q=0.9"])
def test_csv_in_gives_json_out(accept):
    answer = ModelServer(REGRESSOR).invoke(b"1,2\n0,0\n", content_type="text/csv", accept=accept)
    assert (answer.status, answer.content_type, answer.log_lines) == (200, "application/json", ())
    assert answer.body == b'{"predictions": [{"score": 5.5}, {"score": 0.5}]}'


def test_every_request_type_gives_the_same_scores():
    bodies = {
        "text/csv;label_size=0": b"1,2",
        "application/json": b'{"instances": [{"features": [1, 2]}]}',
        "application/jsonlines": b'{"data": {"features": {"values": [1, 2]}}}',
        "application/x-recordio-protobuf": bytes(recordio.encode(np.array([[1, 2]], np.float32))),
    }
    answers = {ModelServer(REGRESSOR).invoke(body, content_type=kind).body for kind, body in bodies.items()}
    assert answers == {b'{"predictions": [{"score": 5.5}]}'}


@pytest.mark.parametrize("accept", ["application/jsonlines", "application/x-recordio-protobuf"])
def test_the_answer_comes_in_the_accepted_type(accept):
    answer = ModelServer(BINARY).invoke(b"0,0\n3,0", content_type="text/csv", accept=f"{accept}; verbose=true")
    assert answer.content_type == accept
    scores = payload.parse_scores(answer.body, accept)
    assert scores.predicted_label.tolist() == [0, 1]
    np.testing.assert_allclose(scores.score, [0.5, 1 / (1 + np.exp(-3))], rtol=1e-6)


def test_hinge_scores_are_margins_cut_at_the_threshold():
    body = json.loads(ModelServer(HINGE).invoke(b"1,0\n0.25,0", content_type="text/csv").body)
    assert body == {"predictions": [{"score": 3.0, "predicted_label": 1}, {"score": 0.75, "predicted_label": 0}]}


def test_a_multiclass_answer_has_a_probability_a_class():
    (item,) = json.loads(ModelServer(MULTICLASS).invoke(b"0,1", content_type="text/csv").body)["predictions"]
    assert item["predicted_label"] == 2
    assert sum(item["score"]) == pytest.approx(1)
    assert len(item["score"]) == 3


@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines", "application/x-recordio-protobuf"])
def test_a_multiclass_answer_is_the_same_in_every_type(accept):
    rows = np.array([[0, 1], [1, 0], [-1, -1]], np.float32)
    answer = ModelServer(MULTICLASS).invoke(text.format_rows(rows), content_type="text/csv", accept=accept)
    scores = payload.parse_scores(answer.body, accept)
    expected = MULTICLASS.predict(rows)
    np.testing.assert_array_equal(scores.score, expected.score)
    assert scores.predicted_label.tolist() == expected.predicted_label.tolist() == [2, 1, 0]


def test_a_multiclass_line_has_the_documented_members():
    answer = ModelServer(MULTICLASS).invoke(b"0,1", content_type="text/csv", accept="application/jsonlines")
    (line,) = answer.body.splitlines()
    assert list(json.loads(line)) == ["score", "predicted_label"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"instances": [{"data": {"features": {"keys": [1], "shape": [2], "values": [3]}}}]}'),
        ("application/jsonlines", b'{"data": {"features": {"keys": [1], "shape": [2], "values": [3]}}}'),
    ],
)
def test_a_sparse_instance_is_scored_as_its_dense_row(kind, body):
    assert ModelServer(REGRESSOR).invoke(body, content_type=kind).body == b'{"predictions": [{"score": 6.5}]}'


def test_rows_of_another_width_are_refused_in_the_containers_words():
    answer = ModelServer(REGRESSOR).invoke(b"1,2,3", content_type="text/csv")
    assert (answer.status, answer.body) == (400, b"unable to evaluate payload provided")
    assert answer.log_lines == (
        "Customer Error: The feature dimension of the input: 3 does not match the feature dimension of the model: 2. "
        "Please fix the input and try again.",
    )


@pytest.mark.parametrize("body", [b"", b"id,name", b"1,nan"])
def test_a_payload_that_cannot_be_read_is_refused_and_the_log_says_why(body):
    answer = ModelServer(REGRESSOR).invoke(body, content_type="text/csv")
    assert (answer.status, answer.body) == (400, b"unable to evaluate payload provided")
    assert answer.log_lines[0].startswith("Customer Error: ")


@pytest.mark.parametrize("content_type", ["", "text/plain", "csv"])
def test_an_unknown_content_type_is_415(content_type):
    answer = ModelServer(REGRESSOR).invoke(b"1,2", content_type=content_type)
    assert answer.status == 415
    assert b"not supported" in answer.body


@pytest.mark.parametrize("name", ["model.tar.gz", "model_algo-1", "."])
def test_a_scorer_loads_an_archive_a_model_file_or_its_directory(tmp_path, name):
    REGRESSOR.save(tmp_path / ("model_algo-1" if name == "." else name))
    answer = ModelServer.load(tmp_path / name).invoke(b"1,2", content_type="text/csv")
    assert answer.body == b'{"predictions": [{"score": 5.5}]}'


def test_a_directory_without_a_model_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="model_algo-1 cannot be opened"):
        ModelServer.load(tmp_path)
