"""Weights of rows by class."""

from __future__ import annotations

import numpy as np
import pytest

from asteroid_ll.linear_learner.hyperparameters import parse
from asteroid_ll.linear_learner.losses import RowWeights, row_weights

SAMPLE = np.array([0, 0, 0, 1], np.float32)


def weights(sample: np.ndarray = SAMPLE, n_models: int = 4, **values: str) -> RowWeights | None:
    return row_weights(parse({"predictor_type": "binary_classifier", **values}), sample, n_models=n_models)


def test_by_default_every_row_weighs_one() -> None:
    assert weights() is None
    assert weights(predictor_type="regressor", positive_example_weight_mult="3") is None
    assert weights(predictor_type="multiclass_classifier", num_classes="3") is None


@pytest.mark.parametrize(("mult", "positive"), [("2.5", 2.5), ("balanced", 3.0)])
def test_positives_weigh_the_number_or_negatives_per_positive(mult: str, positive: float) -> None:
    found = weights(positive_example_weight_mult=mult)
    assert found is not None
    np.testing.assert_array_equal(found.of(SAMPLE), np.array([[1], [1], [1], [positive]], np.float32))


def test_auto_spreads_the_models_from_one_to_the_balanced_weight() -> None:
    found = weights(positive_example_weight_mult="auto", n_models=6)
    assert found is not None
    np.testing.assert_allclose(found.by_class[1], [1, 3 ** (1 / 3), 3 ** (2 / 3), 3, 1, 3 ** (1 / 3)], rtol=1e-6)
    np.testing.assert_array_equal(found.by_class[0], np.ones(6))
    assert found.select([3]).by_class.shape == (2, 1)


@pytest.mark.parametrize("sample", [np.zeros(4, np.float32), np.ones(4, np.float32)])
def test_a_sample_of_one_class_cannot_be_balanced_and_weighs_one(sample: np.ndarray) -> None:
    found = weights(sample, positive_example_weight_mult="balanced")
    assert found is not None
    np.testing.assert_array_equal(found.of(sample), np.ones((4, 1)))


def test_balanced_classes_weigh_the_reciprocal_of_their_share_and_an_unseen_class_a_million() -> None:
    found = weights(
        np.array([0, 0, 0, 1], np.float32),
        predictor_type="multiclass_classifier",
        num_classes="3",
        balance_multiclass_weights="true",
    )
    assert found is not None
    np.testing.assert_allclose(found.by_class[:, 0], [4 / 3, 4, 1e6])
