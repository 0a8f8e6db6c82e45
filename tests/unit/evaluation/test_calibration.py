from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from asteroid_ll.evaluation.calibration import calibrate, wilson_interval


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 97).map(lambda n: n / 97)), min_size=1, max_size=80))
def test_bins_and_brier_score_equal_scikit_learns(rows):
    labels, scores = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    got = calibrate(labels, scores)
    share, mean = calibration_curve(labels, scores, n_bins=10)
    np.testing.assert_allclose([b.positive_share for b in got.bins], share, atol=1e-12)
    np.testing.assert_allclose([b.mean_score for b in got.bins], mean, atol=1e-12)
    assert sum(b.n for b in got.bins) == len(rows)
    assert got.brier == pytest.approx(brier_score_loss(labels, scores, pos_label=1), abs=1e-12)
    weights = np.array([b.n for b in got.bins]) / len(rows)
    assert got.expected_calibration_error == pytest.approx(float(weights @ np.abs(share - mean)), abs=1e-12)
    json.dumps(got.to_json(), allow_nan=False)


def test_calibrated_scores_have_a_small_error_and_random_ones_a_large_one():
    rng = np.random.default_rng(0)
    scores = rng.random(50_000)
    calibrated, unrelated = rng.random(50_000) < scores, rng.random(50_000) < 0.5
    assert calibrate(calibrated, scores).expected_calibration_error < 0.01
    assert calibrate(unrelated, scores).expected_calibration_error > 0.2
    assert calibrate(calibrated, scores).brier < calibrate(calibrated, scores).brier_of_share


def test_a_score_of_one_is_in_the_last_bin():
    assert [(b.low, b.high, b.n) for b in calibrate([1, 1, 0], [1.0, 0.95, 0.0]).bins] == [(0.0, 0.1, 1), (0.9, 1.0, 2)]


@pytest.mark.parametrize("stray", [-0.01, 1.5])
def test_a_score_outside_0_to_1_has_no_calibration(stray):
    assert calibrate([0, 1], [0.5, stray]) is None


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_wilson_interval_has_the_shares_whose_score_test_does_not_reject_the_count(counts):
    n_positive, n = counts
    low, high = wilson_interval(n_positive, n)
    assert 0 <= low <= n_positive / n <= high <= 1
    for end in {low, high} - {0.0, 1.0}:
        z = (n_positive / n - end) / math.sqrt(end * (1 - end) / n)
        assert abs(z) == pytest.approx(1.96, abs=1e-3)
