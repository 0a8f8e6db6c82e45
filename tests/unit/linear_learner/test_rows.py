"""Channels in blocks: checked, never copied whole, standardised the same with and without a kept copy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner import rows as module
from asteroid_ll.linear_learner.hosts import ALONE
from asteroid_ll.linear_learner.hyperparameters import ClientError
from asteroid_ll.linear_learner.rows import Standardised, checked_rows


def test_a_float32_view_is_read_without_a_copy() -> None:
    frames = np.zeros((20, 40), np.uint8)
    features = frames[:, 8:32].view(np.float32)
    labels = frames[:, 36:40].view(np.float32)
    rows = checked_rows("train", features, labels, feature_dim=6, hosts=ALONE)
    assert np.shares_memory(rows.block(3, 9), frames)
    assert rows.labels.shape == (20,)


@pytest.mark.parametrize("form", [np.array, list, lambda x: x.astype(np.int16), lambda x: x[::-1][::-1]])
def test_anything_numeric_is_read_as_float32(form: object) -> None:
    values = np.arange(12.0).reshape(4, 3)
    rows = checked_rows("train", form(values), [0, 1, 2, 3], feature_dim=None, hosts=ALONE)  # type: ignore[operator]
    np.testing.assert_array_equal(rows.block(1, 3), values[1:3])
    assert rows.block(0, 4).dtype == np.float32
    assert (len(rows), rows.feature_dim) == (4, 3)


@pytest.mark.parametrize(
    ("features", "labels", "says"),
    [
        (np.ones((4, 2)), np.ones(3), "features of shape (4, 2) and labels of shape (3,)"),
        (np.ones(4), np.ones(4), "features of shape (4,)"),
        (np.ones((0, 2)), np.ones(0), "has no data"),
        (np.ones((2, 0)), np.ones(2), "has no data"),
        ([[1, 2], [3]], [0, 1], "rows of different lengths"),
        ([["a", "b"]], [0], "values of type <U1"),
        ([[1.0, np.nan], [np.inf, 1.0]], [0, 1], "record 0, feature 1"),
        ([[1.0, 2.0], [1e39, 1.0]], [0, 1], "record 1, feature 0"),
        ([[1.0], [2.0]], [0, -np.inf], "a label that is NaN, infinite or beyond float32 in record 1"),
    ],
    ids=["lengths", "vector", "no-rows", "no-columns", "ragged", "text", "nan", "beyond-float32", "label"],
)
def test_a_channel_that_cannot_be_learned_from_is_refused(features: object, labels: object, says: str) -> None:
    with pytest.raises(ClientError) as caught:
        checked_rows("validation", features, labels, feature_dim=None, hosts=ALONE)
    assert says in str(caught.value)
    assert "'validation'" in str(caught.value)


def test_another_width_than_promised_is_refused_in_the_containers_words() -> None:
    with pytest.raises(ClientError, match="cannot copy sequence with size 785 to array axis with dimension 784"):
        checked_rows("train", np.ones((2, 785)), np.ones(2), feature_dim=784, hosts=ALONE)


@pytest.mark.parametrize("layout", [scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_array])
def test_sparse_rows_become_dense_a_block_at_a_time(layout: type) -> None:
    dense = np.random.default_rng(0).poisson(0.3, (30, 8)).astype(np.float32)
    rows = checked_rows("train", layout(dense), np.zeros(30), feature_dim=8, hosts=ALONE)
    assert rows.is_sparse
    np.testing.assert_array_equal(rows.block(4, 21), dense[4:21])


def standardised(block_rows: int = 10) -> tuple[Standardised, np.ndarray]:
    values = np.random.default_rng(2).normal(3, 5, (40, 4)).astype(np.float32)
    rows = checked_rows("train", values, np.zeros(40), feature_dim=4, hosts=ALONE)
    mean, std = values.mean(axis=0), values.std(axis=0)
    data = Standardised(rows, n_rows=35, mean=mean, std=std, with_ones=True, block_rows=block_rows)
    return data, np.column_stack([(values - mean) / std, np.ones(40, np.float32)])


def test_standardised_blocks_end_in_a_column_of_ones() -> None:
    data, expected = standardised()
    for _ in range(2):
        for start, stop in ((0, 10), (10, 20), (20, 30), (30, 35)):
            np.testing.assert_array_equal(data.block(start, stop), expected[start:stop])


def test_without_room_for_a_copy_each_block_is_standardised_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_COPY_BYTES", 0)
    data, expected = standardised()
    for start, stop in ((0, 10), (30, 35), (10, 20), (0, 10)):
        np.testing.assert_array_equal(data.block(start, stop), expected[start:stop])


def test_rows_are_left_as_they_are_without_mean_and_deviation() -> None:
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    rows = checked_rows("train", values, np.zeros(3), feature_dim=2, hosts=ALONE)
    data = Standardised(rows, n_rows=3, mean=None, std=None, with_ones=False, block_rows=3)
    np.testing.assert_array_equal(data.block(0, 3), values)


@pytest.mark.parametrize("share", [0.01, 0.3], ids=["few-values", "many-values"])
def test_a_block_of_sparse_rows_has_nothing_of_the_block_before(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_SPARSE_COPY_BYTES", 0)
    rng = np.random.default_rng(3)
    dense = np.where(rng.random((70, 60)) < share, rng.normal(size=(70, 60)), 0).astype(np.float32)
    mean, std = rng.normal(size=(2, 60)).astype(np.float32)
    rows = checked_rows("train", CsrMatrix.from_dense(dense), np.ones(70), feature_dim=60, hosts=ALONE)
    data = Standardised(rows, n_rows=70, mean=mean, std=std, with_ones=True, block_rows=20)
    for start, stop in [(0, 20), (20, 40), (40, 60), (60, 70), (0, 20), (20, 40)]:
        expected = np.hstack([(dense[start:stop] - mean) / std, np.ones((stop - start, 1), np.float32)])
        np.testing.assert_array_equal(data.block(start, stop), expected)
