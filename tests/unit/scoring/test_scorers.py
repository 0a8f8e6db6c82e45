from __future__ import annotations

import numpy as np
import pytest

from asteroid_ll.config import Config
from asteroid_ll.config.models import PredictSettings
from asteroid_ll.errors import AwsError, DataError
from asteroid_ll.evaluation.thresholds import decide
from asteroid_ll.formats import JSON, RECORDIO
from asteroid_ll.formats.payload import Scores, response_body
from asteroid_ll.run.files import write_json
from asteroid_ll.run.journal import Journal
from asteroid_ll.scoring.offline import offline_scorer
from asteroid_ll.scoring.scorers import endpoint_scorer, max_request_bytes

SCORES = np.array([0.1, 0.5, 0.7], dtype=np.float32)


@pytest.mark.parametrize(
    ("labels", "threshold", "decided"),
    [
        ([0, 1, 1], None, [False, True, True]),
        ([0, 1, 1], 0.6, [False, False, True]),
        (None, None, [False, False, True]),
        (None, 0.05, [True, True, True]),
        (None, 0.5, [False, False, True]),
    ],
    ids=["the-models-own", "a-threshold-wins", "a-regressor-at-one-half", "a-regressor-at-a-threshold", "above-only"],
)
def test_the_predicted_label_is_the_models_decision_or_that_of_the_threshold(labels, threshold, decided):
    answer = Scores(SCORES, None if labels is None else np.array(labels, dtype=np.float32))
    assert decide(answer, threshold=threshold).tolist() == decided


def _connect():
    raise AssertionError("nothing may be sent")


def _scorer(directory, *, connect=_connect):
    journal = Journal(directory / "journal.jsonl")
    return endpoint_scorer(connect, directory=directory, journal=journal, model="model-1", settings=PredictSettings())


def _deploy(directory, *, model, is_gone):
    write_json(directory / "deploy/endpoint.json", {"name": "e", "model": model})
    journal = Journal(directory / "journal.jsonl")
    journal.append("intent", stage="deploy", fingerprint="f", resource="e", bills="endpoint")
    if is_gone:
        journal.append("gone", stage="teardown", fingerprint="f", resource="e")


@pytest.mark.parametrize(
    ("model", "is_gone"),
    [(None, False), ("model-2", False), ("model-1", True)],
    ids=["never-deployed", "another-model", "torn-down"],
)
def test_without_an_endpoint_for_the_model_nothing_is_sent(tmp_path, model, is_gone):
    if model is not None:
        _deploy(tmp_path, model=model, is_gone=is_gone)
    with pytest.raises(AwsError, match="No endpoint serves this model") as refusal:
        _scorer(tmp_path)
    assert "asteroid-ll deploy" in refusal.value.hint


def test_an_answer_that_cannot_be_read_is_an_aws_error_with_the_next_command(tmp_path, monkeypatch):
    _deploy(tmp_path, model="model-1", is_gone=False)
    monkeypatch.setattr("asteroid_ll.scoring.scorers.invoke", lambda *_, **__: b'{"predictions": [')
    score = _scorer(tmp_path, connect=lambda: None)
    with pytest.raises(AwsError, match="Endpoint e gave an answer that can't be read") as refusal:
        score(np.ones((2, 3), dtype=np.float32))
    assert refusal.value.hint


def test_an_answer_with_another_number_of_scores_is_an_aws_error(tmp_path, monkeypatch):
    _deploy(tmp_path, model="model-1", is_gone=False)
    monkeypatch.setattr("asteroid_ll.scoring.scorers.invoke", lambda *_, **__: b'{"predictions": [{"score": 0.5}]}')
    with pytest.raises(AwsError, match="Endpoint e gave 1 scores for 2 rows"):
        _scorer(tmp_path, connect=lambda: None)(np.ones((2, 3), dtype=np.float32))


def test_a_missing_artifact_is_a_data_error(tmp_path):
    with pytest.raises(DataError):
        offline_scorer(tmp_path / "model.tar.gz")


def test_a_model_alone_is_no_endpoint(tmp_path):
    write_json(tmp_path / "deploy/endpoint.json", {"name": "m", "model": "model-1"})
    Journal(tmp_path / "journal.jsonl").append("intent", stage="deploy", resource="m", bills="model")
    with pytest.raises(AwsError, match="No endpoint serves this model"):
        _scorer(tmp_path)


def test_requests_to_a_serverless_endpoint_have_at_most_4_mb():
    assert max_request_bytes(Config(hosting={"mode": "serverless"})) == 4 * 2**20
    assert max_request_bytes(Config()) == 6 * 2**20


@pytest.mark.parametrize("kind", [JSON, RECORDIO])
def test_an_answer_is_read_in_the_format_that_it_has(tmp_path, monkeypatch, kind):
    _deploy(tmp_path, model="model-1", is_gone=False)
    asked = []

    def invoke(*_, accept, **__):
        asked.append(accept)
        return response_body(Scores(SCORES, np.array([0, 1, 1])), kind)

    monkeypatch.setattr("asteroid_ll.scoring.scorers.invoke", invoke)
    answer = _scorer(tmp_path, connect=lambda: None)(np.ones((3, 2), dtype=np.float32))
    assert (answer.score.tolist(), answer.predicted_label.tolist()) == (SCORES.tolist(), [0, 1, 1])
    assert asked == [RECORDIO]
