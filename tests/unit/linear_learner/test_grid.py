"""The models of a job: the lattice of 32, and the random variations of a multiclass base."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner.grid import (
    Candidate,
    as_logged,
    auto_multiclass_models,
    grid,
    initial_weights,
    initialisation_order,
)
from asteroid_ll.linear_learner.hyperparameters import PredictorType, parse


def models(**values: str) -> tuple[Candidate, ...]:
    feature_dim = int(values.pop("feature_dim", "22"))
    return grid(parse({"predictor_type": "regressor", **values}), feature_dim=feature_dim)


MULTICLASS = {"predictor_type": "multiclass_classifier", "num_classes": "3"}


def test_the_lattice_counts_step_minimum_rate_and_decay_from_the_fastest_digit() -> None:
    found = models()
    assert len(found) == 32
    for i, model in enumerate(found):
        assert model.wd == (1e-4, 1e-2, 1.0, 100.0)[i // 8]
        assert model.learning_rate == (0.005, 0.1)[i // 4 % 2]
        assert model.lr_scheduler_minimum_lr == (1e-5, 1e-4)[i // 2 % 2]
        assert model.lr_scheduler_step == (10, 100)[i % 2]
        assert (model.optimizer, model.l1, model.lr_scheduler_factor, model.bias_lr_mult) == ("adam", 0.0, 0.99, 10.0)


def test_binary_classification_has_the_same_lattice() -> None:
    assert models(predictor_type="binary_classifier") == models()


def test_fewer_models_are_the_first_and_more_repeat_the_lattice() -> None:
    assert models(num_models="16") == models()[:16]
    assert models(num_models="1") == models()[:1]
    assert models(num_models="40") == models() + models()[:8]


def test_values_that_the_user_fixes_are_the_base_models_alone() -> None:
    found = models(
        learning_rate="0.3",
        wd="0.7",
        l1="0.2",
        lr_scheduler_step="5",
        lr_scheduler_factor="0.5",
        lr_scheduler_minimum_lr="0.001",
    )
    assert found[0] == Candidate("adam", 0.3, 0.7, 0.2, 10, 0.5, 0.001, 10.0)
    assert found[1:] == models()[1:]


def test_the_users_scheduler_step_reaches_the_base_model_of_a_fixed_number_of_models_alone() -> None:
    assert models(lr_scheduler_step="5") == models()
    assert models(lr_scheduler_step="5", num_models="16")[0].lr_scheduler_step == 5
    assert models(lr_scheduler_step="5", num_models="16")[1:] == models()[1:16]
    assert models(lr_scheduler_step="5", _tuning_objective_metric="validation:mse")[0].lr_scheduler_step == 5
    assert models(**MULTICLASS, lr_scheduler_step="5")[0].lr_scheduler_step == 5


def test_an_optimiser_and_a_bias_multiplier_hold_for_every_model() -> None:
    found = models(optimizer="sgd", bias_lr_mult="3")
    assert {(model.optimizer, model.bias_lr_mult) for model in found} == {("sgd", 3.0)}


def test_model_26_of_28_multiclass_models_is_the_published_one() -> None:
    found = models(**MULTICLASS)
    assert len(found) == 28
    assert found[0] == Candidate("adam", 0.02, 0.02, 0.02, 10, 0.98, 1e-5, 10.0)
    model = found[26]
    assert round(model.learning_rate, 7) == 0.0357892
    assert round(model.l1, 7) == 0.3730852
    assert round(model.wd, 7) == 0.0020367
    assert model.lr_scheduler_step == 153
    assert round(model.lr_scheduler_factor, 5) == 0.98955
    assert round(model.lr_scheduler_minimum_lr, 8) == 2.294e-5


@pytest.mark.parametrize(("feature_dim", "count"), [(14, 24), (19, 27), (22, 28), (23, 29), (1509, 32), (1, 3)])
def test_the_number_of_multiclass_models_grows_with_the_features(feature_dim: int, count: int) -> None:
    assert auto_multiclass_models(feature_dim) == count
    assert len(models(**MULTICLASS, feature_dim=str(feature_dim))) == count


def test_multiclass_variations_keep_their_ratio_to_what_the_user_fixes() -> None:
    default, fixed = models(**MULTICLASS), models(**MULTICLASS, learning_rate="0.2", wd="0.04", l1="0")
    for before, after in zip(default, fixed, strict=True):
        assert after.learning_rate == pytest.approx(10 * before.learning_rate)
        assert after.wd == pytest.approx(2 * before.wd)
        assert after.l1 == 0.0
        assert after.lr_scheduler_step == before.lr_scheduler_step


def test_multiclass_variations_mix_optimisers_unless_one_is_asked_for() -> None:
    assert {model.optimizer for model in models(**MULTICLASS)} == {"adam", "rmsprop"}
    assert {model.optimizer for model in models(**MULTICLASS, optimizer="sgd")} == {"sgd"}


BASE_FIRST = ["optimizer", "learning_rate", "l1", "wd"]
GRID_FIRST = ["optimizer", "learning_rate", "wd", "l1"]


@pytest.mark.parametrize(
    ("predictor_type", "index", "first"),
    [
        # Two jobs of November 2023 exported model 0; 20 jobs of 2021 to 2025 exported another one.
        ("binary_classifier", 0, BASE_FIRST),
        ("regressor", 3, GRID_FIRST),
        ("regressor", 9, GRID_FIRST),
        ("binary_classifier", 4, GRID_FIRST),
        # Jobs of May 2021 and July 2024 exported model 26, a tuning job of July 2024 the base model.
        ("multiclass_classifier", 26, BASE_FIRST),
        ("multiclass_classifier", 0, BASE_FIRST),
    ],
)
def test_the_best_model_line_has_seven_values_in_the_logs_order(
    predictor_type: PredictorType, index: int, first: list[str]
) -> None:
    candidates = models(predictor_type=predictor_type, num_classes="3")
    logged = as_logged(candidates, index, predictor_type=predictor_type)
    assert list(logged) == [*first, "lr_scheduler_step", "lr_scheduler_factor", "lr_scheduler_minimum_lr"]
    assert logged == candidates[index].as_logged()


def weights_of(n_models: int, size: int, **settings: str) -> np.ndarray:
    hyperparameters = parse({"predictor_type": "regressor", **settings})
    return initial_weights(hyperparameters, n_models=n_models, feature_dim=size)[:, :, 0]


def uniform_weights(n_models: int, size: int, *, scale: float) -> np.ndarray:
    return weights_of(n_models, size, init_scale=repr(scale))


def normal_weights(n_models: int, size: int, *, sigma: float) -> np.ndarray:
    return weights_of(n_models, size, init_method="normal", init_sigma=repr(sigma))


def reference(n_models: int, size: int, *, scale: float) -> np.ndarray:
    """The law, spelled out a number at a time."""
    n_generators = min(-(-size // 64), 1024)
    step = -(-size // n_generators)
    streams = [np.random.RandomState(seed) for seed in range(n_generators)]
    low, span = np.float32(-scale), np.float32(scale) - np.float32(-scale)
    weights = np.empty((n_models, size), np.float32)
    for model in sorted(range(n_models), key=lambda number: f"{number}_"):
        for i in range(size):
            word = streams[i // step].randint(0, 2**32, dtype=np.uint32)
            unit = min(np.float32(word) * np.float32(2**-32), np.nextafter(np.float32(1), np.float32(0)))
            weights[model, i] = low + span * unit
    return weights


def test_the_first_weights_of_model_0_are_those_of_mxnet() -> None:
    expected = [0.0068339, 0.01299825, 0.0301265, 0.04819721, 0.01438687, 0.05011239]
    np.testing.assert_allclose(uniform_weights(32, 13, scale=0.07)[0, :6], expected, atol=5e-9)


def test_models_are_drawn_in_the_order_of_their_names_as_strings() -> None:
    order = [0, *range(10, 20), 1, *range(20, 30), 2, 30, 31, *range(3, 10)]
    assert initialisation_order(32) == order
    weights = uniform_weights(32, 13, scale=0.07)
    stream = uniform_weights(1, 64, scale=0.07)[0]
    np.testing.assert_array_equal(weights[order[1]], stream[13:26])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 300), st.floats(0.001, 2))
def test_any_grid_equals_the_law_a_number_at_a_time(n_models: int, size: int, scale: float) -> None:
    weights = uniform_weights(n_models, size, scale=scale)
    np.testing.assert_array_equal(weights, reference(n_models, size, scale=scale))


def test_more_weights_than_generators_can_hold_in_sixty_fours_are_all_drawn() -> None:
    weights = uniform_weights(1, 70_000, scale=0.07)[0]
    assert np.unique(weights).size > 69_000
    assert np.abs(weights).max() <= np.float32(0.07)


def test_normal_weights_follow_the_polar_method() -> None:
    stream = np.random.RandomState(0)
    expected = []
    while len(expected) < 40:
        first, second = (
            np.float32(2) * (np.float32(stream.randint(0, 2**32, dtype=np.uint32)) * np.float32(2**-32)) - np.float32(1)
            for _ in range(2)
        )
        r = first * first + second * second
        if 0 < r <= 1:
            expected.append(np.float32(0.01) * (second * np.sqrt(np.float32(-2) * np.log(r) / r)))
    np.testing.assert_allclose(normal_weights(2, 20, sigma=0.01).ravel(), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [20, 5000])
def test_normal_weights_have_the_asked_spread(size: int) -> None:
    weights = normal_weights(40, size, sigma=0.5)
    assert weights.dtype == np.float32
    assert weights.std() == pytest.approx(0.5, rel=0.1)
    assert abs(weights.mean()) < 0.05
