"""Models as columns of one matrix, against one model at a time in float64."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
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


@dataclass
class Alone:
    """One model that trains alone in float64, and how far float32 may be from it.

    The bound is that of a first-order error analysis: each float32 operation has a relative error of at most 2**-24
    (times ``TERMS`` for a sum), and every step passes on the errors of the steps before. It follows the draw because
    the optimizers divide a gradient by the size of the gradients so far: if the first gradients of a weight cancel to
    a millionth of their terms, their rounding error is passed on undamped in a step of full size.
    """

    weights: np.ndarray
    weights_error: np.ndarray
    losses: float = 0.0
    losses_error: float = 0.0


UNIT = 2.0**-24
TERMS = 16  # more than the rows of a batch and the features of a row together
PENALISED = np.array([[1.0]] * N_FEATURES + [[0.0]])


def one_model_in_float64(
    candidate: Candidate, hp: Hyperparameters, weights: np.ndarray, batches: np.ndarray, labels: np.ndarray
) -> Alone:
    """Multiclass or logistic training of one model, spelled out."""
    w = np.vstack([weights, np.full((1, weights.shape[1]), hp.init_bias)]).astype(np.float64)
    alone = Alone(w, np.zeros_like(w))
    step = adam_step if candidate.optimizer == "adam" else rmsprop_step
    state = tuple(np.zeros_like(w) for _ in range(4))
    rows = labels.astype(int).reshape(N_BATCHES, SIZE)
    for k, (x, label) in enumerate(zip(batches.astype(np.float64), rows, strict=True), start=1):
        g, g_error = gradient(alone, candidate, x, label)
        decays = (k - 1) // candidate.lr_scheduler_step
        rate = max(candidate.learning_rate * candidate.lr_scheduler_factor**decays, candidate.lr_scheduler_minimum_lr)
        rates = rate * np.where(PENALISED, 1.0, candidate.bias_lr_mult)
        change, change_error, state = step(g, g_error, state, k)
        alone.weights_error += rates * (change_error + TERMS * UNIT * np.abs(change))
        alone.weights_error += TERMS * UNIT * np.abs(alone.weights)
        alone.weights = alone.weights - rates * change
    return alone


def gradient(alone: Alone, candidate: Candidate, x: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of a batch with its error bound; adds the batch's losses."""
    w, w_error, size = alone.weights, alone.weights_error, np.abs(x)
    scores = x @ w
    scores_error = size @ w_error + TERMS * UNIT * (size @ np.abs(w))
    if w.shape[1] == 1:
        p = 1 / (1 + np.exp(-scores))
        alone.losses -= np.log(np.where(label == 1, p[:, 0], 1 - p[:, 0])).sum()
        residual, slope = p - label[:, np.newaxis], 0.25 * scores_error
    else:
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        alone.losses -= np.log(p[np.arange(SIZE), label]).sum()
        residual, slope = p - np.eye(w.shape[1])[label], 0.5 * scores_error.max(axis=1, keepdims=True)
    alone.losses_error += (np.abs(residual) * scores_error).sum() + TERMS * UNIT * SIZE
    g = (x.T @ residual + candidate.l1 * np.sign(w) * PENALISED) / SIZE + candidate.wd * w * PENALISED
    g_error = size.T @ (slope + TERMS * UNIT * (p + np.abs(residual))) / SIZE
    g_error += candidate.wd * PENALISED * (w_error + TERMS * UNIT * np.abs(w))
    g_error += 2 * candidate.l1 * PENALISED / SIZE * (np.abs(w) <= w_error)  # the sign may differ
    return g, g_error


State = tuple[np.ndarray, ...]


def adam_step(g: np.ndarray, g_error: np.ndarray, state: State, k: int) -> tuple[np.ndarray, np.ndarray, State]:
    mean, mean_error, square, square_error = state
    mean, mean_error = 0.9 * mean + 0.1 * g, 0.9 * mean_error + 0.1 * g_error
    square = 0.999 * square + 0.001 * g**2
    square_error = 0.999 * square_error + 0.001 * 2 * np.abs(g) * g_error
    root, correction = np.sqrt(square) + 1e-8, np.sqrt(1 - 0.999**k) / (1 - 0.9**k)
    change_error = correction * (mean_error / root + np.abs(mean) * square_error / (2 * root**3))
    return correction * mean / root, change_error, (mean, mean_error, square, square_error)


def rmsprop_step(g: np.ndarray, g_error: np.ndarray, state: State, _: int) -> tuple[np.ndarray, np.ndarray, State]:
    square, square_error = state[:2]
    root = np.sqrt(0.9 * square + 0.1 * g**2 + 1e-8)
    change_error = (g_error * (0.9 * square + 1e-8) + 0.45 * np.abs(g) * square_error) / root**3
    square = 0.9 * square + 0.1 * g**2
    square_error = 0.9 * square_error + 0.1 * 2 * np.abs(g) * g_error
    return g / root, change_error, (square, square_error)


MODELS = pytest.mark.parametrize(
    ("values", "optimizer"),
    [
        ({"predictor_type": "binary_classifier", "l1": "0.3", "init_bias": "0.5", "optimizer": "adam"}, "adam"),
        ({"predictor_type": "binary_classifier", "l1": "0.3", "init_bias": "0.5", "optimizer": "rmsprop"}, "rmsprop"),
        ({"predictor_type": "multiclass_classifier", "num_classes": "4", "num_models": "9"}, "adam"),
        ({"predictor_type": "multiclass_classifier", "num_classes": "4", "num_models": "9"}, "rmsprop"),
    ],
    ids=["binary-adam", "binary-rmsprop", "multiclass-adam", "multiclass-rmsprop"],
)


@MODELS
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_column_is_the_model_that_would_train_alone(values: dict[str, str], optimizer: str, seed: int) -> None:
    assert compared_with_alone(values, optimizer, seed).max() <= 1


def compared_with_alone(values: dict[str, str], optimizer: str, seed: int) -> np.ndarray:
    """The errors of all models of a group as shares of their bounds."""
    hp = parse({**values, "mini_batch_size": str(SIZE)})
    group, candidates, weights = make_group(hp, optimizer=optimizer)
    batches, labels, targets = batches_of(seed, hp)
    sums = trained(group, batches, targets, row_weights=None, first_update=1)
    weight, bias = group.parameters()
    shares = []
    for column, number in enumerate(group.numbers):
        alone = one_model_in_float64(candidates[number], hp, weights[number], batches, labels)
        together = np.vstack([weight[:, :, column], bias[np.newaxis, :, column]])
        shares.append(np.abs(sums[column] - alone.losses) / alone.losses_error)
        shares.append((np.abs(together - alone.weights) / alone.weights_error).max())
    return np.array(shares)


@MODELS
def test_the_bound_of_a_well_conditioned_draw_is_tight(values: dict[str, str], optimizer: str) -> None:
    hp = parse({**values, "mini_batch_size": str(SIZE)})
    group, candidates, weights = make_group(hp, optimizer=optimizer)
    batches, labels, _ = batches_of(1, hp)
    models = [one_model_in_float64(candidates[n], hp, weights[n], batches, labels) for n in group.numbers]
    assert np.median([model.losses_error / model.losses for model in models]) < 1e-3
    assert np.median([np.median(model.weights_error) for model in models]) < 1e-3


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
