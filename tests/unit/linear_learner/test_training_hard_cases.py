"""Data that breaks learners: a defined result or a sentence, never a traceback or a model of NaN."""

from __future__ import annotations

import numpy as np
import pytest

from asteroid_ll.linear_learner import train
from asteroid_ll.linear_learner.hyperparameters import AlgorithmError, ClientError

REGRESSOR = {"predictor_type": "regressor", "mini_batch_size": "5", "epochs": "2"}
BINARY = {"predictor_type": "binary_classifier", "mini_batch_size": "5", "epochs": "2"}
MULTICLASS = {"predictor_type": "multiclass_classifier", "num_classes": "3", "mini_batch_size": "5", "epochs": "2"}
FEATURES = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
LABELS = (FEATURES[:, 0] > 0).astype(np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", ["train", "validation", "test"])
def test_a_value_that_is_not_finite_is_refused_with_its_place(bad: float, channel: str) -> None:
    broken = FEATURES.copy()
    broken[7, 2] = bad
    data = {"train": (FEATURES, LABELS), "validation": (FEATURES, LABELS), "test": (FEATURES, LABELS)}
    data[channel] = (broken, LABELS)
    with pytest.raises(ClientError, match=f"'{channel}' has a value that is NaN.*record 7, feature 2"):
        train(*data["train"], BINARY, validation=data["validation"], test=data["test"])


@pytest.mark.parametrize(
    ("values", "label"),
    [(BINARY, 2), (BINARY, -1), (BINARY, 0.5), (MULTICLASS, 3), (MULTICLASS, 1.5), (MULTICLASS, -1)],
)
def test_a_label_outside_its_range_is_refused_with_its_place(values: dict[str, str], label: float) -> None:
    labels = LABELS.copy()
    labels[4] = label
    with pytest.raises(ClientError, match=rf"The label {label} in record 4 of the channel 'train' is out of range"):
        train(FEATURES, labels, values)
    with pytest.raises(ClientError, match="channel 'validation' is out of range"):
        train(FEATURES, LABELS, values, validation=(FEATURES, labels))


def test_fewer_rows_than_a_batch_are_refused() -> None:
    with pytest.raises(ClientError, match="has 4 records, fewer than mini_batch_size 5"):
        train(FEATURES[:4], LABELS[:4], BINARY)


@pytest.mark.parametrize("values", [REGRESSOR, BINARY, MULTICLASS], ids=lambda values: values["predictor_type"])
def test_one_row_trains_a_finite_model(values: dict[str, str]) -> None:
    training = train(FEATURES[:1], LABELS[:1], {**values, "mini_batch_size": "1"})
    assert np.isfinite(training.model.weight).all()
    assert np.isfinite(training.model.predict(FEATURES).score).all()


@pytest.mark.parametrize("values", [REGRESSOR, BINARY, MULTICLASS], ids=lambda values: values["predictor_type"])
@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_value_train_a_model_that_says_so(values: dict[str, str], label: int) -> None:
    labels = np.full(20, label, np.float32)
    held_out = (FEATURES, labels)
    training = train(FEATURES, labels, {**values, "epochs": "30"}, validation=held_out)
    answer = training.model.predict(FEATURES)
    said = answer.score if answer.predicted_label is None else answer.predicted_label
    np.testing.assert_allclose(said, label, atol=0.05)


def test_a_feature_without_variance_changes_no_prediction() -> None:
    features = np.column_stack([FEATURES, np.full(20, 0.1, np.float32)])
    training = train(features, LABELS, {**REGRESSOR, "epochs": "20"})
    assert np.isfinite(training.model.weight).all()
    moved = features.copy()
    moved[:, 3] = 0.2
    np.testing.assert_allclose(training.model.predict(moved).score, training.model.predict(features).score, atol=0.05)


def test_fifty_thousand_features_train() -> None:
    features = np.random.default_rng(0).normal(size=(12, 50_000)).astype(np.float32)
    labels = np.array([0, 1] * 6, np.float32)
    training = train(features, labels, {**BINARY, "num_models": "4"})
    assert training.model.weight.shape == (50_000, 1)
    assert np.isfinite(training.model.weight).all()


def test_a_model_of_the_grid_that_diverges_is_passed_over() -> None:
    values = {**REGRESSOR, "optimizer": "sgd", "learning_rate": "1e30", "num_models": "2", "epochs": "4"}
    training = train(FEATURES, LABELS, values)
    assert not np.isfinite(training.train_objective[-1, 0])
    assert training.best_index == 1
    assert np.isfinite(training.model.weight).all()


@pytest.mark.parametrize("base", [REGRESSOR, BINARY])
def test_a_job_whose_every_model_diverges_fails_with_a_sentence(base: dict[str, str]) -> None:
    values = {**base, "optimizer": "sgd", "learning_rate": "1e38", "num_models": "1", "normalize_data": "false"}
    with pytest.raises(AlgorithmError, match="Training diverged"):
        train(FEATURES * 1e15, LABELS, values)
    with pytest.raises(AlgorithmError, match="Training diverged"):
        train(FEATURES * 1e15, LABELS, values, validation=(FEATURES * 1e15, LABELS))


def test_a_promised_width_that_is_not_the_datas_is_refused() -> None:
    with pytest.raises(ClientError, match="cannot copy sequence with size 3 to array axis with dimension 4"):
        train(FEATURES, LABELS, {**BINARY, "feature_dim": "4"})
    with pytest.raises(ClientError, match="cannot copy sequence with size 2 to array axis with dimension 3"):
        train(FEATURES, LABELS, BINARY, validation=(FEATURES[:, :2], LABELS))


def test_a_validation_channel_smaller_than_a_batch_is_scored_whole() -> None:
    training = train(FEATURES, LABELS, REGRESSOR, validation=(FEATURES[:2], LABELS[:2]))
    assert training.validation_objective is not None
    assert np.isfinite(training.validation_objective).all()


def test_values_too_large_to_scale_are_refused() -> None:
    with pytest.raises(ClientError, match="Unable to scale the training data: feature 0"):
        train(FEATURES * np.float32(1e25), LABELS, BINARY)


def test_saturated_probabilities_leave_every_score_finite() -> None:
    features = np.repeat([[-1.0], [1.0]], 10, axis=0)
    labels = (features[:, 0] > 0).astype(np.float32)
    values = {**BINARY, "normalize_data": "false", "init_scale": "500", "num_models": "1"}
    training = train(features, labels, values, validation=(features, labels))
    assert all(np.isfinite(score.value) for score in training.scores["validation"])
