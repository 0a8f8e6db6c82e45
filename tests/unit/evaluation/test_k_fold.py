from __future__ import annotations

import builtins

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.config import Config
from asteroid_ll.errors import ConfigError
from asteroid_ll.evaluation import k_fold as evaluation
from asteroid_ll.formats.table import save_table
from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages.stage import Context


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """A run directory with a clean table of 900 rows, three to an asteroid, labelled by the rule."""
    rng = np.random.default_rng(0)
    magnitude, moid = np.repeat(rng.uniform(17, 26, 300), 3), np.repeat(rng.lognormal(-3, 1, 300), 3)
    table = pd.DataFrame(
        {
            "asteroid_id": np.repeat([f"2001 A{n}" for n in range(300)], 3),
            "absolute_magnitude_mag": magnitude,
            "moid_au": moid,
            "hazardous": is_hazardous_by_rule(magnitude, moid),
        }
    )
    directory = tmp_path_factory.mktemp("run")
    save_table(directory / "clean" / "table.npz", table)
    config = Config.model_validate(
        {
            "features": {"set": "spline", "n_knots": 16},
            "hyperparameters": {"predictor_type": "binary_classifier", "mini_batch_size": "20", "epochs": "4"},
        }
    )
    return Context(
        config=config,
        directory=directory,
        journal=Journal(directory / "journal.jsonl"),
        fingerprint="",
        inputs={},
        connect=lambda: pytest.fail("nothing here talks to AWS"),
        say=lambda _: None,
    )


def test_the_model_is_scored_on_every_row_beside_the_baselines_with_a_line_a_fold(context):
    said = []
    found = evaluation.evaluate(context, n_folds=3, with_boosting=True, say=said.append)
    assert [item.name for item in found.predictors] == ["model", "boosting", "rule", "majority", "median"]
    assert (found.n_rows, found.n_asteroids, found.n_folds) == (900, 300, 3)
    by_name = {item.name: item for item in found.predictors}
    for item in found.predictors:
        assert sum(fold.n for fold in item.folds) == 900
        assert sum(fold.n_positive for fold in item.folds) == found.n_hazardous
    assert by_name["rule"].means["f1"] == 1.0
    assert by_name["majority"].means["recall"] == 0.0
    assert by_name["model"].means["f1"] > 0.8
    assert by_name["model"].means["roc_auc"] > 0.97
    assert by_name["model"].intervals["f1"].low < by_name["model"].means["f1"]
    assert len(said) == 3
    assert said[0].startswith("fold 1 of 3: 300 rows, ")


def test_the_same_evaluation_gives_the_same_numbers(context):
    one, other = (evaluation.evaluate(context, n_folds=2, with_boosting=False).to_json() for _ in range(2))
    assert one == other
    assert "boosting" not in one["scores"]


def test_boosting_without_scikit_learn_is_refused_before_anything_is_trained(context, monkeypatch):
    real = builtins.__import__

    def without_scikit_learn(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_scikit_learn)
    with pytest.raises(ConfigError, match="scikit-learn") as caught:
        evaluation.evaluate(context, n_folds=2, with_boosting=True, say=lambda _: pytest.fail("trained"))
    assert "--no-boosting" in caught.value.hint
