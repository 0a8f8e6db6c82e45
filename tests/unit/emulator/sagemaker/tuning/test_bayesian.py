"""The Gaussian process predicts as scikit-learn's, and its improvement is that of a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from asteroid_ll.emulator.sagemaker.tuning import bayesian

RNG = np.random.default_rng(4)
FEATURES, POINTS, LOSSES = RNG.random((9, 3)), RNG.random((5, 3)), RNG.normal(size=9)
KERNEL = bayesian._Kernel(np.array([0.3, 0.8, 2.0]), 0.01)


@pytest.fixture(scope="module")
def reference():
    kernel = Matern(length_scale=KERNEL.lengths, nu=2.5) + WhiteKernel(KERNEL.noise)
    return GaussianProcessRegressor(kernel, optimizer=None, alpha=0).fit(FEATURES, LOSSES)


def test_the_prediction_is_that_of_scikit_learn(reference):
    mean, deviation = bayesian._predict(KERNEL, FEATURES, LOSSES, POINTS)
    expected, with_noise = reference.predict(POINTS, return_std=True)
    assert mean == pytest.approx(expected, rel=1e-8)
    assert deviation**2 + KERNEL.noise == pytest.approx(with_noise**2, rel=1e-6)


def test_the_likelihood_is_that_of_scikit_learn_without_its_constant(reference):
    constant = len(LOSSES) / 2 * np.log(2 * np.pi)
    expected = reference.log_marginal_likelihood_value_ + constant
    assert bayesian._log_likelihood(KERNEL, FEATURES, LOSSES) == pytest.approx(expected, rel=1e-8)


def test_the_expected_improvement_is_the_mean_gain_of_a_simulation(monkeypatch):
    monkeypatch.setattr(bayesian, "_draw_kernel", lambda *_, **__: KERNEL)
    monkeypatch.setattr(bayesian, "_N_KEPT", 1)
    rng = np.random.default_rng(0)
    found = bayesian._expected_improvement(
        POINTS, FEATURES, LOSSES, pending=np.empty((0, 3)), groups=[0, 1, 2], rng=rng
    )
    mean, deviation = bayesian._predict(KERNEL, FEATURES, LOSSES, POINTS)
    drawn = mean + deviation * rng.normal(size=(200_000, len(mean)))
    assert found == pytest.approx(np.maximum(LOSSES.min() - drawn, 0).mean(axis=0), rel=0.05, abs=1e-3)


def test_a_combination_that_is_being_tried_is_no_longer_attractive():
    def improvement(pending):
        return bayesian._expected_improvement(
            POINTS, FEATURES, LOSSES, pending=pending, groups=[0, 1, 2], rng=np.random.default_rng(0)
        )

    best = int(np.argmax(improvement(np.empty((0, 3)))))
    assert improvement(POINTS[[best]])[best] < 0.2 * improvement(np.empty((0, 3)))[best]


def test_losses_become_normal_scores_whatever_their_size():
    scores = bayesian._normal_scores(np.array([0.3, 1e30, 0.1, 0.3]))
    assert scores == pytest.approx(stats.norm.ppf([0.5, 0.875, 0.125, 0.5]))


def test_the_first_combinations_fill_the_cube_evenly():
    points = np.array([bayesian._halton(index, n=2, seed=9) for index in range(64)])
    counts, _, _ = np.histogram2d(*points.T, bins=4, range=[[0, 1], [0, 1]])
    assert counts.min() >= 2  # of 4 expected; 64 random points leave such a cell with one or none in 4 of 5 cases
