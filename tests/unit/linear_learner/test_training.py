"""A job from rows to exported model: the order of rows, the kept epoch, and the observer's events."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from asteroid_ll.linear_learner import Model, TrainingResult, train, training
from asteroid_ll.linear_learner.hyperparameters import losses_of
from asteroid_ll.linear_learner.training import EpochRecord, Observer, Scaler

REGRESSOR = {"predictor_type": "regressor", "mini_batch_size": "10", "epochs": "3"}
BINARY = {"predictor_type": "binary_classifier", "mini_batch_size": "10", "epochs": "3"}
MULTICLASS = {"predictor_type": "multiclass_classifier", "num_classes": "3", "mini_batch_size": "10", "epochs": "3"}


def table(n_rows: int = 105, n_features: int = 4, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of different scales, and a noisy linear value."""
    rng = np.random.default_rng(seed)
    features = (rng.normal(size=(n_rows, n_features)) * 10.0 ** np.arange(n_features) + 5).astype(np.float32)
    direction = rng.normal(size=n_features) / 10.0 ** np.arange(n_features)
    return features, (features @ direction + 0.1 * rng.normal(size=n_rows)).astype(np.float32)


def labelled(values: dict[str, str], labels: np.ndarray) -> np.ndarray:
    """The noisy linear value, cut into as many classes as the job has."""
    if values["predictor_type"] == "regressor":
        return labels
    n_classes = int(values.get("num_classes", 2))
    cuts = np.quantile(labels, np.arange(1, n_classes) / n_classes)
    return np.searchsorted(cuts, labels).astype(np.float32)


def run(values: dict[str, str], **overrides: str) -> TrainingResult:
    features, labels = table()
    return train(features, labelled(values, labels), {**values, **overrides})


EVERY_LOSS = [
    ({**base, "loss": loss}, optimizer)
    for base in (REGRESSOR, BINARY, MULTICLASS)
    for loss in losses_of(base["predictor_type"])
    for optimizer in ("adam", "sgd", "rmsprop")
]


@pytest.mark.parametrize(
    ("values", "optimizer"), EVERY_LOSS, ids=lambda value: value if isinstance(value, str) else value["loss"]
)
def test_every_loss_falls_under_every_optimiser(values: dict[str, str], optimizer: str) -> None:
    training = run(values, optimizer=optimizer, epochs="12", momentum="0.5", early_stopping_patience="20")
    first, last = training.train_objective[0], training.train_objective[-1]
    assert last[training.best_index] < first[training.best_index]
    assert np.isfinite(training.train_objective[:, training.best_index]).all()


@pytest.mark.parametrize("values", [REGRESSOR, BINARY, MULTICLASS], ids=lambda values: values["predictor_type"])
def test_the_same_job_gives_the_same_bits(values: dict[str, str]) -> None:
    first, second = run(values), run(values)
    np.testing.assert_array_equal(first.train_objective, second.train_objective)
    np.testing.assert_array_equal(first.model.weight, second.model.weight)


def test_the_tail_of_the_rows_is_scored_but_not_learned_from() -> None:
    features, labels = table(105)
    changed = features.copy()
    changed[100:] *= 3
    plain, other = train(features, labels, REGRESSOR), train(changed, labels, REGRESSOR)
    np.testing.assert_array_equal(plain.train_objective, other.train_objective)
    np.testing.assert_array_equal(plain.model.weight, other.model.weight)
    assert plain.scores["train"] != other.scores["train"]
    assert (plain.epochs[0].n_records, plain.epochs[0].n_batches) == (100, 10)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_within_a_batch_does_not_matter(seed: int) -> None:
    features, labels = table(40)
    rng = np.random.default_rng(seed)
    order = np.concatenate([start + rng.permutation(10) for start in range(0, 40, 10)])
    plain, shuffled = train(features, labels, REGRESSOR), train(features[order], labels[order], REGRESSOR)
    np.testing.assert_allclose(plain.train_objective, shuffled.train_objective, rtol=1e-3)


def test_the_order_of_batches_does_matter() -> None:
    features, labels = table(40)
    plain, reversed_ = train(features, labels, REGRESSOR), train(features[::-1], labels[::-1], REGRESSOR)
    assert not np.allclose(plain.train_objective, reversed_.train_objective, rtol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-8, 8), min_size=4, max_size=4))
