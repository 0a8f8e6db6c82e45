"""Learning rates against MXNet's FactorScheduler, spelled out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner.grid import Candidate
from asteroid_ll.linear_learner.optimizers import Schedule


def reference(candidate: Candidate, n_updates: int) -> list[float]:
    rate, count, rates = candidate.learning_rate, 0, []
    for update in range(1, n_updates + 1):
        while update > count + candidate.lr_scheduler_step:
            count += candidate.lr_scheduler_step
            rate = max(rate * candidate.lr_scheduler_factor, candidate.lr_scheduler_minimum_lr)
        rates.append(rate)
    return rates


candidates = st.builds(
    Candidate,
    optimizer=st.just("adam"),
    learning_rate=st.floats(1e-6, 1),
    wd=st.just(0.0),
    l1=st.just(0.0),
    lr_scheduler_step=st.integers(1, 20),
    lr_scheduler_factor=st.floats(0.1, 0.999),
    lr_scheduler_minimum_lr=st.floats(1e-6, 1),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(candidates, min_size=1, max_size=4))
def test_rates_decay_as_mxnets_scheduler_counts(models: list[Candidate]) -> None:
    rates = Schedule(models, enabled=True).rates(np.arange(1, 101))
    for column, model in enumerate(models):
        np.testing.assert_allclose(rates[:, column], reference(model, 100), rtol=1e-12)


@given(candidates)
def test_without_a_scheduler_the_first_rate_stays(model: Candidate) -> None:
    rates = Schedule([model], enabled=False).rates(np.arange(1, 50))
    assert (rates == model.learning_rate).all()
    assert rates.shape == (49, 1)
