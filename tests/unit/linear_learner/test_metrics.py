"""The end scores against scikit-learn."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from asteroid_ll.linear_learner.metrics import Score, binary_scores, multiclass_scores, roc_auc

OBJECTIVE = Score("objective", 1.5, "loss")

binary_rows = st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=2, max_size=60)


@settings(max_examples=100, deadline=None)
@given(binary_rows, st.floats(0.1, 5))
def test_the_scores_of_a_binary_classifier_are_scikit_learns(rows: list[tuple[bool, int]], beta: float) -> None:
    labels = np.array([label for label, _ in rows], np.float32)
    scores = np.array([score for _, score in rows], np.float32)
    predicted = scores >= 5
    values = [score.value for score in binary_scores(labels, scores, threshold=5, objective=OBJECTIVE, f_beta=beta)]
    assert values[1:5] == pytest.approx(
        [
            sk.accuracy_score(labels, predicted),
            sk.fbeta_score(labels, predicted, beta=beta, zero_division=0),
            sk.precision_score(labels, predicted, zero_division=0),
            sk.recall_score(labels, predicted, zero_division=0),
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
    ]
    assert [score.value for score in found] == [1.5, 0.75, 0.8, 2 / 3, 1.0, 1.0]


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
        }
    assert [score.name for score in found] == list(expected)
    values = {score.name: score.value for score in found}
    if len(set(predicted)) == 4:
        assert values == pytest.approx(expected)


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
