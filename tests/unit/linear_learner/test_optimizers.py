"""Each optimiser against a few lines of float64, over several updates."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner import optimizers
from asteroid_ll.linear_learner.grid import Candidate
from asteroid_ll.linear_learner.hyperparameters import parse
from asteroid_ll.linear_learner.optimizers import Schedule

N_FEATURES, N_COLUMNS, N_UPDATES = 4, 3, 12
Update = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def adam(beta_1: float, beta_2: float) -> Update:
    mean, square = np.zeros((N_FEATURES + 1, N_COLUMNS)), np.zeros((N_FEATURES + 1, N_COLUMNS))

    def update(gradient: np.ndarray, rates: np.ndarray, k: int) -> np.ndarray:
        mean[:] = beta_1 * mean + (1 - beta_1) * gradient
        square[:] = beta_2 * square + (1 - beta_2) * gradient**2
        return -rates * np.sqrt(1 - beta_2**k) / (1 - beta_1**k) * mean / (np.sqrt(square) + 1e-8)

    return update


def sgd(momentum: float) -> Update:
    velocity = np.zeros((N_FEATURES + 1, N_COLUMNS))

    def update(gradient: np.ndarray, rates: np.ndarray, _: int) -> np.ndarray:
        velocity[:] = momentum * velocity - rates * gradient
        return velocity

    return update


def rmsprop() -> Update:
    square = np.zeros((N_FEATURES + 1, N_COLUMNS))

    def update(gradient: np.ndarray, rates: np.ndarray, _: int) -> np.ndarray:
        square[:] = 0.9 * square + 0.1 * gradient**2
        return -rates * gradient / np.sqrt(square + 1e-8)

    return update


def gradients(seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for _ in range(N_UPDATES):
        yield rng.normal(size=(N_FEATURES + 1, N_COLUMNS)) * rng.choice([1e-3, 1.0, 30.0])


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("adam", lambda: adam(0.9, 0.999)),
        ("adam-other-betas", lambda: adam(0.5, 0.75)),
        ("sgd", lambda: sgd(0.0)),
        ("sgd-momentum", lambda: sgd(0.9)),
        ("rmsprop", rmsprop),
    ],
)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_update_is_the_references(name: str, reference: Callable[[], Update], seed: int) -> None:
    shape = (N_FEATURES + 1, N_COLUMNS)
    betas = {"beta_1": "0.5", "beta_2": "0.75"} if name == "adam-other-betas" else {}
    momentum = {"momentum": "0.9"} if name == "sgd-momentum" else {}
    hyperparameters = parse({"predictor_type": "regressor", **betas, **momentum})
    optimizer = optimizers.make(name.split("-")[0], shape, hyperparameters)
    update = reference()
    expected = np.random.default_rng(seed).normal(size=shape)
    weights = expected.astype(np.float32)
    scheduled = np.array([[0.1, 0.02, 0.005]])
    bias_mult = np.array([10.0, 1.0, 3.0])
    full = np.vstack([np.repeat(scheduled, N_FEATURES, axis=0), scheduled * bias_mult])
    for k, gradient in enumerate(gradients(seed), start=1):
        number = np.array([k])
        feature, bias = (
            optimizer.scale_rates(rate, number).astype(np.float32) for rate in (scheduled, scheduled * bias_mult)
        )
        optimizer.work[0] = gradient
        rates = optimizers.Rates(feature, bias, shape=shape, n_features=N_FEATURES, by_column=False)
        optimizer.step(weights, rates)
        expected = expected + update(gradient.astype(np.float32).astype(np.float64), full, k)
    np.testing.assert_allclose(weights, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("small", [0, optimizers.SMALL])
@pytest.mark.parametrize("n_rows", [2, 3])
@pytest.mark.parametrize("by_column", [False, True])
def test_each_update_has_its_rates_and_the_bias_row_its_own(
    small: int, n_rows: int, by_column: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizers, "SMALL", small)
    feature, bias = np.array([[2, 3], [4, 5]], np.float32), np.array([[6, 7], [8, 9]], np.float32)
    rates = optimizers.Rates(feature, bias, shape=(n_rows, 2), n_features=2, by_column=by_column)
    out = np.empty((2, n_rows) if by_column else (n_rows, 2), np.float32)
    rates.number = 1
    rates.multiply(np.ones_like(out), out)
    np.testing.assert_array_equal(out.T if by_column else out, [[4, 5], [4, 5], [8, 9]][:n_rows])


def reference(candidate: Candidate, n_updates: int) -> list[float]:
    rate, count, rates = candidate.learning_rate, 0, []
    for update in range(1, n_updates + 1):
        while update > count + candidate.lr_scheduler_step:
            count += candidate.lr_scheduler_step
            rate = max(rate * candidate.lr_scheduler_factor, candidate.lr_scheduler_minimum_lr)
        rates.append(rate)
    return rates


candidates = st.builds(
    Candidate,
    optimizer=st.just("adam"),
    learning_rate=st.floats(1e-6, 1),
    wd=st.just(0.0),
    l1=st.just(0.0),
    lr_scheduler_step=st.integers(1, 20),
    lr_scheduler_factor=st.floats(0.1, 0.999),
    lr_scheduler_minimum_lr=st.floats(1e-6, 1),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(candidates, min_size=1, max_size=4))
def test_rates_decay_as_mxnets_scheduler_counts(models: list[Candidate]) -> None:
    rates = Schedule(models, enabled=True).rates(np.arange(1, 101))
    for column, model in enumerate(models):
        np.testing.assert_allclose(rates[:, column], reference(model, 100), rtol=1e-12)


@given(candidates)
def test_without_a_scheduler_the_first_rate_stays(model: Candidate) -> None:
    rates = Schedule([model], enabled=False).rates(np.arange(1, 50))
    assert (rates == model.learning_rate).all()
    assert rates.shape == (49, 1)
