"""What we write loads in MXNet 1.9.1, the way that people load a Linear Learner artifact, and scores the same there.

MXNet needs numpy 1.23, and so a Python of its own, at most 3.11. ``scripts/interop mxnet`` makes it, and names it by an
environment variable.
"""

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.training import train

VARIABLE = "ASTEROID_LL_MXNET_PYTHON"
REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "artifact-binary" / "model.tar.gz"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        VARIABLE not in os.environ, reason=f"{VARIABLE} names no Python with mxnet 1.9.1; scripts/interop mxnet"
    ),
]

SCRIPT = """
import sys
import numpy as np
import mxnet as mx

rows = np.load("rows.npy")
module = mx.module.Module.load("mx-mod", 0, label_names=["out_label"])
outputs = module._arg_params["fc0_weight"].shape[1]
head = module.symbol.get_internals().list_outputs()[-1]
labels = (len(rows),) if head.startswith("softmax") else (len(rows), outputs)
module.bind([("data", rows.shape)], [("out_label", labels)], for_training=False)
module.forward(mx.io.DataBatch([mx.nd.array(rows)], [mx.nd.zeros(labels)]), is_train=False)
np.savez(
    "answer.npz",
    output=module.get_outputs()[0].asnumpy(),
    weight=module._arg_params["fc0_weight"].asnumpy(),
    bias=module._arg_params["fc0_bias"].asnumpy(),
)
"""
ROWS = np.random.default_rng(8).normal(size=(40, 5)).astype(np.float32)


@pytest.fixture
def scored_by_mxnet(tmp_path):
    """Unpack an archive as its users do, and let MXNet score rows: output, weight and bias."""

    def score(archive, rows):
        with tarfile.open(archive) as tar:
            member = tar.extractfile("model_algo-1")
            assert member is not None
            zipfile.ZipFile(io.BytesIO(member.read())).extractall(tmp_path)
        np.save(tmp_path / "rows.npy", rows)
        command = [os.environ[VARIABLE], "-c", SCRIPT]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / "answer.npz") as answer:
            return {name: answer[name] for name in answer.files}

    return score


@pytest.mark.parametrize(
    "values",
    [
        {"predictor_type": "regressor"},
        {"predictor_type": "regressor", "loss": "absolute_loss"},
        {"predictor_type": "regressor", "loss": "huber_loss"},
        {"predictor_type": "binary_classifier"},
        {"predictor_type": "binary_classifier", "loss": "hinge_loss"},
        {"predictor_type": "multiclass_classifier", "num_classes": "3"},
    ],
    ids=lambda values: f"{values['predictor_type']}-{values.get('loss', 'auto')}",
)
def test_a_trained_model_loads_and_scores_the_same(tmp_path, scored_by_mxnet, values):
    raw = ROWS[:, 0] - 2 * ROWS[:, 1]
    labels = {"regressor": raw, "binary_classifier": raw > 0}.get(
        values["predictor_type"], np.digitize(raw, [-1.0, 1.0])
    )
    settings = {**values, "mini_batch_size": "10", "epochs": "2", "num_models": "3"}
    model = train(ROWS, np.asarray(labels, np.float32), settings).model
    model.save(tmp_path / "model.tar.gz")
    found = scored_by_mxnet(tmp_path / "model.tar.gz", ROWS)
    np.testing.assert_array_equal(found["weight"], model.weight)
    np.testing.assert_array_equal(found["bias"], model.bias[np.newaxis])
    expected = model.predict(ROWS).score.reshape(len(ROWS), -1)
    np.testing.assert_allclose(found["output"], expected, rtol=2e-5, atol=1e-6)


def test_a_real_artifact_scores_the_same_in_mxnet_and_here_and_after_being_written_again(tmp_path, scored_by_mxnet):
    if not REAL.exists():
        pytest.skip(f"the real artifact is not at {REAL}")
    model = Model.load(REAL)
    rows = np.random.default_rng(0).random((20, model.feature_dim)).astype(np.float32)
    model.save(tmp_path / "again.tar.gz")
    ours = model.predict(rows).score[:, np.newaxis]
    for archive in (REAL, tmp_path / "again.tar.gz"):
        found = scored_by_mxnet(archive, rows)
        np.testing.assert_array_equal(found["weight"], model.weight)
        np.testing.assert_allclose(found["output"], ours, rtol=1e-4, atol=1e-6)
