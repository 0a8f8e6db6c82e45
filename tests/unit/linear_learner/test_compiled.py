"""The compiled engine against numpy's, which is the reference."""

from __future__ import annotations

import numpy as np
import pytest

from asteroid_ll.linear_learner import TrainingResult, train

pytest.importorskip("numba", reason="the extra 'fast' is not installed")

N_FEATURES = 6
LOSSES = {
    "regressor": [
        "squared_loss",
        "absolute_loss",
        "eps_insensitive_squared_loss",
        "eps_insensitive_absolute_loss",
        "quantile_loss",
        "huber_loss",
    ],
    "binary_classifier": ["logistic", "hinge_loss"],
    "multiclass_classifier": ["softmax_loss"],
}
CASES = [(kind, loss) for kind, losses in LOSSES.items() for loss in losses]
ROW_WEIGHTS = {
    "binary_classifier": "positive_example_weight_mult",
    "multiclass_classifier": "balance_multiclass_weights",
}


def trained(kind: str, loss: str, *, engine: str, **values: str) -> TrainingResult:
    rng = np.random.default_rng(11)
    features = rng.normal(size=(320, N_FEATURES)).astype(np.float32)
    scores = features @ rng.normal(size=N_FEATURES) + rng.normal(size=320)
    labels = {"regressor": scores, "binary_classifier": scores > 0}.get(kind, np.clip(np.round(scores + 1), 0, 2))
    classes = {"num_classes": "3"} if kind[0] == "m" else {}
    hyperparameters = {
        "predictor_type": kind,
        "loss": loss,
        "epochs": "2",
        "learning_rate": "0.01",
        **classes,
        **values,
    }
    return train(features, labels.astype(np.float32), hyperparameters, engine=engine)


def assert_close(compiled: TrainingResult, reference: TrainingResult) -> None:
    assert (compiled.engine, reference.engine) == ("fast", "numpy")
    assert (compiled.best_index, compiled.best_epoch) == (reference.best_index, reference.best_epoch)
    largest = np.abs(reference.model.weight).max()
    np.testing.assert_allclose(compiled.model.weight, reference.model.weight, rtol=0, atol=1e-6 * largest)
    np.testing.assert_allclose(compiled.train_objective, reference.train_objective, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize(("kind", "loss"), CASES)
@pytest.mark.parametrize("batch", ["5", "160"], ids=["small-batch", "large-batch"])
def test_weights_and_losses_are_numpys_to_a_millionth(kind: str, loss: str, optimizer: str, batch: str) -> None:
    values = {"optimizer": optimizer, "mini_batch_size": batch, "num_models": "4"}
    assert_close(trained(kind, loss, engine="fast", **values), trained(kind, loss, engine="numpy", **values))


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_penalties_weights_of_rows_and_models_without_a_bias_are_numpys(kind: str, loss: str) -> None:
    values = {
        "l1": "0.02",
        "wd": "0.01",
        "num_models": "3",
        "mini_batch_size": "8",
        "momentum": "0.3",
        "use_bias": "false",
    }
    if kind in ROW_WEIGHTS:
        values[ROW_WEIGHTS[kind]] = "balanced" if kind[0] == "b" else "true"
    assert_close(trained(kind, loss, engine="fast", **values), trained(kind, loss, engine="numpy", **values))


@pytest.mark.parametrize(
    ("kind", "loss"), [("binary_classifier", "logistic"), ("multiclass_classifier", "softmax_loss")]
)
def test_every_run_has_the_same_bits(kind: str, loss: str) -> None:
    first, second = (trained(kind, loss, engine="fast", mini_batch_size="10") for _ in range(2))
    np.testing.assert_array_equal(first.model.weight, second.model.weight)
    np.testing.assert_array_equal(first.train_objective, second.train_objective)