def test_normalising_makes_the_unit_of_a_feature_irrelevant(powers: list[int]) -> None:
    features, labels = table(40)
    unit = (2.0 ** np.array(powers)).astype(np.float32)
    plain, scaled = train(features, labels, REGRESSOR), train(features * unit, labels, REGRESSOR)
    # Powers of two are exact in float32: not a bit of the training may differ.
    np.testing.assert_array_equal(plain.train_objective, scaled.train_objective)
    np.testing.assert_array_equal(plain.model.weight[:, 0], scaled.model.weight[:, 0] * unit)


def test_a_feature_that_is_there_twice_keeps_the_distance_of_its_two_initial_weights() -> None:
    features, labels = table(40, 3)
    values = {**REGRESSOR, "num_models": "1", "wd": "0", "normalize_data": "false", "normalize_label": "false"}
    training = train(np.column_stack([features, features[:, :1]]), labels, {**values, "unbias_data": "false"})
    initial = 0.0068339, 0.04819721
    difference = training.model.weight[0, 0] - training.model.weight[3, 0]
    assert difference == pytest.approx(initial[0] - initial[1], abs=1e-5)


@pytest.mark.parametrize("normalize", ["true", "false"])
@pytest.mark.parametrize("unbias", ["true", "false"])
@pytest.mark.parametrize("bias", ["true", "false"])
def test_the_exported_model_undoes_the_scaling_it_was_trained_with(normalize: str, unbias: str, bias: str) -> None:
    features, labels = table(100, 2)
    values = {
        **REGRESSOR,
        "normalize_data": normalize,
        "unbias_data": unbias,
        "use_bias": bias,
        "normalize_label": normalize,
        "unbias_label": unbias,
        "num_models": "1",
        "epochs": "1",
    }
    training = train(features, labels, {**values, "mini_batch_size": "100", "learning_rate": "1e-12"})
    # One update too small to move the weights: the objective of the first batch is that of the initial weights.
    scaler = training.scaler
    assert scaler.std_label is not None
    objective = training.scores["train"][0].value / (scaler.std_label**2 if normalize == "true" else 1)
    assert objective == pytest.approx(training.train_objective[0, 0], rel=1e-3)


def test_validation_decides_which_epoch_and_model_are_kept() -> None:
    features, labels = table(200)
    training = train(
        features[:100], labels[:100], {**REGRESSOR, "epochs": "15"}, validation=(features[100:], labels[100:])
    )
    assert training.validation_objective is not None
    assert training.validation_objective.shape == training.train_objective.shape
    assert training.best_index == training.validation_objective[training.best_epoch].argmin()
    kept = training.validation_objective[training.best_epoch, training.best_index]
    scores = {score.name: score.value for score in training.scores["validation"]}
    assert scores["mse_objective"] == scores["mse"] == pytest.approx(kept, rel=1e-5)
    assert set(training.scores) == {"validation"}


def test_without_validation_the_train_objective_decides_and_train_is_scored() -> None:
    training = run(REGRESSOR)
    assert training.validation_objective is None
    assert training.best_index == training.train_objective[training.best_epoch].argmin()
    assert set(training.scores) == {"train"}


def test_a_test_channel_only_adds_its_scores() -> None:
    features, labels = table()
    plain = train(features, labels, REGRESSOR)
    tested = train(features, labels, REGRESSOR, test=(features[:50], labels[:50]))
    assert set(tested.scores) == {"train", "test"}
    np.testing.assert_array_equal(plain.model.weight, tested.model.weight)


