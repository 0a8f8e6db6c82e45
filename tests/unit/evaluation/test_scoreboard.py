from __future__ import annotations

import json

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation import intervals
from asteroid_ll.evaluation.baselines import scoreboard
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.scoreboard import Scoreboard, outdated


def _board(labels, train_labels):
    predictions = Predictions([0] * len(labels), np.linspace(0.1, 0.3, len(labels)))
    return scoreboard(labels, predictions, train_labels=train_labels, predicted_by_rule=labels)


def test_the_scoreboard_is_json_with_the_model_first_and_no_nan():
    board = _board([0, 0], [0, 1, 0])
    data = json.loads(json.dumps(board.to_json(), allow_nan=False))
    assert list(data) == ["model", "majority", "median", "rule"]
    assert data["model"]["title"] == "Linear Learner"
    assert data["model"]["recall"] is None
    assert data["model"]["undefined"]["recall"] == "no label is positive"
    assert Scoreboard.from_json(data).to_json() == data
    assert (board.model, board.rule) == (board.scores["model"], board.scores["rule"])


@pytest.mark.parametrize(
    "damage", [lambda d: d.pop("model"), lambda d: d["rule"].pop("tp"), lambda d: d.update(rule=1)]
)
def test_stored_scores_of_another_format_are_refused_with_the_next_command(damage):
    data = _board([0, 1], [0, 1]).to_json()
    damage(data)
    with pytest.raises(DataError, match="another format") as refusal:
        Scoreboard.from_json(data)
    assert "asteroid-ll run-all --force predict" in refusal.value.hint


def test_stored_metrics_that_lack_a_metric_or_its_interval_are_outdated(tmp_path):
    path = tmp_path / "metrics.json"

    def is_outdated(metrics):
        path.write_text(json.dumps({"metrics": metrics, "findings": [], "levels": []}), "utf-8")
        return outdated(path) is not None

    labels, predictions = [0, 1, 1], Predictions([0, 1, 0], [0.1, 0.9, 0.4])
    board = scoreboard(labels, predictions, train_labels=labels, predicted_by_rule=labels)
    replicates = intervals.bootstrap(labels, {"model": predictions, "rule": Predictions(labels)}, groups=labels)
    metrics = {"scores": board.to_json(), "intervals": intervals.to_json(replicates), "errors": {"listed": []}}
    assert not is_outdated(metrics)
    del metrics["intervals"]["scores"]["model"]["f1"]
    assert is_outdated(metrics)
    metrics["intervals"]["scores"]["model"]["f1"] = None
    del metrics["scores"]["median"]["recall"]
    assert is_outdated(metrics)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"metrics": {"scores": {"model": 1}}}', '{"metrics": 3}'])
def test_a_file_of_another_format_is_outdated(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content, "utf-8")
    assert outdated(tmp_path / "metrics.json")
