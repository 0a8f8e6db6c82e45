from __future__ import annotations

import numpy as np

from asteroid_ll.evaluation.baselines import scoreboard
from asteroid_ll.evaluation.findings import Facts, findings
from asteroid_ll.evaluation.resamples import Predictions


def _board(*, tp, fp, fn, tn, rule_right=True):
    """A scoreboard whose model has exactly these counts."""
    labels = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
    predicted = np.repeat([1, 1, 0, 0], [tp, fp, fn, tn])
    rule = labels if rule_right else 1 - labels
    predictions = Predictions(predicted, predicted * 0.6 + 0.2)
    return scoreboard(labels, predictions, train_labels=[0, 0, 0, 0, 1], predicted_by_rule=rule)


def _named(facts):
    return {finding.name: finding for finding in findings(facts)}


def test_the_tutorials_model_is_explained_by_its_loss_its_columns_and_its_split():
    facts = Facts(
        _board(tp=2, fp=1, fn=80, tn=380),
        predictor_type="regressor",
        loss="absolute_loss",
        train_positive_share=0.161,
        feature_set="raw",
        label_inputs=("H", "MOID"),
        redundant_columns=12,
        shared_test_share=0.214,
    )
    found = _named(facts)
    assert "conditional median" in found["conditional-median"].text
    assert "16.1 % of the train labels are 1, so the median is 0" in found["conditional-median"].text
    assert "is only 0.22 points above" in found["no-gain-over-majority"].text
    assert "82.5 %" in found["no-gain-over-majority"].text
    assert "no-gain-over-median" in found
    assert "12 of the columns only repeat another one" in found["not-linear"].text
    assert "21.4 % of the test rows" in found["shared-asteroids"].text
    assert found["few-positives"].text.startswith("The test part has only 82 hazardous rows")
    levels = [finding.level for finding in findings(facts)]
    assert levels == sorted(levels, key=lambda level: level != "warning")


def test_a_good_model_is_set_against_the_rule_that_its_features_hold():
    facts = Facts(
        _board(tp=380, fp=3, fn=5, tn=5600),
        predictor_type="binary_classifier",
        loss="logistic",
        train_positive_share=0.06,
        feature_set="spline",
        label_inputs=("H", "MOID"),
    )
    found = _named(facts)
    assert list(found) == ["gain-over-majority", "against-rule", "rule-inside-features", "rare-class"]
    assert "wrong on 8 of 5,988 test rows" in found["gain-over-majority"].text
    assert "is wrong on 385" in found["gain-over-majority"].text
    assert "The model is below it with F1 0.9896 and 8 errors" in found["against-rule"].text
    assert {finding.level for finding in found.values()} == {"note"}


def test_features_without_the_labels_inputs_are_not_called_a_known_rule():
    facts = Facts(_board(tp=150, fp=50, fn=50, tn=500), "binary_classifier", "logistic", 0.2, "no-label-inputs")
    assert "rule-inside-features" not in _named(facts)
    assert "not-linear" not in _named(facts)


def test_half_a_point_of_accuracy_does_not_count_as_a_gain_and_more_does():
    common = ("binary_classifier", "logistic", 0.2, "spline")
    at_the_limit = _board(tp=5, fp=0, fn=195, tn=800)
    above = _board(tp=6, fp=0, fn=194, tn=800)
    assert "no-gain-over-majority" in _named(Facts(at_the_limit, *common))
    assert "gain-over-majority" in _named(Facts(above, *common))


def test_the_missed_rows_of_a_model_that_finds_nothing_are_counted():
    facts = Facts(_board(tp=0, fp=0, fn=120, tn=900), "binary_classifier", "logistic", 0.1, "clean")
    found = _named(facts)
    assert "misses all 120" in found["nothing-predicted"].text
    assert "is not better than" in found["no-gain-over-majority"].text
    assert "precision: nothing is predicted positive" in found["undefined"].text


def test_a_good_ranking_with_a_high_threshold_is_distinguished_from_a_bad_model():
    labels = np.repeat([0, 1], [900, 100])
    scores = np.linspace(0, 1, 1000)
    predictions = Predictions(scores > 0.97, scores)
    board = scoreboard(labels, predictions, train_labels=labels, predicted_by_rule=labels)
    found = _named(Facts(board, "binary_classifier", "logistic", 0.1, "spline"))
    assert "ROC AUC 1.000" in found["threshold-too-high"].text
    assert "nothing-predicted" not in found


def test_a_label_that_is_mostly_one_has_a_median_of_one():
    facts = Facts(_board(tp=700, fp=200, fn=50, tn=50), "regressor", "absolute_loss", 0.75, "spline")
    text = _named(facts)["conditional-median"].text
    assert "25.0 % of the train labels are 0, so the median is 1" in text


def test_a_rule_that_is_worse_than_the_model_is_exceeded():
    facts = Facts(
        _board(tp=190, fp=10, fn=10, tn=790, rule_right=False), "binary_classifier", "logistic", 0.2, "spline"
    )
    assert "The model exceeds it" in _named(facts)["against-rule"].text


def test_a_tiny_share_is_not_rounded_to_nothing():
    facts = Facts(
        _board(tp=190, fp=10, fn=10, tn=790), "binary_classifier", "logistic", 0.2, "spline", shared_test_share=0.0001
    )
    assert _named(facts)["shared-asteroids"].text.startswith("under 0.1 %")
