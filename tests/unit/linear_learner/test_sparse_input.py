"""Sparse rows from the channel's file to the model: the numbers of the same rows given dense, without their memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asteroid_ll.formats import sparse
from asteroid_ll.formats.shards import write_shards
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner import container, ensemble, model, rows, train
from asteroid_ll.linear_learner.hyperparameters import ClientError
from asteroid_ll.linear_learner.model import Model

RNG = np.random.default_rng(11)
DENSE = np.where(RNG.random((300, 90)) < 0.1, RNG.normal(size=(300, 90)), 0).astype(np.float32)
SCORE = DENSE @ RNG.normal(size=90)
LABELS = {
    "regressor": SCORE.astype(np.float32),
    "binary_classifier": (SCORE > 0).astype(np.float32),
    "multiclass_classifier": np.digitize(SCORE, [-0.5, 0.5]).astype(np.float32),
}
MATRIX = CsrMatrix.from_dense(DENSE)


def settings_of(predictor_type: str, unbias_data: str) -> dict[str, str]:
    classes = {"num_classes": "3"} if predictor_type.startswith("multi") else {}
    values = {"predictor_type": predictor_type, "unbias_data": unbias_data, "mini_batch_size": "20", "epochs": "3"}
    return {**values, **classes, "num_models": "5"}


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "in-blocks"])
@pytest.mark.parametrize("unbias_data", ["true", "false"])
@pytest.mark.parametrize("predictor_type", LABELS)
def test_sparse_rows_train_to_the_bits_of_the_same_rows_given_dense(
    predictor_type: str, unbias_data: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kept:
        monkeypatch.setattr(rows, "_KEPT_SPARSE_COPY_BYTES", 0)
        monkeypatch.setattr(rows, "_BLOCK_ELEMENTS", 7 * 90)
    labels = LABELS[predictor_type]
    trainings = [
        train(form[:240], labels[:240], settings_of(predictor_type, unbias_data), validation=(form[240:], labels[240:]))
        for form in (DENSE, MATRIX)
    ]
    dense, of_sparse = trainings
    assert np.array_equal(of_sparse.train_objective, dense.train_objective)
    assert np.array_equal(of_sparse.validation_objective, dense.validation_objective)  # type: ignore[arg-type]
    assert of_sparse.scores == dense.scores
    assert of_sparse.model.weight.tobytes() == dense.model.weight.tobytes()
    assert of_sparse.model.bias.tobytes() == dense.model.bias.tobytes()
    assert of_sparse.model.threshold == dense.model.threshold


def test_sparse_rows_are_not_centred_unless_asked_for() -> None:
    labels = LABELS["binary_classifier"]
    by_default, uncentred, centred = (
        train(MATRIX, labels, settings_of("binary_classifier", unbias_data)).train_objective
        for unbias_data in ("auto", "false", "true")
    )
    assert np.array_equal(by_default, uncentred)
    assert not np.array_equal(by_default, centred)


def test_a_value_that_is_not_finite_is_refused_with_its_place() -> None:
    values = MATRIX.values.copy()
    values[MATRIX.indptr[7]] = np.nan
    broken = CsrMatrix(MATRIX.indptr, MATRIX.indices, values, MATRIX.shape)
    column = MATRIX.indices[MATRIX.indptr[7]]
    with pytest.raises(ClientError, match=f"'train' has a value that is NaN.*record 7, feature {column} "):
        train(broken, LABELS["regressor"], settings_of("regressor", "auto"))


def test_wide_rows_train_a_mini_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(DENSE, LABELS["regressor"], settings_of("regressor", "true"))
    monkeypatch.setattr(ensemble, "_BLOCK_ELEMENTS", 1)
    one_by_one = train(DENSE, LABELS["regressor"], settings_of("regressor", "true"))
    np.testing.assert_allclose(one_by_one.train_objective, whole.train_objective, rtol=1e-12)
    assert one_by_one.model.weight.tobytes() == whole.model.weight.tobytes()


def lay_out(root: Path, form: str) -> Path:
    """A job on sparse or dense records of the same numbers."""
    labels = LABELS["binary_classifier"]
    config = root / "input" / "config"
    config.mkdir(parents=True)
    values = settings_of("binary_classifier", "false")
    (config / "hyperparameters.json").write_text(json.dumps(values))
    (config / "inputdataconfig.json").write_text(json.dumps({"train": {}, "validation": {}, "test": {}}))
    for name in ("train", "validation", "test"):
        folder = root / "input" / "data" / name
        if form == "dense":
            write_shards(folder, "part", lambda *_: [(DENSE, labels)], n_rows=len(DENSE), n_shards=1)
        else:
            folder.mkdir(parents=True)
            (folder / "part").write_bytes(sparse.encode(MATRIX, labels))
    return root


def test_a_job_on_sparse_records_leaves_the_model_of_the_job_on_dense_ones(tmp_path: Path) -> None:
    models, losses = [], []
    for form in ("dense", "sparse"):
        lines: list[str] = []
        root = lay_out(tmp_path / form, form)
        assert container.run(root, write=lines.append) == 0
        models.append((root / "model" / "model_algo-1").read_bytes())
        losses.append([line.split("] ", 1)[-1] for line in lines if "<loss>=" in line])
    assert models[0] == models[1]
    assert losses[0] == losses[1]
    assert losses[0]


def test_training_on_sparse_rows_takes_a_fraction_of_the_dense_rows_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_KEPT_SPARSE_COPY_BYTES", 0)
    monkeypatch.setattr(rows, "_BLOCK_ELEMENTS", 1 << 16)
    monkeypatch.setattr(ensemble, "_BLOCK_ELEMENTS", 1 << 16)
    n_rows, width = 4000, 2000
    keys = np.sort(RNG.integers(0, width // 10, (n_rows, 10)) + np.arange(10) * (width // 10), axis=1)
    matrix = CsrMatrix(
        np.arange(n_rows + 1) * 10, keys.ravel(), RNG.normal(size=10 * n_rows).astype(np.float32), (n_rows, width)
    )
    labels = (matrix.values[::10] > 0).astype(np.float32)
    values = {"predictor_type": "binary_classifier", "mini_batch_size": "20", "epochs": "1", "num_models": "2"}
    tracemalloc.start()
    try:
        train(matrix, labels, {**values, "num_point_for_scaler": "100"}, validation=(matrix, labels))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < n_rows * width * 4 / 3


matrices = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 9), st.just(11)),
    elements=st.just(0.0) | st.floats(-(2.0**99), 2.0**99, width=32),
)


@given(matrices, st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_sparse_rows_are_scored_to_the_bits_of_dense_ones(features: np.ndarray, n_outputs: int, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(12, n_outputs)).astype(np.float32)
    of_rows = Model("multiclass_classifier", "softmax_loss", weights[:11], weights[11])
    scores = of_rows.raw_scores(CsrMatrix.from_dense(features))
    assert np.array_equal(scores, of_rows.raw_scores(features), equal_nan=True)


def test_many_sparse_rows_are_scored_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = Model("regressor", "squared_loss", RNG.normal(size=(90, 1)).astype(np.float32), np.ones(1, np.float32))
    expected = scorer.predict(DENSE).score
    monkeypatch.setattr(model, "_ROWS_AT_ONCE_ELEMENTS", 1)
    monkeypatch.setattr(model, "_MIN_ROWS_AT_ONCE", 7)
    assert np.array_equal(scorer.predict(MATRIX).score, expected)
    with pytest.raises(ClientError, match="the input: 91 does not match the feature dimension of the model: 90"):
        scorer.predict(CsrMatrix.from_dense(np.ones((1, 91), np.float32)))
