"""Models as columns of one matrix, against one model at a time in float64."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.linear_learner import losses, optimizers, train
from asteroid_ll.linear_learner.ensemble import ModelGroup, sum_rows
from asteroid_ll.linear_learner.grid import Candidate, grid, initial_weights
from asteroid_ll.linear_learner.hosts import ALONE
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters, parse
from asteroid_ll.linear_learner.optimizers import Schedule

SIZE, N_BATCHES, N_FEATURES = 8, 6, 3


@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_pairwise_sum_is_the_sum(n_batches: int, n_rows: int, n_models: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(n_batches, n_rows, n_models)).astype(np.float32)
    expected = values.sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(sum_rows(values.copy()), expected, rtol=1e-5, atol=1e-5)


def make_group(hp: Hyperparameters, *, optimizer: str = "adam") -> tuple[ModelGroup, tuple[Candidate, ...], np.ndarray]:
    candidates = grid(hp, feature_dim=N_FEATURES)
    numbers = [number for number, candidate in enumerate(candidates) if candidate.optimizer == optimizer]
    weights = initial_weights(hp, n_models=len(candidates), feature_dim=N_FEATURES)
    group = ModelGroup(
        numbers,
        candidates=candidates,
        weights=weights,
        loss=losses.make(hp),
        hyperparameters=hp,
        batches_at_once=N_BATCHES,
        hosts=ALONE,
    )
    return group, candidates, weights


def trained(
    group: ModelGroup,
    batches: np.ndarray,
    targets: np.ndarray,
    *,
    row_weights: np.ndarray | None,
    first_update: int,
) -> np.ndarray:
    """Train a group on some mini-batches; the sums of its losses."""
    with ThreadPoolExecutor(1) as executor:
        sums = group.train(batches, targets, row_weights=row_weights, first_update=first_update, loss_executor=executor)
        return sums.result()


def batches_of(seed: int, hp: Hyperparameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    batches = rng.normal(size=(N_BATCHES, SIZE, N_FEATURES + hp.use_bias)).astype(np.float32)
    if hp.use_bias:
        batches[:, :, -1] = 1
    n_classes = max(2, hp.n_outputs)
    labels = rng.integers(0, n_classes, N_BATCHES * SIZE).astype(np.float32)
    targets = losses.make(hp).targets(labels)
    return batches, labels, targets.reshape(N_BATCHES, SIZE, *targets.shape[1:])


def test_batch_after_batch_is_the_same_bits_as_many_at_once() -> None:
    hp = parse({"predictor_type": "regressor", "mini_batch_size": str(SIZE)})
    batches, _, targets = batches_of(3, hp)
    together, _, _ = make_group(hp)
    trained(together, batches, targets, row_weights=None, first_update=1)
    single, _, _ = make_group(hp)
    for i in range(N_BATCHES):
        trained(single, batches[i : i + 1], targets[i : i + 1], row_weights=None, first_update=i + 1)
    np.testing.assert_array_equal(together.weights, single.weights)


@pytest.mark.parametrize(
    "values",
    [
        {"predictor_type": "binary_classifier"},
        {"predictor_type": "binary_classifier", "loss": "hinge_loss"},
        {"predictor_type": "multiclass_classifier", "num_classes": "3", "num_models": "4", "optimizer": "adam"},
    ],
    ids=["logistic", "hinge", "softmax"],
)
def test_a_row_of_weight_two_is_the_row_twice(values: dict[str, str]) -> None:
    """With the mean over twice the rows, every row of weight 2 equals every row of weight 1 written twice."""
    hp = parse({**values, "mini_batch_size": str(SIZE), "wd": "0", "num_models": "1"})
    doubled = parse({**values, "mini_batch_size": str(2 * SIZE), "wd": "0", "num_models": "1"})
    batches, _, targets = batches_of(5, hp)
    weighted, _, _ = make_group(hp)
    row_weights = np.full((N_BATCHES, SIZE, 1), 2, np.float32)
    losses_weighted = trained(weighted, batches, targets, row_weights=row_weights, first_update=1)
    twice, _, _ = make_group(doubled)
    rows, repeated = np.concatenate([batches, batches], axis=1), np.concatenate([targets, targets], axis=1)
    losses_twice = trained(twice, rows, repeated, row_weights=None, first_update=1)
    # Adam does not see the factor 2 between the mean gradients, up to its epsilon.
    np.testing.assert_allclose(weighted.weights, twice.weights, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(losses_weighted, losses_twice, rtol=1e-4)


def test_without_a_bias_there_is_no_bias_row_and_the_bias_is_zero() -> None:
    hp = parse({"predictor_type": "regressor", "mini_batch_size": str(SIZE), "use_bias": "false", "init_bias": "3"})
    batches, _, targets = batches_of(1, hp)
    group, _, _ = make_group(hp)
    trained(group, batches, targets, row_weights=None, first_update=1)
    weight, bias = group.parameters()
    assert weight.shape == (N_FEATURES, 1, 32)
    assert not bias.any()


def test_decay_of_the_bias_needs_its_multiplier() -> None:
    batches = np.zeros((N_BATCHES, SIZE, N_FEATURES + 1), np.float32)
    targets = np.zeros((N_BATCHES, SIZE, 1), np.float32)
    moved = []
    for mult in ("0", "1"):
        hp = parse(
            {
                "predictor_type": "regressor",
                "mini_batch_size": str(SIZE),
                "init_bias": "1",
                "bias_wd_mult": mult,
                "wd": "1",
                "num_models": "1",
            }
        )
        group, _, _ = make_group(hp)
        trained(group, batches, targets, row_weights=None, first_update=1)
        moved.append(float(group.parameters()[1][0, 0]))
    assert moved[0] == 1.0
    assert moved[1] < 0.8


WIDTH = 5
ONE, TINY = np.float32(1), np.float32(1e-8)


def plain_weights(hp: Hyperparameters, features: np.ndarray, labels: np.ndarray, *, n_epochs: int) -> np.ndarray:
    """Train the whole grid on raw features; its weights, shape ``(WIDTH + 1, n_outputs * n_models)``."""
    candidates = grid(hp, feature_dim=WIDTH)
    initial = initial_weights(hp, n_models=len(candidates), feature_dim=WIDTH)
    columns = initial.transpose(1, 2, 0).reshape(WIDTH, -1)
    # The order in memory decides about bits of the products.
    w = np.concatenate([columns, np.zeros((1, columns.shape[1]), np.float32)])
    batches = np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)
    batches = batches.reshape(-1, hp.mini_batch_size, WIDTH + 1)
    l2, l1 = (
        np.tile([strength(candidate) for candidate in candidates], hp.n_outputs).astype(np.float32)
        * np.array([[1]] * WIDTH + [[0]], np.float32)
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
            rates = np.stack([*[rate] * WIDTH, rate * mult]) * correct(k)
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
    features = rng.normal(size=(80, WIDTH)).astype(np.float32)
    labels = rng.integers(0, hp.n_outputs if kind[0] == "m" else 2, 80).astype(np.float32)
    training = train(features, labels, values)
    columns = plain_weights(hp, features, labels, n_epochs=training.best_epoch + 1)
    expected = columns.reshape(WIDTH + 1, hp.n_outputs, -1)[:, :, training.best_index]
    np.testing.assert_array_equal(training.model.weight, expected[:-1])
    np.testing.assert_array_equal(training.model.bias, expected[-1])
