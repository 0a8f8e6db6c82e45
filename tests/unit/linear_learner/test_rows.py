"""Channels in blocks: checked, never copied whole, standardised the same with and without a kept copy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from asteroid_ll.formats import sparse
from asteroid_ll.formats.shards import write_shards
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner import rows as module
from asteroid_ll.linear_learner.hosts import ALONE
from asteroid_ll.linear_learner.hyperparameters import ClientError
from asteroid_ll.linear_learner.rows import Standardised, checked_rows, read_channel


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


FEATURES = np.arange(12, dtype=np.float32).reshape(4, 3)
LABELS = np.array([0, 1, 1, 0], np.float32)


@pytest.fixture
def train(tmp_path):
    directory = tmp_path / "train"
    directory.mkdir()
    return directory


def write_csv(path, features=FEATURES, labels=LABELS):
    path.write_text(
        "".join(f"{label:g},{','.join(map(str, row))}\n" for row, label in zip(features, labels, strict=True))
    )


def test_one_recordio_file_is_views_of_the_mapped_file(train):
    write_shards(train, "part", lambda *_: [(FEATURES, LABELS)], n_rows=len(FEATURES), n_shards=1)
    channel = read_channel(train)
    assert (channel.name, channel.n_record_bytes) == ("train", 4 * 56)
    assert np.array_equal(channel.features, FEATURES)
    assert np.array_equal(channel.labels, LABELS)
    assert not channel.features.flags.owndata
    assert channel.features.strides == (56, 4)


@pytest.mark.parametrize("content_type", [None, "application/x-recordio-protobuf"])
def test_several_recordio_files_are_read_in_the_order_of_their_names(train, content_type):
    write_shards(
        train,
        "part",
        lambda start, stop: [(FEATURES[start:stop], LABELS[start:stop])],
        n_rows=len(FEATURES),
        n_shards=3,
    )
    (train / "part-00003.pbr").write_bytes(b"")
    channel = read_channel(train, content_type=content_type)
    assert np.array_equal(channel.features, FEATURES)
    assert np.array_equal(channel.labels, LABELS)


@pytest.mark.parametrize("content_type", ["text/csv", "text/csv;label_size=1", "text/csv; charset=utf-8; label_size=1"])
def test_csv_has_its_label_in_the_first_column(train, content_type):
    (train / "deep").mkdir()
    write_csv(train / "deep" / "b.csv", FEATURES[2:], LABELS[2:])
    write_csv(train / "a.csv", FEATURES[:2], LABELS[:2])
    write_csv(train / "c.csv", FEATURES[:0], LABELS[:0])
    channel = read_channel(train, content_type=content_type, batch_rows=1)
    assert np.array_equal(channel.features, FEATURES)
    assert np.array_equal(channel.labels, LABELS)
    assert channel.n_record_bytes is None


def test_csv_that_does_not_parse_is_named_by_batch_and_file_as_the_container_does(train):
    write_csv(train / "part-00000")
    with (train / "part-00000").open("a") as file:
        file.write("label,h\n")
    with pytest.raises(ClientError) as caught:
        read_channel(train, content_type="text/csv", batch_rows=1000)
    assert caught.value.what == "Unable to parse csv: rows 1-1000, file /opt/ml/input/data/train/part-00000"
    with pytest.raises(ClientError, match="rows 5-6, file"):
        read_channel(train, content_type="text/csv", batch_rows=2)


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("csv", r"^No iterator has been registered for ContentType \('csv', '1\.0'\)"),
        ("application/json", "No iterator has been registered"),
        ("text/csv;label_size=0", "label_size=1 for training, not 0"),
    ],
)
def test_another_content_type_is_refused(train, content_type, says):
    with pytest.raises(ClientError, match=says):
        read_channel(train, content_type=content_type)


def test_files_of_different_width_are_refused_in_the_containers_words(train):
    for name, width in (("a", 784), ("b", 785)):
        write_shards(
            train,
            name,
            lambda *_, n=width: [(np.ones((1, n), np.float32), np.ones(1))],
            n_rows=1,
            n_shards=1,
        )
    with pytest.raises(ClientError, match="cannot copy sequence with size 785 to array axis with dimension 784"):
        read_channel(train)


def test_rows_of_different_width_in_two_batches_of_csv_are_refused(train):
    (train / "x").write_text("0,1\n0,1,2\n")
    with pytest.raises(ClientError, match="size 2 to array axis with dimension 1"):
        read_channel(train, content_type="text/csv", batch_rows=1)


def test_a_channel_without_rows_or_without_a_folder_is_refused(train, tmp_path):
    with pytest.raises(ClientError, match="'train': 0 files, no rows"):
        read_channel(train)
    (train / "empty").write_bytes(b"")
    with pytest.raises(ClientError, match="'train': 1 files, no rows"):
        read_channel(train)
    with pytest.raises(ClientError, match="'validation': 0 files"):
        read_channel(tmp_path / "validation")


def test_records_without_a_label_and_labels_without_features_are_refused(train):
    write_shards(train, "a", lambda *_: [(FEATURES, None)], n_rows=len(FEATURES), n_shards=1)
    with pytest.raises(ClientError, match=r"/opt/ml/input/data/train/a-00000\.pbr have no label"):
        read_channel(train)
    (train / "a-00000.pbr").write_text("1\n2\n")
    with pytest.raises(ClientError, match="no features"):
        read_channel(train, content_type="text/csv")


def test_a_damaged_file_is_named_by_its_place_in_the_container(train):
    (train / "a").write_bytes(b"1,2,3\n")
    with pytest.raises(ClientError, match=r"^/opt/ml/input/data/train/a cannot be read: byte 0"):
        read_channel(train)


def test_sparse_records_stay_sparse_in_the_order_of_their_files(train):
    matrix = CsrMatrix.from_dense(FEATURES)
    (train / "b").write_bytes(sparse.encode(matrix[3:], LABELS[3:]))
    (train / "a").write_bytes(sparse.encode(matrix[:3], LABELS[:3]))
    channel = read_channel(train)
    assert isinstance(channel.features, CsrMatrix)
    assert np.array_equal(channel.features.toarray(), FEATURES)
    assert np.array_equal(channel.labels, LABELS)
    assert channel.n_record_bytes == sum(path.stat().st_size for path in train.iterdir())


@pytest.mark.parametrize("sparse_name", ["a", "z"])
def test_a_channel_is_sparse_if_any_of_its_files_is(train, sparse_name):
    write_shards(
        train, "m", lambda start, stop: [(FEATURES[start:stop], LABELS[start:stop])], n_rows=len(FEATURES), n_shards=2
    )
    (train / sparse_name).write_bytes(sparse.encode(CsrMatrix.from_dense(FEATURES), LABELS))
    channel = read_channel(train)
    assert isinstance(channel.features, CsrMatrix)
    assert np.array_equal(channel.features.toarray(), np.concatenate([FEATURES, FEATURES]))
    assert np.array_equal(channel.labels, np.concatenate([LABELS, LABELS]))


def test_sparse_files_of_different_width_are_refused_in_the_containers_words(train):
    for name, width in (("a", 784), ("b", 785)):
        (train / name).write_bytes(sparse.encode(CsrMatrix.from_dense(np.ones((1, width), np.float32)), np.ones(1)))
    with pytest.raises(ClientError, match="cannot copy sequence with size 785 to array axis with dimension 784"):
        read_channel(train)


def test_a_damaged_sparse_file_is_named_by_its_place_and_byte(train):
    data = bytearray(sparse.encode(CsrMatrix.from_dense(FEATURES), LABELS))
    key_at = data.index(bytes.fromhex("12020102")) + 3
    data[key_at] = 3
    (train / "a").write_bytes(data)
    with pytest.raises(ClientError, match=r"^/opt/ml/input/data/train/a cannot be read: .* at byte 22 has .* beyond 2"):
        read_channel(train)
