"""The exported model: its arithmetic, its answers, its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.linear_learner import Model, artifact, symbol
from asteroid_ll.linear_learner.errors import ClientError


def model(predictor_type: str = "regressor", loss: str = "squared_loss", *, d: int = 5, k: int = 1) -> Model:
    rng = np.random.default_rng(d + k)
    weight, bias = rng.normal(size=(d, k)).astype(np.float32), rng.normal(size=k).astype(np.float32)
    return Model(predictor_type, loss, weight, bias)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(0, 20), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_raw_scores_are_the_weighted_sums(d: int, n: int, k: int, seed: int) -> None:
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


def test_a_regressor_answers_values_alone() -> None:
    answer = model().predict(np.zeros((2, 5)))
    assert answer.predicted_label is None
    assert answer.score.shape == (2,)
    assert answer.score.dtype == np.float32


def test_a_binary_classifier_answers_one_above_its_threshold_and_zero_at_it() -> None:
    weight, bias = np.array([[1.0]], np.float32), np.zeros(1, np.float32)
    at_zero = Model("binary_classifier", "logistic", weight, bias, threshold=0.5)
    answer = at_zero.predict([[-1.0], [0.0], [1.0]])
    np.testing.assert_allclose(answer.score, [0.26894143, 0.5, 0.7310586], rtol=1e-6)
    assert answer.predicted_label is not None
    assert answer.predicted_label.tolist() == [0, 0, 1]


def test_a_hinge_classifier_answers_its_score() -> None:
    hinge = Model("binary_classifier", "hinge_loss", np.array([[2.0]], np.float32), np.zeros(1, np.float32), 0.0)
    answer = hinge.predict([[-1.0], [1.5]])
    assert answer.score.tolist() == [-2.0, 3.0]
    assert answer.predicted_label is not None
    assert answer.predicted_label.tolist() == [0, 1]


def test_a_multiclass_classifier_answers_probabilities_and_the_likeliest_class() -> None:
    answer = model("multiclass_classifier", "softmax_loss", k=4).predict(np.random.default_rng(0).normal(size=(6, 5)))
    assert answer.score.shape == (6, 4)
    np.testing.assert_allclose(answer.score.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(answer.predicted_label, answer.score.argmax(axis=1))


@pytest.mark.parametrize("features", [np.zeros((2, 4)), np.zeros(5), np.zeros((1, 2, 5))])
def test_another_width_is_refused_in_the_containers_words(features: np.ndarray) -> None:
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
def test_a_saved_model_loads_with_the_same_answers(
    tmp_path: Path, predictor_type: str, loss: str, k: int, name: str
) -> None:
    saved = model(predictor_type, loss, k=k)
    saved.save(tmp_path / name)
    loaded = Model.load(tmp_path / name)
    assert (loaded.predictor_type, loaded.loss, loaded.threshold) == (predictor_type, loss, 0.5)
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
    ],
    ids=["no-bias", "shapes", "loss", "threshold", "predictor-type"],
)
def test_an_artifact_that_is_no_linear_learners_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], params: dict[str, object]
) -> None:
    good = {"fc0_weight": np.zeros((5, 1), np.float32), "fc0_bias": np.zeros((1, 1), np.float32)}
    additional = {"predictor_type": "regressor", "loss_type": "squared_loss", "threshold": 0.5, **params}
    network = symbol.build("squared_loss", feature_dim=5, n_outputs=1, counter=1)
    path = tmp_path / "model.tar.gz"
    artifact.write(artifact.Artifact(additional, network, arrays or good), path)
    with pytest.raises(DataError, match=str(path)):
        Model.load(path)