@pytest.mark.parametrize(
    "criterion",
    ["accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function"],
)
@pytest.mark.parametrize("weight", ["1.0", "5", "balanced", "auto"])
def test_every_selection_criterion_exports_a_useful_classifier(criterion: str, weight: str) -> None:
    features, labels = table(400, 3)
    labels = (labels > np.quantile(labels, 0.7)).astype(np.float32)
    values = {**BINARY, "binary_classifier_model_selection_criteria": criterion, "positive_example_weight_mult": weight}
    training = train(features[:300], labels[:300], values, validation=(features[300:], labels[300:]))
    scores = {score.name: score.value for score in training.scores["validation"]}
    assert scores["roc_auc_score"] > 0.97
    assert scores["binary_classification_accuracy"] > 0.8
    if criterion == "loss_function":
        assert training.model.threshold == 0.5
        assert training.epochs[0].criterion == training.objective_name
    else:
        assert training.epochs[0].criterion == f"sampled_{criterion}"
        assert all(epoch.improved for epoch in training.epochs)
        assert training.best_epoch == len(training.epochs) - 1
    if criterion == "precision_at_target_recall":
        assert scores["recall"] >= 0.8
    if criterion == "recall_at_target_precision":
        assert training.epochs[-1].criterion_value > 0.8


def test_a_heavier_positive_class_is_found_more_often() -> None:
    features, labels = table(400, 3)
    labels = (labels + 0.5 * np.random.default_rng(1).normal(size=400) > np.quantile(labels, 0.9)).astype(np.float32)
    values = {**BINARY, "binary_classifier_model_selection_criteria": "loss_function"}
    held_out = features[300:], labels[300:]
    found = [
        train(features[:300], labels[:300], {**values, "positive_example_weight_mult": weight}, validation=held_out)
        .model.predict(features)
        .predicted_label.sum()  # type: ignore[union-attr]
        for weight in ("0.1", "1.0", "20")
    ]
    assert found[0] < found[1] < found[2]


def test_balanced_classes_rename_the_objective_and_keep_their_weights() -> None:
    training = run(MULTICLASS, balance_multiclass_weights="true")
    assert training.objective_name == "weighted_softmax_loss_objective"
    assert training.model.metrics_params["class_weights"] == pytest.approx([100 / 35, 100 / 35, 100 / 30], rel=0.2)


class Recorder(Observer):
    def __init__(self) -> None:
        self.told: list[Scaler | EpochRecord] = []

    def scaled(self, scaler: Scaler) -> None:
        self.told.append(scaler)

    def epoch_ended(self, epoch: EpochRecord) -> None:
        self.told.append(epoch)


def test_an_observer_is_told_of_the_scaling_and_then_of_each_epoch_in_order() -> None:
    features, labels = table()
    recorder = Recorder()
    training = train(features, labels, REGRESSOR, observer=recorder)
    assert recorder.told == [training.scaler, *training.epochs]
    assert [epoch.epoch for epoch in training.epochs] == [0, 1, 2]
    assert all(epoch.started_s <= epoch.ended_s for epoch in training.epochs)


def test_a_job_stops_early_and_keeps_an_earlier_epoch() -> None:
    features, labels = table(100)
    noise = np.random.default_rng(3).normal(size=100).astype(np.float32)
    training = train(features, noise, {**REGRESSOR, "epochs": "60"}, validation=(features, labels))
    assert training.stopped_early
    assert len(training.epochs) < 60
    assert training.best_epoch == len(training.epochs) - 5
    assert training.epochs[-1].misses == 4


def test_the_input_is_neither_copied_whole_nor_changed() -> None:
    features, labels = table()
    features.flags.writeable = labels.flags.writeable = False
    assert isinstance(train(features, labels, REGRESSOR).model, Model)


def test_sparse_rows_train_as_dense_ones_that_are_not_centred() -> None:
    rng = np.random.default_rng(0)
    dense = (rng.random((100, 30)) < 0.1) * rng.normal(size=(100, 30)).astype(np.float32)
    labels = (dense.sum(axis=1) > 0).astype(np.float32)
    sparse = train(scipy.sparse.csr_array(dense), labels, BINARY, test=(scipy.sparse.csr_array(dense), labels))
    same = train(dense, labels, {**BINARY, "unbias_data": "false"}, test=(dense, labels))
    np.testing.assert_array_equal(sparse.train_objective, same.train_objective)
    assert sparse.scores == same.scores


