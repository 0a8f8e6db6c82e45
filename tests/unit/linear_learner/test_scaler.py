"""The scaler's float32 moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner import scaler
from asteroid_ll.linear_learner.hosts import ALONE
from asteroid_ll.linear_learner.hyperparameters import ClientError
from asteroid_ll.linear_learner.rows import checked_rows
from asteroid_ll.linear_learner.scaler import Scaler, n_scaler_batches


def fit(features: np.ndarray, labels: np.ndarray | None = None, **settings: int) -> Scaler:
    given_labels = np.zeros(len(features)) if labels is None else labels
    rows = checked_rows("train", features, given_labels, feature_dim=None, hosts=ALONE)
    size = settings.get("mini_batch_size", 10)
    points = settings.get("num_point_for_scaler", 10_000)
    return scaler.fit(rows, mini_batch_size=size, num_point_for_scaler=points, with_label=labels is not None)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_moments_are_those_of_the_full_batches(size: int, n_batches: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.normal(rng.uniform(-5, 5, 3), rng.uniform(0.1, 9, 3), (size * n_batches + size // 2, 3))
    found = fit(data.astype(np.float32), mini_batch_size=size)
    used = data.astype(np.float32)[: size * n_batches].astype(np.float64)
    np.testing.assert_allclose(found.mean_features, used.mean(axis=0), rtol=1e-5, atol=1e-5)
    if len(used) > 1:
        np.testing.assert_allclose(found.std_features, used.std(axis=0), rtol=2e-5)


@pytest.mark.parametrize(
    ("n_rows", "size", "points", "batches"), [(731, 4, 10_000, 182), (50_000, 1000, 10_000, 11), (999, 100, 150, 2)]
)
def test_batches_are_read_until_the_sample_is_exceeded(n_rows: int, size: int, points: int, batches: int) -> None:
    assert n_scaler_batches(n_rows, mini_batch_size=size, num_point_for_scaler=points) == batches


@pytest.mark.parametrize("value", [0.0, 0.1, -1 / 3, 1e6 / 7, 1e-30])
def test_a_constant_column_has_deviation_one_and_its_mean(value: float) -> None:
    features = np.column_stack([np.full(70, value), np.arange(70)]).astype(np.float32)
    found = fit(features, mini_batch_size=7)
    assert found.std_features[0] == 1
    assert found.mean_features[0] == pytest.approx(value, rel=1e-6)


def test_a_constant_label_has_deviation_one() -> None:
    found = fit(np.eye(20, dtype=np.float32), np.full(20, 0.1))
    assert found.std_label == 1


def test_a_classifiers_label_is_not_scaled() -> None:
    found = fit(np.eye(20, dtype=np.float32))
    assert found.mean_label is None
    assert found.std_label is None


def test_reading_in_groups_of_batches_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(1).gamma(2, size=(400, 7)).astype(np.float32)
    whole = fit(data, mini_batch_size=16)
    monkeypatch.setattr(scaler, "_ELEMENTS_AT_ONCE", 3 * 16 * 7)
    grouped = fit(data, mini_batch_size=16)
    np.testing.assert_array_equal(whole.mean_features, grouped.mean_features)
    np.testing.assert_array_equal(whole.std_features, grouped.std_features)


def test_values_whose_squares_overflow_are_refused_by_column() -> None:
    features = np.ones((20, 3), np.float32)
    features[::2, 1] = 1e25
    with pytest.raises(ClientError, match="feature 1 has values"):
        fit(features)
    with pytest.raises(ClientError, match="label 0 has values"):
        fit(np.eye(20, dtype=np.float32), features[:, 1])
