"""An exported ONNX file answers as our own endpoint does, in ONNX Runtime."""

import numpy as np
import pytest

from asteroid_ll.export.named import named
from asteroid_ll.export.onnx_file import OPSET, to_onnx
from asteroid_ll.linear_learner.model import Model

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (pip install 'asteroid-ll[onnx]')")
onnxruntime = pytest.importorskip("onnxruntime", reason="the package onnxruntime is not installed")
pytestmark = pytest.mark.interop

RNG = np.random.default_rng(4)
ROWS = RNG.normal(size=(50, 7)).astype(np.float32)


def model(predictor_type, loss, *, n_outputs=1, threshold=0.4):
    weight = RNG.normal(size=(7, n_outputs)).astype(np.float32)
    return Model(predictor_type, loss, weight, RNG.normal(size=n_outputs).astype(np.float32), threshold)


@pytest.mark.parametrize(
    "made",
    [
        model("regressor", "squared_loss"),
        model("regressor", "quantile_loss"),
        model("binary_classifier", "logistic"),
        model("binary_classifier", "hinge_loss", threshold=-0.2),
        model("multiclass_classifier", "softmax_loss", n_outputs=4),
    ],
    ids=lambda made: f"{made.predictor_type}-{made.loss}",
)
def test_onnx_runtime_gives_the_scores_and_labels_of_the_endpoint(made):
    data = to_onnx(named(made))
    assert onnx.load_from_string(data).opset_import[0].version == OPSET
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answers = dict(zip(names, session.run(None, {"features": ROWS}), strict=True))
    expected = made.predict(ROWS)
    np.testing.assert_allclose(answers["score"], expected.score, rtol=1e-5, atol=1e-6)
    assert ("predicted_label" in answers) == (made.predictor_type != "regressor")
    if expected.predicted_label is not None:
        assert answers["predicted_label"].dtype == np.int64
        np.testing.assert_array_equal(answers["predicted_label"], expected.predicted_label)


def test_scores_of_every_model_are_exact_to_six_digits(exported):
    session = onnxruntime.InferenceSession(to_onnx(named(exported.model)), providers=["CPUExecutionProvider"])
    score, *labels = session.run(None, {"features": exported.rows})
    expected = exported.scores.astype(float)
    error = np.abs(score.reshape(expected.shape) - expected)
    assert (error / np.maximum(1, np.abs(expected))).max() <= 1e-6
    if labels:
        exported.check_labels(labels[0])
