from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asteroid_ll.config import Config
from asteroid_ll.errors import AwsError, DataError
from asteroid_ll.formats.payload import Scores
from asteroid_ll.run.files import write_json
from asteroid_ll.run.journal import Journal
from asteroid_ll.scoring import scoring
from asteroid_ll.stages.stage import Context

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
def test_the_predicted_label_is_the_models_or_what_lies_above_the_threshold(labels, threshold, decided):
    answer = Scores(SCORES, None if labels is None else np.array(labels, dtype=np.float32))
    assert scoring.decide(answer, threshold=threshold).tolist() == decided


@pytest.fixture
def context(tmp_path):
    def connect():
        raise AssertionError("nothing is to be sent")

    return Context(
        config=Config(),
        directory=tmp_path,
        journal=Journal(tmp_path / "journal.jsonl"),
        fingerprint="f" * 64,
        inputs={"train": "model-1"},
        connect=connect,
        say=lambda _: None,
    )


def _deploy(context, *, model, is_gone):
    write_json(context.path("deploy/endpoint.json"), {"name": "e", "model": model})
    context.journal.append("intent", stage="deploy", fingerprint="f", resource="e", bills="endpoint")
    if is_gone:
        context.journal.append("gone", stage="teardown", fingerprint="f", resource="e")


@pytest.mark.parametrize(
    ("model", "is_gone"),
    [(None, False), ("model-2", False), ("model-1", True)],
    ids=["never-deployed", "another-model", "torn-down"],
)
def test_without_an_endpoint_for_the_model_nothing_is_asked(context, model, is_gone):
    if model is not None:
        _deploy(context, model=model, is_gone=is_gone)
    with pytest.raises(AwsError, match="No endpoint serves this model") as refusal:
        scoring.endpoint_scorer(context, model="model-1")
    assert "asteroid-ll deploy" in refusal.value.hint


def test_an_answer_that_cannot_be_read_is_an_aws_error_with_the_next_command(context, monkeypatch):
    _deploy(context, model="model-1", is_gone=False)
    monkeypatch.setattr("asteroid_ll.aws.endpoints.invoke", lambda *_, **__: b'{"predictions": [')
    score = scoring.endpoint_scorer(replace(context, connect=lambda: None), model="model-1")
    with pytest.raises(AwsError, match="Endpoint e gave an answer that can't be read") as refusal:
        score(np.ones((2, 3), dtype=np.float32))
    assert refusal.value.hint


def test_a_missing_artifact_is_a_data_error(tmp_path):
    with pytest.raises(DataError):
        scoring.offline_scorer(tmp_path / "model.tar.gz")
