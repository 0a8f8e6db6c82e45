from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.metrics import baselines, binary_scores, scoreboard
from asteroid_ll.evaluation.ranking import precision_recall_curve, roc_curve

ROWS = st.lists(
    st.tuples(st.booleans(), st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(-5, 5))),
    min_size=1,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, threshold=st.sampled_from([-1.0, 0.25, 0.5, 0.75]))
def test_every_defined_score_equals_scikit_learns_and_every_other_has_a_reason(rows, threshold):
    labels, scores = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    got = binary_scores(labels, scores, threshold=threshold)
    predicted = scores > threshold

    assert got.n == labels.size == got.tp + got.fp + got.fn + got.tn
    assert [[got.tn, got.fp], [got.fn, got.tp]] == reference.confusion_matrix(labels, predicted, labels=[0, 1]).tolist()
    assert got.accuracy == pytest.approx(reference.accuracy_score(labels, predicted), abs=1e-12)
    assert got.mae == pytest.approx(reference.mean_absolute_error(labels, scores), abs=1e-12)

    defined = {
        "precision": (predicted.any(), lambda: reference.precision_score(labels, predicted)),
        "recall": (labels.any(), lambda: reference.recall_score(labels, predicted)),
        "f1": (labels.any() or predicted.any(), lambda: reference.f1_score(labels, predicted)),
        "roc_auc": (np.unique(labels).size == 2, lambda: reference.roc_auc_score(labels, scores)),
        "average_precision": (labels.any(), lambda: reference.average_precision_score(labels, scores)),
    }
    for name, (is_defined, expected) in defined.items():
        value = getattr(got, name)
        assert (value is None) == (name in got.undefined) == (not is_defined), name
        if value is not None:
            assert value == pytest.approx(expected(), abs=1e-12), name


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_curves_equal_scikit_learns_on_many_rows_with_few_and_many_ties(decimals):
    rng = np.random.default_rng(decimals)
    labels = rng.random(20_000) < 0.06
    scores = np.round(rng.normal(labels * 1.5), decimals)

    roc = roc_curve(labels, scores)
    x, y, _ = reference.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc.x, x, atol=1e-12)
    np.testing.assert_allclose(roc.y, y, atol=1e-12)

    curve = precision_recall_curve(labels, scores)
    precision, recall, thresholds = reference.precision_recall_curve(labels, scores)
    np.testing.assert_allclose(curve.x, recall[::-1], atol=1e-12)
    np.testing.assert_allclose(curve.y[1:], precision[-2::-1], atol=1e-12)
    np.testing.assert_allclose(curve.thresholds[1:], thresholds[::-1], atol=1e-12)


def test_the_order_of_the_rows_changes_no_score():
    rng = np.random.default_rng(3)
    labels, scores = rng.random(500) < 0.2, rng.integers(0, 4, 500) / 4
    order = rng.permutation(500)
    assert binary_scores(labels[order], scores[order]).to_json() == binary_scores(labels, scores).to_json()


def test_a_score_equal_to_the_threshold_is_not_positive():
    assert binary_scores([1, 1], [0.5, 0.5000001]).tp == 1


def test_given_predictions_decide_the_classes_and_scores_the_ranking():
    got = binary_scores([0, 1, 1, 0], [0.1, 0.2, 0.3, 0.05], predicted=[0, 1, 1, 0])
    assert (got.accuracy, got.f1, got.roc_auc) == (1.0, 1.0, 1.0)


def test_a_hard_rule_has_classes_but_no_ranking():
    got = binary_scores([0, 1, 1, 0], None, predicted=[False, True, False, False])
    assert (got.precision, got.recall, got.mae) == (1.0, 0.5, 0.25)
    assert got.roc_auc is None
    assert got.undefined["average_precision"] == "a hard rule does not rank"


@pytest.mark.parametrize(
    ("labels", "scores", "says"),
    [
        ([], [], "shape (0,)"),
        ([0, 1], [0.5], "There are 2 labels"),
        ([0, 2], [0.5, 0.5], "row 1 is 2,"),
        ([0, float("nan")], [0.5, 0.5], "row 1"),
        ([0, 1], [0.5, float("nan")], "score of row 1 is nan"),
        ([0, 1], [float("inf"), 0.5], "score of row 0 is inf"),
    ],
    ids=["empty", "short", "label-2", "label-nan", "score-nan", "score-inf"],
)
def test_damaged_input_is_named_with_its_row(labels, scores, says):
    with pytest.raises(DataError) as caught:
        binary_scores(labels, scores)
    assert says in caught.value.what
    assert caught.value.hint


def test_predictions_of_another_length_are_refused():
    with pytest.raises(DataError, match="2 labels and 3 predictions"):
        binary_scores([0, 1], [0.5, 0.5], predicted=[0, 1, 1])


def test_a_threshold_beside_predictions_and_neither_of_them_are_both_a_callers_error():
    with pytest.raises(ValueError, match="no effect"):
        binary_scores([0, 1], [0.5, 0.5], predicted=[0, 1], threshold=0.2)
    with pytest.raises(ValueError, match="predictions are needed"):
        binary_scores([0, 1], None)


def test_baselines_learn_from_the_train_labels_only():
    rows = {row.name: row.scores for row in baselines([0, 0, 0, 1], [1, 1, 1, 0], rule_predicted=[0, 0, 0, 1])}
    assert list(rows) == ["majority", "median", "rule"]
    assert rows["majority"].accuracy == rows["median"].accuracy == 0.25
    assert rows["majority"].roc_auc == 0.5
    assert rows["rule"].accuracy == 1.0


def test_an_even_train_part_predicts_zero_and_its_median_is_a_half():
    rows = {row.name: row.scores for row in baselines([0, 1], [0, 1])}
    assert list(rows) == ["majority", "median"]
    assert rows["majority"].tp == rows["median"].tp == 0
    assert rows["median"].mae == 0.5


def test_the_scoreboard_is_json_with_the_model_first_and_no_nan():
    board = scoreboard([0, 0], [0.1, 0.2], train_labels=[0, 1, 0], rule_predicted=[0, 0])
    text = json.dumps(board.to_json(), allow_nan=False)
    assert list(json.loads(text)) == ["model", "majority", "median", "rule"]
    assert json.loads(text)["model"]["recall"] is None
    assert json.loads(text)["model"]["undefined"]["recall"] == "no label is positive"
    assert board.model is board.rows[0].scores
    assert board.get("rule").accuracy == 1.0
    assert board.get("nobody") is None
