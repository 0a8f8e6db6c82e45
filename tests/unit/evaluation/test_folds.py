from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.evaluation.folds import grouped_folds

IDENTITIES = st.lists(st.integers(0, 60), max_size=150).map(lambda ids: [f"a{i}" for i in [*ids, *range(60)]])


@settings(max_examples=40, deadline=None)
@given(ids=IDENTITIES, n_folds=st.integers(2, 6), seed=st.integers(0, 3))
def test_every_row_is_tested_once_and_no_asteroid_is_in_two_parts_of_a_fold(ids, n_folds, seed):
    folds = grouped_folds(ids, n_folds=n_folds, validation=0.15, seed=seed)
    names = np.array(ids)
    assert len(folds) == n_folds
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(len(ids)))
    for fold in folds:
        parts = [set(names[rows]) for rows in (fold.train, fold.validation, fold.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == len(set(ids))
        assert fold.train.size + fold.validation.size + fold.test.size == len(ids)


def test_folds_have_as_many_asteroids_and_validation_has_its_share():
    ids = [str(number) for number in range(10_000)]
    for fold in grouped_folds(ids, n_folds=5, validation=0.15, seed=0):
        assert fold.test.size == 2000
        assert fold.validation.size == pytest.approx(1500, abs=5)


def test_the_order_of_the_rows_changes_no_asteroids_fold_and_the_seed_does():
    ids = [str(number) for number in range(300)]
    backwards = ids[::-1]
    one = grouped_folds(ids, n_folds=3, validation=0.2, seed=1)
    other = grouped_folds(backwards, n_folds=3, validation=0.2, seed=1)
    seeded = grouped_folds(ids, n_folds=3, validation=0.2, seed=2)
    for a, b, c in zip(one, other, seeded, strict=True):
        assert {ids[row] for row in a.validation} == {backwards[row] for row in b.validation}
        assert {ids[row] for row in a.test} == {backwards[row] for row in b.test}
        assert a.test.tolist() != c.test.tolist()


@pytest.mark.parametrize(
    ("n_asteroids", "n_folds", "validation", "error"),
    [(100, 1, 0.1, ConfigError), (100, 5, 0.0, ConfigError), (100, 5, 0.9, ConfigError), (4, 5, 0.1, DataError)],
    ids=["one-fold", "no-validation", "all-validation", "four-asteroids"],
)
def test_impossible_folds_are_refused_with_the_next_step(n_asteroids, n_folds, validation, error):
    with pytest.raises(error) as caught:
        grouped_folds([str(n) for n in range(n_asteroids)], n_folds=n_folds, validation=validation, seed=0)
    assert caught.value.hint
