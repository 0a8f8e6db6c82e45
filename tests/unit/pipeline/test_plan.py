"""The planner: what would run, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.pipeline.plan import Done, Plan, Snapshot, digest, fingerprint_of, inputs_of, plan
from asteroid_ll.stages.stage import Outcome, Settings, Stage


def stage(name: str, *needs: str, **more: object) -> Stage:
    return Stage(name, 1, needs, lambda _: {}, lambda _: Outcome(), f"Do {name}.", **more)  # type: ignore[arg-type]


STAGES = (
    stage("get"),
    stage("shape", "get"),
    stage("look", "shape"),
    stage("learn", "shape"),
    stage("host", "learn", transient=True),
    stage("ask", "learn", uses=("host",)),
    stage("end", transient=True, undoes=("host",)),
)
SETTINGS: Mapping[str, Settings] = {item.name: {item.name: {"size": 1}} for item in STAGES}


def finished(settings: Mapping[str, Settings] = SETTINGS, *, identities: Mapping[str, str] | None = None) -> Snapshot:
    """A run directory in which every stage that lasts has been done."""
    snapshot = Snapshot()
    for item in STAGES:
        if item.transient:
            continue
        inputs = inputs_of(item, snapshot)
        done = Done(
            fingerprint=fingerprint_of(item, settings[item.name], inputs),
            version=1,
            settings=settings[item.name],
            inputs=inputs,
            outputs={},
            identity=(identities or {}).get(item.name, f"made by {item.name}"),
        )
        snapshot = replace(snapshot, done={**snapshot.done, item.name: done})
    return snapshot


def running(found: Plan) -> set[str]:
    return {step.stage for step in found.steps if step.action == "run"}


def changed(name: str, value: object) -> dict[str, Settings]:
    return {**SETTINGS, name: {name: {"size": value}}}


def test_everything_runs_in_an_empty_folder() -> None:
    found = plan(STAGES, SETTINGS, snapshot=Snapshot())
    assert running(found) == {item.name for item in STAGES}
    assert found["get"].reason == "never ran"
    assert found["host"].reason == "for ask"
    assert found["end"].reason == "after host"


def test_nothing_runs_when_all_is_up_to_date() -> None:
    found = plan(STAGES, SETTINGS, snapshot=finished())
    assert running(found) == set()
    assert found["learn"].reason == "up to date"
    assert found["host"].reason == "nothing needs it"
    assert found["end"].reason == "nothing is open"


def test_a_changed_setting_runs_its_stage_and_those_after_it_and_is_named() -> None:
    found = plan(STAGES, changed("learn", 2), snapshot=finished())
    assert running(found) == {"learn", "host", "ask", "end"}
    assert found["learn"].reason == "learn.size is 2, was 1"
    assert found["ask"].reason == "after learn"


def test_a_new_version_of_a_stage_runs_it() -> None:
    stages = tuple(replace(item, version=2) if item.name == "look" else item for item in STAGES)
    found = plan(stages, SETTINGS, snapshot=finished())
    assert running(found) == {"look"}
    assert found["look"].reason == "stage version 2, was 1"


def test_an_input_from_outside_that_changed_runs_its_stage() -> None:
    snapshot = replace(finished(), external={"get": {"source file": "abc"}})
    found = plan(STAGES, SETTINGS, snapshot=snapshot)
    assert found["get"].reason == "new input from source file"


def test_an_output_that_was_lost_runs_its_stage_with_that_reason() -> None:
    snapshot = replace(finished(), problems={"learn": "learn/model is missing"})
    found = plan(STAGES, SETTINGS, snapshot=snapshot)
    assert found["learn"].reason == "learn/model is missing"
    assert running(found) == {"learn", "host", "ask", "end"}


def test_a_result_of_an_older_shape_is_made_anew_without_what_its_stage_uses() -> None:
    found = plan(STAGES, SETTINGS, snapshot=replace(finished(), outdated={"ask": "an older shape"}))
    assert running(found) == {"ask"}
    assert found["ask"].reason == "an older shape"
    assert found["ask"].from_stored
    assert not plan(STAGES, SETTINGS, snapshot=finished(), forced=("ask",))["ask"].from_stored


def test_the_same_output_from_a_stage_that_ran_again_leaves_the_next_one_up_to_date() -> None:
    settings = changed("get", 2)
    again = finished(settings)
    found = plan(STAGES, settings, snapshot=again)
    assert running(found) == set()


def test_what_is_open_is_torn_down_even_when_nothing_else_runs() -> None:
    found = plan(STAGES, SETTINGS, snapshot=replace(finished(), open={"endpoint-1": "endpoint"}))
    assert running(found) == {"end"}
    assert found["end"].reason == "endpoint-1 may still bill"


def test_force_runs_a_stage_that_is_up_to_date() -> None:
    found = plan(STAGES, SETTINGS, snapshot=finished(), forced=("learn", "host"))
    assert found["learn"].reason == "asked for with --force"
    assert found["host"].action == "run"


def test_a_stage_that_is_not_selected_does_not_run_and_does_not_pull_the_next_one() -> None:
    found = plan(STAGES, changed("learn", 2), snapshot=finished(), selected=("ask",))
    assert running(found) == set()
    assert found["learn"].reason == "not selected"


@given(st.sets(st.sampled_from([item.name for item in STAGES if not item.transient])))
def test_whatever_changes_every_stage_downstream_of_it_runs_and_no_other(names: set[str]) -> None:
    settings = {name: ({name: {"size": 2}} if name in names else SETTINGS[name]) for name in SETTINGS}
    found = running(plan(STAGES, settings, snapshot=finished()))
    expected = set(names)
    for item in STAGES:
        if expected & set(item.needs) and not item.transient:
            expected.add(item.name)
    if "ask" in expected:
        expected |= {"host", "end"}
    assert found == expected


@pytest.mark.parametrize("other", [{"a": 1, "b": {"c": 3}}, {"a": 1}, {"a": 1, "b": {"c": "2"}}])
def test_a_digest_is_of_the_content_not_of_its_order(other: object) -> None:
    assert digest({"a": 1, "b": {"c": 2}}) == digest({"b": {"c": 2}, "a": 1})
    assert digest({"a": 1, "b": {"c": 2}}) != digest(other)
