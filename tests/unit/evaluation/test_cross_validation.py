from __future__ import annotations

import builtins

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.config import Config
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.evaluation.cross_validation import cross_validate, grouped_folds
from asteroid_ll.formats.table import StoredTable, save_table
from asteroid_ll.neo.label import is_hazardous_by_rule

CONFIG = Config.model_validate(
    {
        "features": {"set": "spline", "n_knots": 16},
        "hyperparameters": {"predictor_type": "binary_classifier", "mini_batch_size": "20", "epochs": "4"},
    }
)


@pytest.fixture(scope="module")
def table():
    """A clean table of 900 rows, three per asteroid, labelled by the rule."""
    rng = np.random.default_rng(0)
    magnitude, moid = np.repeat(rng.uniform(17, 26, 300), 3), np.repeat(rng.lognormal(-3, 1, 300), 3)
    return pd.DataFrame(
        {
            "asteroid_id": np.repeat([f"2001 A{n}" for n in range(300)], 3),
            "absolute_magnitude_mag": magnitude,
            "moid_au": moid,
            "hazardous": is_hazardous_by_rule(magnitude, moid),
        }
    )


def test_the_model_is_scored_on_every_row_beside_the_baselines_with_a_line_per_fold(table):
    lines = []
    result = cross_validate(table, CONFIG, n_folds=3, with_boosting=True, progress=lines.append)
    assert [item.name for item in result.predictors] == ["model", "boosting", "rule", "majority", "median"]
    assert (result.n_rows, result.n_asteroids, result.n_folds) == (900, 300, 3)
    by_name = {item.name: item for item in result.predictors}
    for item in result.predictors:
        assert sum(fold.n for fold in item.folds) == 900
        assert sum(fold.n_positive for fold in item.folds) == result.n_hazardous
    assert by_name["rule"].means["f1"] == 1.0
    assert by_name["majority"].means["recall"] == 0.0
    assert by_name["model"].means["f1"] > 0.8
    assert by_name["model"].means["roc_auc"] > 0.97
    assert by_name["model"].intervals["f1"].low < by_name["model"].means["f1"]
    assert len(lines) == 3
    assert lines[0].startswith("fold 1 of 3: 300 rows, ")


def test_the_same_evaluation_gives_the_same_numbers_from_memory_and_from_a_file(table, tmp_path):
    save_table(tmp_path / "table.npz", table)
    one, other = (
        cross_validate(source, CONFIG, n_folds=2, with_boosting=False, progress=lambda _: None).to_json()
        for source in (table, StoredTable(tmp_path / "table.npz"))
    )
    assert one == other
    assert "boosting" not in one["scores"]


def test_boosting_without_scikit_learn_is_refused_before_anything_is_trained(table, monkeypatch):
    real = builtins.__import__

    def without_scikit_learn(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_scikit_learn)
    with pytest.raises(ConfigError, match="scikit-learn") as caught:
        cross_validate(table, CONFIG, n_folds=2, with_boosting=True, progress=lambda _: pytest.fail("trained"))
    assert "--no-boosting" in caught.value.hint


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
