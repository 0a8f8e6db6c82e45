from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.metrics import METRICS, BinaryScores
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
    predicted = scores > threshold
    got = binary_scores(labels, predicted, scores)

    assert got.n == labels.size == got.tp + got.fp + got.fn + got.tn
    assert [[got.tn, got.fp], [got.fn, got.tp]] == reference.confusion_matrix(labels, predicted, labels=[0, 1]).tolist()
    assert got["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted), abs=1e-12)
    assert got["mae"] == pytest.approx(reference.mean_absolute_error(labels, scores), abs=1e-12)

    defined = {
        "precision": (predicted.any(), lambda: reference.precision_score(labels, predicted)),
        "recall": (labels.any(), lambda: reference.recall_score(labels, predicted)),
        "f1": (labels.any() or predicted.any(), lambda: reference.f1_score(labels, predicted)),
        "roc_auc": (np.unique(labels).size == 2, lambda: reference.roc_auc_score(labels, scores)),
        "average_precision": (labels.any(), lambda: reference.average_precision_score(labels, scores)),
    }
    for name, (is_defined, expected) in defined.items():
        value = got[name]
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
    precision, recall, _ = reference.precision_recall_curve(labels, scores)
    np.testing.assert_allclose(curve.x, recall[::-1], atol=1e-12)
    np.testing.assert_allclose(curve.y[1:], precision[-2::-1], atol=1e-12)


def test_the_order_of_the_rows_changes_no_score():
    rng = np.random.default_rng(3)
    labels, scores = rng.random(500) < 0.2, rng.integers(0, 4, 500) / 4
    order = rng.permutation(500)
    one, other = (binary_scores(labels[rows], scores[rows] > 0.5, scores[rows]) for rows in (order, slice(None)))
    assert one.to_json() == other.to_json()


def test_given_predictions_decide_the_classes_and_scores_the_ranking():
    got = binary_scores([0, 1, 1, 0], [0, 1, 1, 0], [0.1, 0.2, 0.3, 0.05])
    assert (got["accuracy"], got["f1"], got["roc_auc"]) == (1.0, 1.0, 1.0)


def test_a_hard_rule_has_classes_but_no_ranking():
    got = binary_scores([0, 1, 1, 0], [False, True, False, False])
    assert (got["precision"], got["recall"], got["mae"]) == (1.0, 0.5, 0.25)
    assert got["roc_auc"] is None
    assert got.undefined["average_precision"] == "a hard rule has no scores"


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
        binary_scores(labels, np.zeros(len(labels)), scores)
    assert says in caught.value.what
    assert caught.value.hint


def test_predictions_of_another_length_are_refused():
    with pytest.raises(DataError, match="2 labels and 3 predictions"):
        binary_scores([0, 1], [0, 1, 1], [0.5, 0.5])


def test_scores_survive_json_and_a_metric_that_an_older_version_did_not_store_is_undefined_with_a_reason():
    stored = json.loads(json.dumps(binary_scores([0, 1], [0, 1], [0.2, 0.7]).to_json()))
    assert BinaryScores.from_json(stored).to_json() == stored
    del stored["f1"]
    older = BinaryScores.from_json({**stored, "a metric of a newer version": 1.0})
    assert older["f1"] is None
    assert older.undefined["f1"].startswith("not computed by the version")
    assert older.values.keys() == {metric.key for metric in METRICS}
