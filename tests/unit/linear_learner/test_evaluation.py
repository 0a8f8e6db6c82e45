"""Whole channels: sums that do not depend on the blocks they are read in, and the end scores."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn import metrics as sk

from asteroid_ll.linear_learner import evaluation, losses
from asteroid_ll.linear_learner.ensemble import Parameters
from asteroid_ll.linear_learner.evaluation import (
    Evaluator,
    Score,
    Scored,
    binary_scores,
    end_scores,
    multiclass_scores,
    regressor_scores,
    roc_auc,
    sum_losses,
)
from asteroid_ll.linear_learner.hosts import ALONE
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters, parse
from asteroid_ll.linear_learner.losses import RowWeights
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.rows import Rows, checked_rows

N_ROWS, N_FEATURES, N_MODELS = 57, 3, 6


def channel(n_classes: int) -> Rows:
    rng = np.random.default_rng(n_classes)
    features = rng.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    return checked_rows("validation", features, rng.integers(0, n_classes, N_ROWS), feature_dim=None, hosts=ALONE)


def parameters(n_outputs: int) -> Parameters:
    rng = np.random.default_rng(9)
    weight = rng.normal(size=(N_FEATURES, n_outputs, N_MODELS)).astype(np.float32)
    return Parameters(weight, rng.normal(size=(n_outputs, N_MODELS)).astype(np.float32))


def evaluator(hp: Hyperparameters, rows: Rows) -> Evaluator:
    return Evaluator(rows, loss=losses.make(hp), hyperparameters=hp, row_weights=None)


BINARY = parse({"predictor_type": "binary_classifier", "mini_batch_size": "5"})
MULTICLASS = parse({"predictor_type": "multiclass_classifier", "num_classes": "4", "mini_batch_size": "5"})


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 12))
def test_the_sum_of_losses_does_not_depend_on_the_batch(n_rows: int, size: int) -> None:
    rng = np.random.default_rng(n_rows)
    scores, labels = rng.normal(size=(n_rows, 3)).astype(np.float32), rng.normal(size=n_rows).astype(np.float32)
    found = sum_losses(losses.Squared(BINARY), scores.copy(), labels, mini_batch_size=size, row_weights=None)
    expected = ((scores - labels[:, np.newaxis]).astype(np.float64) ** 2).sum(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("hp", "n_outputs"), [(BINARY, 1), (MULTICLASS, 4)], ids=["binary", "multiclass"])
def test_objectives_do_not_depend_on_the_blocks_that_are_read(
    hp: Hyperparameters, n_outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, models = channel(max(2, n_outputs)), parameters(n_outputs)
    whole = evaluator(hp, rows).objective(models)
    monkeypatch.setattr(evaluation, "_BLOCK_ELEMENTS", 1)
    # Another shape of the product may round otherwise.
    np.testing.assert_allclose(evaluator(hp, rows).objective(models), whole, rtol=1e-6)
    scores = np.einsum("nd,dkm->nkm", rows.block(0, N_ROWS).astype(np.float64), models.weight) + models.bias
    labels = rows.labels.astype(int)
    if n_outputs == 1:
        p = 1 / (1 + np.exp(-scores[:, 0]))
        p = np.where(labels[:, np.newaxis] == 1, p, 1 - p)
    else:
        p = (np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))[np.arange(N_ROWS), labels]
    np.testing.assert_allclose(whole, -np.log(p).mean(axis=0), rtol=1e-5)


def test_cuts_do_not_depend_on_how_many_models_are_searched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, models = channel(2), parameters(1)
    whole = evaluator(BINARY, rows).cuts(models, near=0.5)
    monkeypatch.setattr(evaluation, "_SEARCH_ELEMENTS", 2 * N_ROWS)
    pairs = evaluator(BINARY, rows).cuts(models, near=0.5)
    assert [cut.value for cut in pairs if cut] == [cut.value for cut in whole if cut]
    assert len(whole) == len(pairs) == N_MODELS


def test_a_model_that_diverged_has_no_cut() -> None:
    models = parameters(1)
    models.weight[0, 0, 2] = np.nan
    cuts = evaluator(BINARY, channel(2)).cuts(models, near=0.5)
    assert [cut is None for cut in cuts] == [False, False, True, False, False, False]


def test_the_objective_counts_weights_without_dividing_by_their_sum() -> None:
    rows = channel(2)
    model = Model("binary_classifier", "logistic", np.zeros((N_FEATURES, 1), np.float32), np.zeros(1, np.float32))
    weights = RowWeights(np.array([[1], [3]], np.float32))
    score = end_scores(
        model, Scored(model, rows), loss=losses.make(BINARY), hyperparameters=BINARY, row_weights=weights
    )[0]
    positives = rows.labels.mean()
    assert score.value == pytest.approx(np.log(2) * (1 + 2 * positives), rel=1e-5)


def test_a_regressors_end_scores_are_its_objective_and_five_errors() -> None:
    hp = parse({"predictor_type": "regressor", "loss": "quantile_loss", "quantile": "0.9", "mini_batch_size": "5"})
    rows = channel(7)
    model = Model("regressor", "quantile_loss", np.zeros((N_FEATURES, 1), np.float32), np.full(1, 3, np.float32))
    scores = end_scores(model, Scored(model, rows), loss=losses.make(hp), hyperparameters=hp, row_weights=None)
    error = 3 - rows.labels.astype(np.float64)
    expected = {
        "quantile_loss_objective": np.where(error < 0, -0.9 * error, 0.1 * error).mean(),
        "mse": (error**2).mean(),
        "absolute_loss": np.abs(error).mean(),
        "rmse": np.sqrt((error**2).mean()),
        "r2": 1 - (error**2).mean() / rows.labels.astype(np.float64).var(),
        "mae": np.abs(error).mean(),
    }
    assert {score.name: score.value for score in scores} == pytest.approx(expected, rel=1e-6)
    assert {score.tag for score in scores} == {"loss"}


OBJECTIVE = Score("objective", 1.5, "loss")

binary_rows = st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=2, max_size=60)


@settings(max_examples=100, deadline=None)
@given(binary_rows, st.floats(0.1, 5))
def test_the_scores_of_a_binary_classifier_are_scikit_learns(rows: list[tuple[bool, int]], beta: float) -> None:
    labels = np.array([label for label, _ in rows], np.float32)
    scores = np.array([score for _, score in rows], np.float32)
    predicted = scores >= 5
    values = [score.value for score in binary_scores(labels, scores, threshold=5, objective=OBJECTIVE, f_beta=beta)]
    # The container takes a score for a classifier's raw score, although it is a probability.
    as_probability = 1 / (1 + np.exp(-scores.astype(np.float64)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = sk.balanced_accuracy_score(labels, scores > 0)
    assert [*values[1:5], *values[6:]] == pytest.approx(
        [
            sk.accuracy_score(labels, predicted),
            sk.fbeta_score(labels, predicted, beta=beta, zero_division=0),
            sk.precision_score(labels, predicted, zero_division=0),
            sk.recall_score(labels, predicted, zero_division=0),
            balanced,
            sk.log_loss(labels, as_probability, labels=[0, 1]),
        ]
    )


@settings(max_examples=100, deadline=None)
@given(binary_rows)
def test_the_area_under_the_curve_is_scikit_learns_ties_included(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows]) / 10
    if labels.all() or not labels.any():
        assert math.isnan(roc_auc(labels, scores))
    else:
        assert roc_auc(labels, scores) == pytest.approx(sk.roc_auc_score(labels, scores))


def test_binary_scores_come_in_the_logs_order_and_count_a_score_at_the_threshold_as_positive() -> None:
    labels = np.array([0, 0, 1, 1], np.float32)
    scores = np.array([0.1, 0.5, 0.7, 0.9], np.float32)
    found = binary_scores(labels, scores, threshold=0.5, objective=OBJECTIVE, f_beta=1.0)
    assert [(score.name, score.tag) for score in found] == [
        ("objective", "loss"),
        ("binary_classification_accuracy", "score"),
        ("binary_f_1.000", "score"),
        ("precision", "score"),
        ("recall", "score"),
        ("roc_auc_score", "score"),
        ("binary_balanced_accuracy", "score"),
        ("binary_log_loss", "score"),
    ]
    assert [score.value for score in found[:-1]] == [1.5, 0.75, 0.8, 2 / 3, 1.0, 1.0, 0.5]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 50), st.floats(-100, 100, width=32)), min_size=2, max_size=60))
def test_the_newer_scores_of_a_regressor_are_scikit_learns(rows: list[tuple[int, float]]) -> None:
    labels, predictions = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    mse = float(sk.mean_squared_error(labels, predictions))
    found = regressor_scores(labels, predictions, objective=OBJECTIVE, mse=mse, absolute_loss=0.25)
    assert [(score.name, score.tag) for score in found] == [
        (name, "loss") for name in ("objective", "mse", "absolute_loss", "rmse", "r2", "mae")
    ]
    values = {score.name: score.value for score in found}
    assert (values["mse"], values["absolute_loss"]) == (mse, 0.25)
    wide = labels.astype(np.float64), predictions.astype(np.float64)
    expected = (sk.root_mean_squared_error(*wide), sk.r2_score(*wide), sk.mean_absolute_error(*wide))
    assert (values["rmse"], values["r2"], values["mae"]) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_multiclass_scores_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(4), rng.integers(0, 4, 80)]).astype(np.float32)
    probabilities = rng.dirichlet(np.ones(4), len(labels)).astype(np.float32)
    found = multiclass_scores(labels, probabilities, objective=OBJECTIVE, f_beta=1.0, top_k=2)
    predicted = probabilities.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "objective": 1.5,
            "multiclass_accuracy": sk.accuracy_score(labels, predicted),
            "multiclass_top_k_accuracy_2": sk.top_k_accuracy_score(labels, probabilities, k=2),
            "dcg": sk.dcg_score(np.eye(4)[labels.astype(int)], probabilities),
            "macro_recall": sk.balanced_accuracy_score(labels, predicted),
            "macro_precision": sk.precision_score(labels, predicted, average="macro", zero_division=np.nan),
            "macro_f_1.000": sk.f1_score(labels, predicted, average="macro"),
            "multiclass_balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
            "multiclass_log_loss": sk.log_loss(labels, softmax(probabilities.astype(np.float64), axis=1)),
        }
    assert [score.name for score in found] == list(expected)
    values = {score.name: score.value for score in found}
    if len(set(predicted)) == 4:
        assert values == pytest.approx(expected)


def test_a_real_jobs_macro_recall_is_its_balanced_accuracy_in_float32() -> None:
    # A job of July 2024 logged .9270477294921875 for the first and .9270477490089298 for the second.
    labels = np.repeat([0, 1, 2], [7, 11, 13]).astype(np.float32)
    probabilities = np.eye(3, dtype=np.float32)[np.roll(labels, 2).astype(int)]
    values = {
        score.name: score
        for score in multiclass_scores(labels, probabilities, objective=OBJECTIVE, f_beta=1.0, top_k=3)
    }
    macro, balanced = values["macro_recall"], values["multiclass_balanced_accuracy"]
    assert macro.value == float(np.float32(balanced.value)) != balanced.value
    assert {name for name, score in values.items() if score.is_float32} == {
        "macro_recall",
        "macro_precision",
        "macro_f_1.000",
    }


def test_macro_precision_is_nan_for_a_class_that_is_never_predicted() -> None:
    labels = np.array([0, 1, 2], np.float32)
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]], np.float32)
    values = {
        score.name: score.value
        for score in multiclass_scores(labels, probabilities, objective=OBJECTIVE, f_beta=1.0, top_k=3)
    }
    assert math.isnan(values["macro_precision"])
    assert values["macro_recall"] == pytest.approx(2 / 3)
    assert values["multiclass_top_k_accuracy_3"] == 1.0
