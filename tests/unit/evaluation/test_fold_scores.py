from __future__ import annotations

import json

import numpy as np
import pytest

from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.fold_scores import CrossValidation, summarise_folds
from asteroid_ll.evaluation.intervals import bootstrap
from asteroid_ll.evaluation.resamples import Predictions


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    folds, replicates, rule = [], [], []
    for number in range(4):
        labels = rng.random(200) < 0.3
        scores = np.clip(labels + rng.normal(0, 0.4, 200), 0, 1)
        model = Predictions(scores > 0.5, scores)
        folds.append(binary_scores(labels, scores > 0.5, scores))
        replicates.append(bootstrap(labels, {"model": model}, groups=np.arange(200), seed=number)["model"])
        rule.append(binary_scores(labels, np.zeros(200)))
    model = summarise_folds("model", folds=folds, replicates=replicates)
    majority = summarise_folds("majority", folds=rule, replicates=[{}] * 4)
    return CrossValidation("spline", 3, 800, 240, 800, (model, majority))


def test_a_mean_is_that_of_the_folds_and_lies_in_its_interval(result):
    model = result.predictors[0]
    for metric, mean in model.means.items():
        assert mean == pytest.approx(np.mean([fold[metric] for fold in model.folds]))
        assert model.intervals[metric].low < mean < model.intervals[metric].high


def test_four_folds_make_the_interval_of_the_mean_half_as_wide_as_one_folds():
    rng = np.random.default_rng(1)
    labels = rng.random(500) < 0.5
    wrong = rng.random(500) < 0.2
    fold = binary_scores(labels, labels ^ wrong)
    drawn = [
        bootstrap(labels, {"m": Predictions(labels ^ wrong)}, groups=np.arange(500), seed=seed)["m"]
        for seed in range(4)
    ]
    one = summarise_folds("model", folds=[fold], replicates=drawn[:1]).intervals["accuracy"]
    four = summarise_folds("model", folds=[fold] * 4, replicates=drawn).intervals["accuracy"]
    assert (four.high - four.low) / (one.high - one.low) == pytest.approx(0.5, abs=0.06)


def test_a_metric_without_a_value_in_any_fold_has_neither_mean_nor_interval(result):
    majority = result.predictors[1]
    assert majority.means["precision"] is None
    assert set(majority.intervals.values()) == {None}


def test_a_replicate_without_a_value_in_one_fold_takes_the_mean_of_the_others():
    fold = binary_scores([0, 1], [0, 1], [0.1, 0.9])
    drawn = [{"f1": np.array([np.nan, np.nan, 1.0])}, {"f1": np.array([np.nan, 0.5, 0.5])}]
    found = summarise_folds("model", folds=[fold, fold], replicates=drawn).intervals["f1"]
    assert 0.5 <= found.low < found.high <= 0.75


def test_everything_is_json_with_each_fold_in_it(result):
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert (data["n_folds"], data["grouped_by"], list(data["scores"])) == (4, "asteroid", ["model", "majority"])
    assert len(data["scores"]["model"]["folds"]) == 4
    assert data["scores"]["model"]["interval"]["f1"].keys() == {"low", "high"}
