"""The benchmark's measures against brute force, and its predictors on a sky whose rule is known."""

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.evaluation import leaks
from asteroid_ll.evaluation.benchmark import best_f1_threshold, entry, folds_of, known_entries
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.thresholds import recall_at_false_alarms

RNG = np.random.default_rng(3)
LABELS = RNG.random(300) < 0.2
SCORES = np.round(np.where(LABELS, RNG.normal(0.6, 0.2, 300), RNG.normal(0.4, 0.2, 300)), 2)


def f1(labels, predicted):
    return 2 * (labels & predicted).sum() / (labels.sum() + predicted.sum())


@pytest.mark.parametrize("count", [0, 3, 10, 1000])
def test_the_recall_at_a_number_of_alarms_is_the_best_of_all_thresholds(count):
    (found,) = recall_at_false_alarms(LABELS, SCORES, counts=[count])
    hits = [
        (LABELS & (level <= SCORES)).sum()
        for level in [np.inf, *SCORES]
        if (~LABELS & (level <= SCORES)).sum() <= count
    ]
    assert found.found == max(hits)
    assert found.recall == max(hits) / LABELS.sum()


def test_without_hazardous_rows_there_is_no_recall():
    assert recall_at_false_alarms([0, 0], [0.1, 0.2], counts=[1])[0].recall is None


def test_the_best_threshold_has_the_best_f1_of_all_scores():
    threshold = best_f1_threshold(LABELS, SCORES)
    assert f1(LABELS, threshold <= SCORES) == max(f1(LABELS, level <= SCORES) for level in SCORES)


@pytest.fixture
def sky():
    """Two asteroids on each side of both limits, twice with a flag that contradicts the rule."""
    return pd.DataFrame(
        {
            "asteroid_id": list("abcdef"),
            "absolute_magnitude_mag": [22.0, 22.1, 20.0, 20.0, 20.0, 21.0],
            "moid_au": [0.05, 0.01, 0.0509, 0.01, 0.03, 0.2],
            "hazardous": [True, False, True, True, False, False],
        }
    )


def test_the_rule_and_the_moid_alone_are_scored_by_hand(sky):
    majority, moid, rule = known_entries(sky)
    assert (majority.scores.tp, majority.scores.n_errors) == (0, 3)
    assert (moid.scores.tp, moid.scores.fp, moid.scores.fn, moid.scores.tn) == (2, 2, 1, 1)
    assert (rule.scores.tp, rule.scores.fp, rule.scores.fn, rule.scores.tn) == (2, 1, 1, 2)
    assert rule.recall_at_alarms is None


def test_the_contradictions_are_counted_with_the_farthest_first(sky):
    found = leaks.contradictions(sky)
    assert (found.n, found.n_flagged, found.n_near) == (2, 1, 1)
    assert found.farthest == ("e", "c")


def test_the_folds_are_disjoint_and_every_asteroid_is_tested_once():
    table = pd.DataFrame({"asteroid_id": [str(number) for number in range(50)]})
    tested = np.concatenate([split.test for split in folds_of(table)])
    assert sorted(tested) == list(range(50))


def test_reaching_the_rule_means_at_least_its_f1():
    found = leaks.Seeds((0.9, 0.8, 0.95), (0.9, 0.85, 0.9))
    assert found.n_reached == 2
    assert found.to_json()["deviation_f1"] == pytest.approx(np.std([0.9, 0.8, 0.95], ddof=1))


def test_an_entry_has_every_measure_in_json():
    found = entry("mine", "Mine", LABELS, Predictions(SCORES > 0.5, SCORES)).to_json()
    assert found["recall_at_100_alarms"] == recall_at_false_alarms(LABELS, SCORES, counts=[100])[0].recall
    assert found["f1"] == pytest.approx(f1(LABELS, SCORES > 0.5))
