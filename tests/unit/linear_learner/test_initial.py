"""The initial weights: one unseeded stream, several generators for larger arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner.grid import initial_weights, initialisation_order
from asteroid_ll.linear_learner.hyperparameters import parse


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
