"""The documents of a stage's job: what one side writes, the other side reads, within SageMaker's limits."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import AsteroidError, AwsError, ConfigError, DataError
from asteroid_ll.stages.documents import HostOutcome, failure_message, failure_of, settings_document
from asteroid_ll.stages.stage import Outcome

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3_000)


@settings(max_examples=30)
@given(st.sampled_from([AsteroidError, ConfigError, DataError, AwsError]), TEXTS, st.text(max_size=200))
@example(DataError, "ü" * 3_000, "")
@example(DataError, '"' * 3_000, "\\")
def test_a_failure_arrives_with_its_class_its_hint_and_at_least_the_begin_of_its_sentence(
    kind: type[AsteroidError], what: str, hint: str
) -> None:
    error = kind(what, hint=hint, row=7)
    message = failure_message(error)
    assert len(message.encode()) <= 1024
    failure = failure_of(message)
    assert failure is not None
    assert (type(failure), failure.hint) == (kind, error.hint)
    if failure.what != error.what:
        assert error.what.startswith(failure.what.removesuffix(" ..."))
        assert len(failure.what.encode()) > 100
    elif len(message.encode()) < 900:
        assert failure.context == {"row": 7}


def test_of_several_machines_the_first_failure_counts() -> None:
    messages = [failure_message(DataError(f"Row {row} is wrong.", hint="Repair it.")) for row in (7, 8)]
    failure = failure_of("".join(messages)[:1024])
    assert failure is not None
    assert failure.what == "Row 7 is wrong."


@pytest.mark.parametrize(
    "text",
    ["", "KeyError: 'x'", "{", "[1]", '{"error": "redacted", "what": "", "hint": "", "context": {}}', '{"error": 1}'],
)
def test_another_text_is_no_failure_of_a_stage(text: str) -> None:
    assert failure_of(text) is None


def test_an_outcome_arrives_whole() -> None:
    outcome = Outcome(outputs=("encode/a.pbr",), note="3 features", metrics={"n": 1}, findings=("A finding.",))
    host = HostOutcome(outcome, {"encode/a.pbr": "0" * 64})
    assert HostOutcome.from_json(json.loads(json.dumps(host.to_json()))) == host


def test_the_same_settings_give_the_same_bytes() -> None:
    document = settings_document("clean", {"b": {"y": 1, "x": 2}, "a": {}})
    assert document == settings_document("clean", {"a": {}, "b": {"x": 2, "y": 1}})
    assert json.loads(document) == {"stage": "clean", "settings": {"a": {}, "b": {"x": 2, "y": 1}}}
