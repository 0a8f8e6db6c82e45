"""Whole channels: sums that do not depend on the blocks they are read in, and the end scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner import evaluation, losses
from asteroid_ll.linear_learner.ensemble import Parameters
from asteroid_ll.linear_learner.evaluation import Evaluator, Scored, end_scores, sum_losses
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
