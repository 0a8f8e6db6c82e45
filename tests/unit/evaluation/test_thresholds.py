from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.evaluation import thresholds
from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.thresholds import cheapest_thresholds, threshold_table

ROWS = st.lists(
    st.tuples(st.booleans(), st.one_of(st.sampled_from([0.1, 0.5, 0.9]), st.floats(0, 1))), min_size=1, max_size=40
)


@settings(max_examples=80, deadline=None)
@given(rows=ROWS)
def test_every_row_counts_the_scores_above_its_threshold(rows):
    for row in threshold_table(*zip(*rows, strict=True), thresholds=(0.0, 0.1, 0.5, 0.9, 1.0)):
        above = [label for label, score in rows if score > row.threshold]
        counts = (sum(above), sum(label for label, _ in rows) - sum(above), len(above) - sum(above))
        assert (row.scores.tp, row.scores.fn, row.scores.fp) == counts


@settings(max_examples=80, deadline=None)
@given(rows=ROWS)
def test_no_threshold_is_cheaper_than_the_cheapest_and_its_row_has_its_counts(rows):
    labels, scores = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    others = [binary_scores(labels, scores > threshold) for threshold in (-1.0, *scores)]
    for best in cheapest_thresholds(labels, scores):
        ratio, at_it = best.cost_ratio, binary_scores(labels, scores > best.row.threshold)
        assert best.cost == ratio * at_it.fn + at_it.fp == best.row.cost(ratio)
        assert all(best.cost <= ratio * other.fn + other.fp for other in others)


def test_the_dearer_a_missed_one_the_lower_the_threshold():
    rng = np.random.default_rng(0)
    labels = rng.random(3000) < 0.1
    found = cheapest_thresholds(labels, rng.normal(size=3000) + 2 * labels)
    cuts = [item.row.threshold for item in found]
    assert cuts == sorted(cuts, reverse=True)
    assert cuts[0] > cuts[-1]
    assert [item.cost_ratio for item in found] == list(thresholds.COST_RATIOS)


def test_both_tables_are_json():
    rows, cheapest = threshold_table([0, 0], [0.1, 0.2]), cheapest_thresholds([0, 0], [0.1, 0.2])
    data = json.loads(json.dumps(thresholds.to_json(rows, cheapest), allow_nan=False))
    assert data["thresholds"][0] == {
        "threshold": 0.01,
        "found": 0,
        "missed": 0,
        "false_alarms": 2,
        "precision": 0.0,
        "recall": None,
        "f1": 0.0,
    }
    assert data["cheapest"][0]["row"]["false_alarms"] == 0