@pytest.mark.parametrize("values", [REGRESSOR, BINARY], ids=lambda values: values["predictor_type"])
def test_a_users_scheduler_step_changes_no_loss_of_the_default_grid(values: dict[str, str]) -> None:
    plain, stepped = run(values), run(values, lr_scheduler_step="1", learning_rate="0.005")
    np.testing.assert_array_equal(plain.train_objective, stepped.train_objective)
    alone = run(values, num_models="1"), run(values, num_models="1", lr_scheduler_step="1")
    assert (alone[0].train_objective != alone[1].train_objective).any()
    # A learning rate does reach model 0, and no other.
    faster = run(values, learning_rate="0.1").train_objective != plain.train_objective
    assert faster[:, 0].all()
    assert not faster[:, 1:].any()


def digest_of_a_job() -> str:
    """Return a digest of a job that has other bits if its matrix products use two threads."""
    import hashlib

    import numpy as np

    from asteroid_ll.linear_learner import train

    features = np.random.default_rng(0).standard_normal((2000, 100), dtype=np.float32)
    labels = (features[:, 0] > 0).astype(np.float32)
    hyperparameters = {"predictor_type": "binary_classifier", "mini_batch_size": "1000", "epochs": "2"}
    training = train(features, labels, hyperparameters, validation=(features, labels))
    numbers = training.model.weight, training.train_objective, training.validation_objective
    return hashlib.sha256(b"".join(array.tobytes() for array in numbers)).hexdigest()


def openblas() -> tuple[Callable[[], int], Callable[[int], None]]:
    found = training._openblas()
    if found is None:
        pytest.skip("numpy does not use OpenBLAS here")
    return found


def test_a_job_has_the_same_bits_with_any_number_of_blas_threads() -> None:
    get_threads, set_threads = openblas()
    before = get_threads()
    digests = set()
    for n_threads in (1, 2, 4):
        set_threads(n_threads)
        try:
            digests.add(digest_of_a_job())
        finally:
            set_threads(before)
    assert len(digests) == 1


@pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="ASTEROID_LL_EXHAUSTIVE=1 starts 3 processes"
)
def test_a_job_has_the_same_bits_if_the_environment_asks_for_more_blas_threads() -> None:
    openblas()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"{inspect.getsource(digest_of_a_job)}\nprint(digest_of_a_job())"],
            env={**os.environ, "OPENBLAS_NUM_THREADS": n_threads},
            stdout=subprocess.PIPE,
            text=True,
        )
        for n_threads in ("1", "2", "4")
    ]
    digests = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(set(digests)) == 1


def test_the_last_job_to_end_restores_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    n_threads = [3]
    monkeypatch.setattr(training, "_openblas", lambda: (lambda: n_threads[-1], n_threads.append))
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with training.one_blas_thread():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with training.one_blas_thread():
        thread.start()
        inside.wait()
    assert n_threads == [3, 1]
    leave.set()
    thread.join()
    assert n_threads == [3, 1, 3]


def test_softmax_regression_converges_to_scikit_learns_optimum() -> None:
    rng = np.random.default_rng(0)
    n_rows, wd = 300, 0.01
    features = rng.normal(size=(n_rows, 4)).astype(np.float32)
    noisy = features @ rng.normal(size=(4, 3)) + rng.gumbel(size=(n_rows, 3))
    labels = noisy.argmax(axis=1).astype(np.float32)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    # The mean loss plus wd/2 |w|^2 here is the summed loss times C plus |w|^2/2 there.
    optimum = LogisticRegression(C=1 / (n_rows * wd), tol=1e-10, max_iter=5000).fit(standardised, labels)
    values = {
        "predictor_type": "multiclass_classifier",
        "num_classes": "3",
        "mini_batch_size": str(n_rows),
        "num_models": "1",
        # The kept epoch is that of the lowest loss without penalty: descent must not overshoot the optimum.
        "optimizer": "sgd",
        "learning_rate": "0.5",
        "bias_lr_mult": "1",
        "use_lr_scheduler": "false",
        "wd": str(wd),
        "l1": "0",
        "epochs": "2000",
        "early_stopping_patience": "10000",
        "early_stopping_tolerance": "1e-12",
    }
    training = train(features, labels, values)
    answer = training.model.predict(features)
    np.testing.assert_allclose(answer.score, optimum.predict_proba(standardised), atol=2e-3)
    weights = training.model.weight * training.scaler.std_features[:, np.newaxis]
    # Only differences between classes are determined by the loss.
    weights -= weights.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(weights.T, optimum.coef_, atol=5e-3)
