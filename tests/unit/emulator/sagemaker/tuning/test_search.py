"""The strategies: Bayesian search beats random search, grids are complete, and nothing is tried twice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from asteroid_ll.emulator.sagemaker.tuning.ranges import CategoryRange, NumberRange, Space
from asteroid_ll.emulator.sagemaker.tuning.search import suggest
from asteroid_ll.emulator.sagemaker.tuning.trials import Trial

BRANIN = Space((NumberRange("x", -5, 10, scaling="Linear"), NumberRange("y", 0, 15, scaling="Linear")))
GRID = Space((CategoryRange("use_bias", ("true", "false")), CategoryRange("wd", ("0", "0.1", "1"))))
MIXED = Space(
    (
        CategoryRange("use_bias", ("true", "false")),
        NumberRange("mini_batch_size", 50, 400, is_integer=True),
        NumberRange("learning_rate", 1e-5, 1),
    )
)


def branin(x, y):
    """A test function of global optimisation with three minima of 0.3979 (Dixon and Szegő, 1978)."""
    ripple = 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
    return (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2 + ripple


def search(space, loss, strategy, *, n, seed, n_parallel=1):
    """Return all trials; the results of parallel trials arrive late."""
    trials, running = [], []
    while len(trials) < n or running:
        while len(running) < n_parallel and len(trials) < n:
            running.append(len(trials))
            trials.append(Trial(suggest(space, strategy, trials, seed=seed), is_pending=True))
        number = running.pop(0)
        trials[number] = Trial(trials[number].values, loss(trials[number].values))
    return trials


def losses(strategy, *, n, seed, n_parallel=1):
    found = search(
        BRANIN, lambda v: branin(float(v["x"]), float(v["y"])), strategy, n=n, seed=seed, n_parallel=n_parallel
    )
    return np.array([trial.loss for trial in found])


@pytest.mark.one_in(2)
@pytest.mark.parametrize("n_parallel", [1, 4])
def test_bayesian_search_beats_random_search_on_the_average_of_seeds(n_parallel):
    optimum = min(minimize(lambda p: branin(*p), start).fun for start in ([-3, 12], [3, 2], [9, 2]))
    assert optimum == pytest.approx(0.397887, abs=1e-5)
    bayesian = [losses("Bayesian", n=12, seed=seed, n_parallel=n_parallel).min() for seed in range(4)]
    random = [losses("Random", n=12, seed=seed).min() for seed in range(4)]
    assert np.mean(bayesian) < np.mean(random)
    assert np.median(bayesian) < np.median(random)
    assert min(bayesian) >= optimum


def test_a_diverged_model_does_not_spoil_the_regression():
    def loss(values):
        rate = math.log10(float(values["learning_rate"]))
        return 1e12 * (rate + 1.9) if rate > -1 else (rate + 2) ** 2

    space = Space((NumberRange("learning_rate", 1e-5, 1),))
    assert min(trial.loss for trial in search(space, loss, "Bayesian", n=12, seed=3)) < 0.01


def test_a_grid_has_every_combination_once():
    trials = search(GRID, lambda _: 0.0, "Grid", n=6, seed=0)
    assert [trial.values for trial in trials] == list(GRID.combinations())


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_no_combination_is_tried_twice_while_there_are_others(strategy):
    trials = search(GRID, lambda values: float(values["wd"]), strategy, n=6, seed=5)
    assert len({tuple(trial.values.items()) for trial in trials}) == 6
    suggest(GRID, strategy, trials, seed=5)


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_a_seed_gives_the_same_search_again_and_another_seed_another(strategy):
    def run(seed):
        return search(MIXED, lambda values: float(values["learning_rate"]), strategy, n=6, seed=seed)

    assert run(7) == run(7) != run(8)


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_an_interrupted_search_continues_with_the_same_combination(strategy):
    trials = [*search(MIXED, lambda values: float(values["learning_rate"]), strategy, n=6, seed=7)]
    assert suggest(MIXED, strategy, trials[:5], seed=7) == trials[5].values


def test_failed_trials_have_no_result_and_leave_the_search_going():
    trials = []
    for number in range(8):
        trials.append(Trial(suggest(MIXED, "Bayesian", trials, seed=2), None if number % 2 else float(number)))
    assert len({tuple(trial.values.items()) for trial in trials}) == 8
