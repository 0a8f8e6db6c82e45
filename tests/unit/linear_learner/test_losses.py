"""Each loss: its gradient against finite differences, its value against its formula, its name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner import losses
from asteroid_ll.linear_learner.hyperparameters import parse
from asteroid_ll.linear_learner.losses import Loss, RowWeights, row_weights

REGRESSION = {
    "squared_loss": lambda e: e**2,
    "absolute_loss": abs,
    "eps_insensitive_squared_loss": lambda e: max(0.0, e**2 - 0.25),
    "eps_insensitive_absolute_loss": lambda e: max(0.0, abs(e) - 0.5),
    "quantile_loss": lambda e: -0.3 * e if e < 0 else 0.7 * e,
    "huber_loss": lambda e: e**2 if abs(e) <= 0.75 else 1.5 * abs(e) - 0.75**2,
}
# A squared loss is reported without the factor 1/2, but its gradient is the residual.
HALF = {"squared_loss", "eps_insensitive_squared_loss", "huber_loss"}


def regression_loss(name: str) -> Loss:
    settings = {"loss_insensitivity": "0.5", "quantile": "0.3", "huber_delta": "0.75"}
    return losses.make(parse({"predictor_type": "regressor", "loss": name, **settings}))


def binary_loss(name: str) -> Loss:
    return losses.make(parse({"predictor_type": "binary_classifier", "loss": name, "margin": "0.8"}))


def multiclass_loss(n_classes: int) -> losses.Loss:
    return losses.make(parse({"predictor_type": "multiclass_classifier", "num_classes": str(n_classes)}))


def values(loss: Loss, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    prepared = loss.score_sign * scores
    loss.prepare(prepared)
    return loss.value_sign * loss.values(prepared, loss.targets(labels).astype(scores.dtype), prepared)


def gradient(loss: Loss, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    prepared, out = loss.score_sign * scores, np.empty_like(scores)
    loss.prepare(prepared)
    loss.gradient(prepared, loss.targets(labels).astype(scores.dtype), out)
    return out


def differences(loss: Loss, scores: np.ndarray, labels: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central differences of the rows' losses by each score, in float64."""
    slopes = np.empty_like(scores)
    for place in np.ndindex(scores.shape):
        above, below = scores.copy(), scores.copy()
        above[place] += step
        below[place] -= step
        slopes[place] = (values(loss, above, labels).sum() - values(loss, below, labels).sum()) / (2 * step)
    return slopes


def away_from_kinks(scores: np.ndarray, labels: np.ndarray, kinks: list[float]) -> bool:
    residual = scores - labels[:, np.newaxis]
    return all(np.abs(residual - kink).min() > 1e-4 for kink in kinks)


@pytest.mark.parametrize("name", REGRESSION)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_regression_loss_and_its_gradient_follow_the_formula(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(6, 3)), rng.normal(size=6).astype(np.float32).astype(np.float64)
    loss = regression_loss(name)
    expected = [[REGRESSION[name](score - label) for score in row] for row, label in zip(scores, labels, strict=True)]
    np.testing.assert_allclose(values(loss, scores, labels), expected, rtol=1e-6, atol=1e-7)
    if away_from_kinks(scores, labels, [0.0, 0.5, -0.5, 0.75, -0.75]):
        factor = 0.5 if name in HALF else 1.0
        slopes = factor * differences(loss, scores, labels)
        np.testing.assert_allclose(gradient(loss, scores, labels), slopes, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["logistic", "hinge_loss"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_binary_losses_gradient_is_its_slope(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.uniform(-7, 7, (6, 3)), rng.integers(0, 2, 6).astype(np.float64)
    loss = binary_loss(name)
    if name == "logistic" or away_from_kinks(scores * (2 * labels[:, np.newaxis] - 1), np.zeros(6), [0.8]):
        # The epsilon in the logarithm is not in the gradient: it moves the slope by at most 1e-8 * exp(7).
        np.testing.assert_allclose(gradient(loss, scores, labels), differences(loss, scores, labels), atol=2e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_softmax_gradient_is_its_slope_for_every_class_and_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = 3 * rng.normal(size=(4, 5, 2)), rng.integers(0, 5, 4).astype(np.float64)
    loss = multiclass_loss(5)
    np.testing.assert_allclose(gradient(loss, scores, labels), differences(loss, scores, labels), atol=1e-7)


def test_the_logistic_loss_adds_its_epsilon_inside_the_logarithm() -> None:
    loss = binary_loss("logistic")
    scores = np.array([[-200.0], [0.0], [200.0]], np.float32)
    with np.errstate(over="ignore"):
        found = values(loss, scores, np.ones(3, np.float32))[:, 0]
    np.testing.assert_allclose(found, [-np.log(1e-8), np.log(2), 0], rtol=1e-6, atol=1e-7)


def test_the_hinge_reaches_zero_at_its_margin() -> None:
    scores = np.array([[0.8], [-0.8], [0.0]], np.float32)
    found = values(binary_loss("hinge_loss"), scores, np.array([1, 0, 1], np.float32))[:, 0]
    np.testing.assert_allclose(found, [0, 0, 0.8])


def test_softmax_probabilities_survive_scores_of_any_size() -> None:
    scores = np.array([[[1e30], [-1e30], [0.0]]], np.float32)
    loss = multiclass_loss(3)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(loss.respond(scores)[0, :, 0], [1, 0, 0])
        assert values(loss, scores, np.zeros(1, np.float32))[0, 0] == 0


def test_responses_are_probabilities_for_logistic_and_scores_otherwise() -> None:
    scores = np.array([[-1.0, 2.0]], np.float32)
    np.testing.assert_allclose(binary_loss("logistic").respond(scores), 1 / (1 + np.exp(-scores)), rtol=1e-6)
    for loss in (binary_loss("hinge_loss"), regression_loss("huber_loss")):
        np.testing.assert_array_equal(loss.respond(scores), scores)
    np.testing.assert_array_equal(scores, [[-1.0, 2.0]])


@pytest.mark.parametrize(
    ("values_", "name"),
    [
        ({"predictor_type": "regressor"}, "mse_objective"),
        ({"predictor_type": "regressor", "loss": "absolute_loss"}, "absolute_loss_objective"),
        ({"predictor_type": "regressor", "loss": "quantile_loss"}, "quantile_loss_objective"),
        ({"predictor_type": "binary_classifier"}, "binary_classification_cross_entropy_objective"),
        (
            {"predictor_type": "binary_classifier", "positive_example_weight_mult": "balanced"},
            "binary_classification_weighted_cross_entropy_objective",
        ),
        ({"predictor_type": "binary_classifier", "loss": "hinge_loss"}, "hinge_loss_objective"),
        ({"predictor_type": "multiclass_classifier", "num_classes": "3"}, "multiclass_cross_entropy_objective"),
        (
            {"predictor_type": "multiclass_classifier", "num_classes": "3", "balance_multiclass_weights": "true"},
            "weighted_softmax_loss_objective",
        ),
    ],
)
def test_the_objective_has_the_logs_name(values_: dict[str, str], name: str) -> None:
    assert losses.make(parse(values_)).objective_name == name


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
