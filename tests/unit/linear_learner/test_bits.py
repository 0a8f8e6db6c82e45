"""Fewer calls per mini-batch, the same bits: the engine against the formulas written one numpy call after another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from asteroid_ll.linear_learner import losses, optimizers, train
from asteroid_ll.linear_learner.grid import Candidate, grid, initial_weights
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters, parse
from asteroid_ll.linear_learner.optimizers import Schedule

N_FEATURES = 5
ONE, TINY = np.float32(1), np.float32(1e-8)


def plain_weights(hp: Hyperparameters, features: np.ndarray, labels: np.ndarray, *, n_epochs: int) -> np.ndarray:
    """Train the whole grid on raw features; its weights, shape ``(N_FEATURES + 1, n_outputs * n_models)``."""
    candidates = grid(hp, feature_dim=N_FEATURES)
    initial = initial_weights(hp, n_models=len(candidates), feature_dim=N_FEATURES)
    columns = initial.transpose(1, 2, 0).reshape(N_FEATURES, -1)
    # The order in memory decides about bits of the products.
    w = np.concatenate([columns, np.zeros((1, columns.shape[1]), np.float32)])
    batches = np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)
    batches = batches.reshape(-1, hp.mini_batch_size, N_FEATURES + 1)
    l2, l1 = (
        np.tile([strength(candidate) for candidate in candidates], hp.n_outputs).astype(np.float32)
        * np.array([[1]] * N_FEATURES + [[0]], np.float32)
        for strength in (lambda c: c.wd, lambda c: c.l1)
    )
    step, correct = plain_optimizer(candidates[0], hp, w)
    k = 0
    for _ in range(n_epochs):
        for batch, label in zip(batches, labels.reshape(-1, hp.mini_batch_size), strict=True):
            k += 1
            residual = plain_residual(hp, np.matmul(batch, w), label)
            gradient = np.matmul(batch.T, residual, out=np.empty_like(w))
            gradient = (gradient + np.sign(w) * l1) * np.float32(1 / hp.mini_batch_size) + w * l2
            rate = Schedule(candidates, enabled=True).rates(np.array([k]))[0]
            mult = np.array([candidate.bias_lr_mult for candidate in candidates])
            rates = np.stack([*[rate] * N_FEATURES, rate * mult]) * correct(k)
            step(gradient, np.tile(rates, hp.n_outputs).astype(np.float32))
    return w


def plain_residual(hp: Hyperparameters, scores: np.ndarray, label: np.ndarray) -> np.ndarray:
    target = label[:, np.newaxis]
    if hp.loss == "logistic":
        with np.errstate(over="ignore"):
            return ONE / (np.exp(-scores) + ONE) - target
    if hp.loss == "squared_loss":
        return scores - target
    by_class = scores.reshape(len(scores), hp.num_classes, -1)
    by_class = by_class - by_class.max(axis=1, keepdims=True)
    by_class = np.exp(by_class - np.log(np.exp(by_class).sum(axis=1, keepdims=True)))
    hot = (target == np.arange(hp.num_classes)).astype(np.float32)
    return (by_class - hot[:, :, np.newaxis]).reshape(scores.shape)


def plain_optimizer(
    candidate: Candidate, hp: Hyperparameters, w: np.ndarray
) -> tuple[Callable[[np.ndarray, np.ndarray], None], Callable[[int], float]]:
    """A function that updates ``w`` by a gradient and rates, and the correction of the rates by the update's number."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    b1, b2 = np.float32(hp.beta_1), np.float32(hp.beta_2)

    def adam(g: np.ndarray, rates: np.ndarray) -> None:
        m[:] = m * b1 + g * (ONE - b1)
        v[:] = v * b2 + g * g * (ONE - b2)
        w[:] = w - rates * m / (np.sqrt(v) + TINY)

    def rmsprop(g: np.ndarray, rates: np.ndarray) -> None:
        v[:] = v * np.float32(0.9) + g * g * (ONE - np.float32(0.9))
        w[:] = w - rates * g / np.sqrt(v + TINY)

    def sgd(g: np.ndarray, rates: np.ndarray) -> None:
        m[:] = m * np.float32(hp.momentum) - rates * g
        w[:] = w + m

    step = {"adam": adam, "rmsprop": rmsprop, "sgd": sgd}[candidate.optimizer]
    if step is adam:
        return step, lambda k: float(np.sqrt(1.0 - hp.beta_2**k) / (1.0 - hp.beta_1**k))
    return step, lambda _: 1.0


@pytest.mark.parametrize(("batch", "small"), [("4", optimizers.SMALL), ("40", 0)], ids=["small", "large"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("kind", ["regressor", "binary_classifier", "multiclass_classifier"])
def test_the_weights_have_the_bits_of_the_plain_formulas(
    kind: str, optimizer: str, batch: str, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizers, "SMALL", small)
    monkeypatch.setattr(losses, "_MANY", small)
    values = {"predictor_type": kind, "optimizer": optimizer, "mini_batch_size": batch, "epochs": "2"}
    values |= {"l1": "0.01", "num_models": "6"} | ({"num_classes": "9"} if kind[0] == "m" else {"momentum": "0.5"})
    values |= {"normalize_data": "false", "unbias_data": "false", "early_stopping_patience": "9"}
    values |= {"normalize_label": "false", "unbias_label": "false"} if kind == "regressor" else {}
    hp = parse(values)
    rng = np.random.default_rng(7)
    features = rng.normal(size=(80, N_FEATURES)).astype(np.float32)
    labels = rng.integers(0, hp.n_outputs if kind[0] == "m" else 2, 80).astype(np.float32)
    training = train(features, labels, values)
    columns = plain_weights(hp, features, labels, n_epochs=training.best_epoch + 1)
    expected = columns.reshape(N_FEATURES + 1, hp.n_outputs, -1)[:, :, training.best_index]
    np.testing.assert_array_equal(training.model.weight, expected[:-1])
    np.testing.assert_array_equal(training.model.bias, expected[-1])
