"""Hyperparameter sets in the form of real jobs: each parses, and gives the grid and the criterion of its log.

A file in ``corpus`` has the hyperparameters as ``hyperparameters.json`` has them, and what is expected of them: facts
of the real job's log, or the arguments that SageMaker's Python SDK made them from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll.linear_learner import train
from asteroid_ll.linear_learner.hyperparameters import merge, parse
from asteroid_ll.linear_learner.selection import EarlyStopping

SETS = {path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "corpus").glob("*.json"))}


@pytest.mark.parametrize("name", SETS)
def test_a_set_gives_the_job_that_is_expected_of_it(name: str) -> None:
    job = SETS[name]
    values, expected = job["hyperparameters"], job["expected"]
    typed = parse(values)
    assert merge(values).items() >= values.items()
    for field, value in expected.get("typed", {}).items():
        assert getattr(typed, field) == value, field
    training = _first_epoch(job, n_classes=max(2, typed.n_outputs))
    assert training.train_objective.shape[1] == expected.get("n_models", typed.num_models or 32)
    assert training.objective_name == expected.get("objective", training.objective_name)
    assert training.epochs[0].criterion == expected.get("criterion", training.epochs[0].criterion)
    if "best_model" in expected:
        grid = [candidate.as_logged() for candidate in training.candidates]
        assert sum(_is_same(model, expected["best_model"]) for model in grid) == 1


@pytest.mark.parametrize("name", [name for name, job in SETS.items() if "criterion_value" in job["expected"]])
def test_the_logged_criteria_improve_and_stop_the_job_at_the_logged_epochs(name: str) -> None:
    expected, hp = SETS[name]["expected"], parse(SETS[name]["hyperparameters"])
    is_searched = expected["criterion"].startswith("sampled_")
    rule = EarlyStopping(
        patience=hp.early_stopping_patience, tolerance=hp.early_stopping_tolerance, every_epoch_counts=is_searched
    )
    improved, stops = [], []
    for epoch, value in enumerate(expected["criterion_value"]):
        if rule.update(-value if is_searched else value):
            improved.append(epoch)
        stops.append(rule.stops)
    assert improved == expected["improved_epochs"]
    assert stops == [False] * (len(stops) - 1) + [expected["stopped_early"]]


def _first_epoch(job: dict[str, Any], *, n_classes: int) -> Any:
    """Train one epoch of a single mini-batch with the set."""
    values = {**job["hyperparameters"], "epochs": "1"}
    n_rows = int(values.get("mini_batch_size", 1000))
    draw = np.random.default_rng(0)
    features = draw.normal(size=(n_rows, job["feature_dim"])).astype(np.float32)
    labels = (np.arange(n_rows) % n_classes).astype(np.float32)
    held_out = (features[:50], labels[:50]) if job["has_validation"] else None
    return train(features, labels, {**values, "feature_dim": str(job["feature_dim"])}, validation=held_out)


def _is_same(model: dict[str, Any], logged: dict[str, Any]) -> bool:
    """Compare hyperparameters; images with Python 2 print 12 significant digits."""
    names = sorted(model.keys() - {"optimizer"})
    return (
        model.keys() == logged.keys()
        and model["optimizer"] == logged["optimizer"]
        and np.allclose([model[name] for name in names], [logged[name] for name in names], rtol=1e-11, atol=0)
    )


def test_the_corpus_has_every_predictor_type_and_flags_as_python_writes_them() -> None:
    sets = [job["hyperparameters"] for job in SETS.values()]
    assert {values["predictor_type"] for values in sets} == {"regressor", "binary_classifier", "multiclass_classifier"}
    for flag in ("use_bias", "use_lr_scheduler", "normalize_data", "normalize_label", "unbias_data", "unbias_label"):
        assert {"True", "False"} <= {values.get(flag) for values in sets}
    assert sum("real job" in job["source"] for job in SETS.values()) == 28
