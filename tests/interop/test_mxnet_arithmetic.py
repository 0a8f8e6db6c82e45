"""Our initial weights and optimizers beside MXNet 1.9.1 itself; ``scripts/interop mxnet`` makes its environment."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest

from asteroid_ll.linear_learner import optimizers
from asteroid_ll.linear_learner.grid import Candidate, initial_weights, initialisation_order
from asteroid_ll.linear_learner.hyperparameters import parse
from asteroid_ll.linear_learner.optimizers import Schedule

VARIABLE = "ASTEROID_LL_MXNET_PYTHON"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        VARIABLE not in os.environ, reason=f"{VARIABLE} names no Python with mxnet 1.9.1; scripts/interop mxnet"
    ),
]

DRAW = """
import sys
import mxnet as mx
import numpy as np

n_models, size, method, scale = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
draw = mx.init.Uniform(scale) if method == "uniform" else mx.init.Normal(scale)
weights = np.empty((n_models, size), np.float32)
for model in range(n_models):
    drawn = mx.nd.empty((size, 1))
    draw(mx.init.InitDesc("fc_weight"), drawn)
    weights[model] = drawn.asnumpy()[:, 0]
np.save("drawn.npy", weights)
"""

UPDATE = """
import sys
import mxnet as mx
import numpy as np

gradients = np.load("gradients.npy")
found = []
for optimizer in (
    mx.optimizer.Adam(learning_rate=0.01),
    mx.optimizer.Adam(learning_rate=0.01, beta1=0.5, beta2=0.75),
    mx.optimizer.SGD(learning_rate=0.01, momentum=0.0),
    mx.optimizer.SGD(learning_rate=0.01, momentum=0.9),
    mx.optimizer.RMSProp(learning_rate=0.01, gamma1=0.9),
):
    weights = mx.nd.zeros(gradients.shape[1:])
    state = optimizer.create_state(0, weights)
    for gradient in gradients:
        optimizer.update(0, weights, mx.nd.array(gradient), state)
        found.append(weights.asnumpy().copy())
np.save("updated.npy", np.array(found).reshape(5, *gradients.shape))
"""

SCHEDULE = """
import mxnet as mx
import numpy as np

rates = []
for lr, step, factor, minimum in ((0.1, 10, 0.99, 1e-5), (0.005, 7, 0.5, 1e-3), (1e-6, 3, 0.9, 1e-5)):
    scheduler = mx.lr_scheduler.FactorScheduler(step, factor, stop_factor_lr=minimum, base_lr=lr)
    rates.append([scheduler(number) for number in range(1, 401)])
np.save("rates.npy", rates)
"""


def in_mxnet(program, *arguments, folder):
    done = subprocess.run(
        [os.environ[VARIABLE], "-c", program, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("n_models", "size"), [(1, 1), (32, 13), (4, 65), (32, 1000), (2, 70_000)])
@pytest.mark.parametrize(("method", "key"), [("uniform", "init_scale"), ("normal", "init_sigma")])
def test_the_initial_weights_are_those_of_its_generator_that_nobody_has_seeded(tmp_path, n_models, size, method, key):
    in_mxnet(DRAW, n_models, size, method, 0.07, folder=tmp_path)
    hyperparameters = parse({"predictor_type": "regressor", "init_method": method, key: "0.07"})
    ours = initial_weights(hyperparameters, n_models=n_models, feature_dim=size)[:, :, 0]
    theirs = np.load(tmp_path / "drawn.npy")
    in_its_order = ours[initialisation_order(n_models)]
    if method == "uniform":
        np.testing.assert_array_equal(in_its_order, theirs)
    else:  # two logarithms differ in their last bit
        np.testing.assert_array_max_ulp(in_its_order, theirs, maxulp=4)


def test_two_hundred_updates_are_those_of_its_optimizers(tmp_path):
    rng = np.random.default_rng(0)
    gradients = (rng.normal(size=(200, 7, 3)) * rng.choice([1e-3, 1.0, 30.0], size=(200, 1, 1))).astype(np.float32)
    np.save(tmp_path / "gradients.npy", gradients)
    in_mxnet(UPDATE, folder=tmp_path)
    theirs = np.load(tmp_path / "updated.npy")
    shape = gradients.shape[1:]
    ours = (
        optimizers.Adam(shape, beta_1=0.9, beta_2=0.999),
        optimizers.Adam(shape, beta_1=0.5, beta_2=0.75),
        optimizers.Sgd(shape, momentum=0.0),
        optimizers.Sgd(shape, momentum=0.9),
        optimizers.RmsProp(shape),
    )
    numbers = np.arange(1, len(gradients) + 1)
    for optimizer, expected in zip(ours, theirs, strict=True):
        scaled = optimizer.scale_rates(np.full((len(gradients), shape[1]), 0.01), numbers).astype(np.float32)
        rates = optimizers.Rates(scaled, scaled, shape=shape, n_features=shape[0], by_column=False)
        weights = np.zeros(shape, np.float32)
        for number, gradient in enumerate(gradients):
            rates.number = number
            optimizer.work[0][:] = gradient
            optimizer.step(weights, rates)
            np.testing.assert_allclose(weights, expected[number], rtol=1e-6, atol=1e-7)


def test_four_hundred_learning_rates_are_those_of_its_scheduler(tmp_path):
    in_mxnet(SCHEDULE, folder=tmp_path)
    models = [
        Candidate("adam", lr, 0.0, 0.0, step, factor, minimum, 1.0)
        for lr, step, factor, minimum in ((0.1, 10, 0.99, 1e-5), (0.005, 7, 0.5, 1e-3), (1e-6, 3, 0.9, 1e-5))
    ]
    ours = Schedule(models, enabled=True).rates(np.arange(1, 401))
    np.testing.assert_allclose(ours.T, np.load(tmp_path / "rates.npy"), rtol=1e-12)
