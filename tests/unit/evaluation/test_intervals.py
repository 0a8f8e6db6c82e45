from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation import intervals
from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.intervals import bootstrap
from asteroid_ll.evaluation.metrics import interval_metrics
from asteroid_ll.evaluation.resamples import Predictions

KEYS = [metric.key for metric in interval_metrics()]

ROWS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.integers(0, 9)), min_size=1, max_size=50
)


def _drawn_rows(groups, *, n_replicates, seed):
    """The rows of each replicate, spelled out: draw as many asteroids as there are, and take all their rows."""
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    by_first_row = np.argsort(first)
    rank = np.empty(first.size, dtype=int)
    rank[by_first_row] = np.arange(first.size)
    rows_of = [np.flatnonzero(rank[number] == group) for group in range(first.size)]
    drawn = np.random.default_rng(seed).integers(0, first.size, size=(n_replicates, first.size))
    return [np.concatenate([rows_of[group] for group in replicate]) for replicate in drawn]


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 5))
def test_every_replicate_equals_the_scores_of_its_rows_spelled_out(rows, seed):
    labels, scores, groups = (np.array(column) for column in zip(*rows, strict=True))
    found = bootstrap(labels, {"model": Predictions(scores > 0.5, scores)}, groups=groups, n_replicates=7, seed=seed)
    for number, chosen in enumerate(_drawn_rows(groups, n_replicates=7, seed=seed)):
        expected = binary_scores(labels[chosen], scores[chosen] > 0.5, scores[chosen])
        for metric in KEYS:
            value = found["model"][metric][number]
            assert np.isnan(value) if expected[metric] is None else value == pytest.approx(expected[metric], abs=1e-12)


def test_the_interval_of_independent_rows_is_that_of_the_binomial():
    rng = np.random.default_rng(0)
    labels = rng.random(5000) < 0.5
    wrong = rng.random(5000) < 0.1
    found = bootstrap(labels, {"model": Predictions(labels ^ wrong)}, groups=np.arange(5000))
    got = intervals.interval(found["model"]["accuracy"])
    error = 1.96 * np.sqrt(wrong.mean() * (1 - wrong.mean()) / 5000)
    assert got.low == pytest.approx(1 - wrong.mean() - error, abs=0.002)
    assert got.high == pytest.approx(1 - wrong.mean() + error, abs=0.002)


def test_rows_of_one_asteroid_count_as_one_piece_of_evidence():
    rng = np.random.default_rng(1)
    labels, wrong = np.repeat(rng.random(300) < 0.5, 10), np.repeat(rng.random(300) < 0.2, 10)
    widths = []
    for groups in (np.arange(3000), np.repeat(np.arange(300), 10)):
        found = intervals.interval(
            bootstrap(labels, {"m": Predictions(labels ^ wrong)}, groups=groups)["m"]["accuracy"]
        )
        widths.append(found.high - found.low)
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(10), rel=0.15)


def test_names_of_asteroids_and_the_size_of_a_block_change_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    labels, scores, groups = rng.random(400) < 0.2, rng.random(400), rng.integers(0, 90, 400)
    answers = {"model": Predictions(scores > 0.5, scores)}
    one = bootstrap(labels, answers, groups=groups, n_replicates=50)
    named = bootstrap(labels, answers, groups=[f"asteroid {200 - group}" for group in groups], n_replicates=50)
    monkeypatch.setattr(intervals, "_ELEMENTS_AT_ONCE", 400 * 7)
    in_blocks = bootstrap(labels, answers, groups=groups, n_replicates=50)
    for metric in KEYS:
        np.testing.assert_array_equal(one["model"][metric], named["model"][metric])
        np.testing.assert_allclose(one["model"][metric], in_blocks["model"][metric], rtol=1e-12)


def test_two_predictors_are_compared_on_the_same_resamples():
    rng = np.random.default_rng(3)
    labels = rng.random(300) < 0.3
    answers = {"model": Predictions(labels, labels * 1.0), "rule": Predictions(labels)}
    data = intervals.to_json(bootstrap(labels, answers, groups=np.arange(300), n_replicates=100))
    assert data["model_minus_rule"]["f1"] == {"low": 0.0, "high": 0.0}
    assert "roc_auc" not in data["model_minus_rule"]
    assert "roc_auc" not in data["scores"]["rule"]
    assert data["scores"]["model"]["roc_auc"] == {"low": 1.0, "high": 1.0}


def test_a_score_that_no_replicate_has_is_none_and_the_rest_is_json():
    data = intervals.to_json(bootstrap([0, 0, 0], {"m": Predictions([0, 0, 0], [0.1, 0.2, 0.3])}, groups=[1, 2, 3]))
    scores = json.loads(json.dumps(data, allow_nan=False))["scores"]["m"]
    assert list(scores) == KEYS
    assert scores["accuracy"] == {"low": 1.0, "high": 1.0}
    assert {scores[key] for key in ("precision", "recall", "f1", "roc_auc", "average_precision")} == {None}


@pytest.mark.parametrize(
    ("labels", "predicted", "groups", "says"),
    [
        ([], [], [], "shape (0,)"),
        ([0, 1], [0], ["a", "b"], "2 labels and 1 predictions"),
        ([0, 1], [0, 1], ["a"], "identities of shape (1,)"),
    ],
    ids=["empty", "short-predictions", "short-identities"],
)
def test_columns_of_different_lengths_are_refused(labels, predicted, groups, says):
    with pytest.raises(DataError) as caught:
        bootstrap(labels, {"m": Predictions(predicted)}, groups=groups)
    assert says in caught.value.what
