"""Teardown when its deletes fail, when another was there before, and when the journal is lost or damaged."""

from __future__ import annotations

import json

import pytest

from asteroid_ll.aws.endpoints import delete_endpoint
from asteroid_ll.aws.resources import delete
from asteroid_ll.aws.session import connect

DELETES = ("DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel")
KINDS = ("endpoint", "endpoint-config", "model")
LEAK = 6


@pytest.fixture
def hosted(trained):
    """A place with an endpoint in service."""
    assert trained.run("run-all", "--keep").code == 0
    assert [interval.kind for interval in trained.open_intervals()] == ["endpoint"]
    return trained


def _remaining(place):
    return [kind for kind in KINDS if place.names(kind)]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("call", "kind"),
    [("DeleteEndpoint", "access-denied"), ("DeleteEndpointConfig", "500"), ("DeleteModel", "throttle")],
)
def test_a_delete_that_fails_for_good_is_named_and_the_others_are_done(hosted, workbench, call, kind):
    ended = hosted.run("teardown", "--json", faults=f"sagemaker:{call}:*:before:{kind}")
    assert ended.code == LEAK, ended.err
    workbench.assert_one_sentence(ended)
    words = {"endpoint": "endpoint ", "endpoint-config": "endpoint configuration ", "model": "model "}
    remaining = _remaining(hosted)
    assert remaining == [KINDS[DELETES.index(call)]]
    assert all(f"{words[kind]}{hosted.names(kind)[0]}" in ended.json["error"]["what"] for kind in remaining)
    assert ended.json["billing"]["open"], "it stays open in the journal"
    assert hosted.run("teardown").code == 0
    assert _remaining(hosted) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("fault", ["before:500", "before:throttle", "after:reset", "after:read-timeout"])
def test_a_delete_that_fails_once_is_sent_again(hosted, fault):
    faults = ";".join(f"sagemaker:{call}:1:{fault}" for call in DELETES)
    assert hosted.run("teardown", faults=faults).code == 0
    assert _remaining(hosted) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("gone", [("endpoint",), ("endpoint", "endpoint-config"), ("model",), KINDS], ids="+".join)
def test_what_another_deleted_before_is_no_failure(hosted, workbench, gone):
    (name,) = hosted.names("endpoint")
    with connect("emulator", region=workbench.REGION, emulator_dir=hosted.state) as aws:
        for kind in gone:
            if kind == "endpoint":
                delete_endpoint(aws, name)
            else:
                delete(aws, kind, name)
    ended = hosted.run("teardown", "--json")
    assert ended.code == 0, ended.err
    assert _remaining(hosted) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("unproven", ["ListEndpoints", "ListTags", "DescribeEndpoint"])
def test_an_absence_that_cannot_be_proven_is_no_absence(hosted, workbench, unproven):
    ended = hosted.run("teardown", "--json", faults=f"sagemaker:{unproven}:*:before:500")
    assert ended.code == LEAK, ended.err
    workbench.assert_one_sentence(ended)
    assert hosted.run("teardown").code == 0
    assert _remaining(hosted) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("damage", ["deleted", "emptied", "garbled", "of-another-version"])
def test_without_a_journal_what_bills_is_found_by_its_tags(hosted, damage):
    journal = hosted.workdir / "journal.jsonl"
    if damage == "deleted":
        journal.unlink()
    else:
        journal.write_bytes({"emptied": b"", "garbled": b"\xff\xfe not a record\n"}.get(damage, b'{"v": 99}\n'))
    ended = hosted.run("teardown", "--json")
    assert ended.code == 0, ended.err
    assert ended.status_of("teardown") == "run"
    assert ended.json["billing"] == {"open": []}
    assert _remaining(hosted) == []
    assert hosted.open_intervals() == []


def test_status_shows_what_bills_beside_a_damaged_journal(hosted):
    (hosted.workdir / "journal.jsonl").write_bytes(b"\xff\xfe not a record\n")
    ended = hosted.run("status", "--json")
    assert ended.code == 3
    assert "damaged" in ended.json["error"]["what"]
    assert [item["name"] for item in ended.json["billing"]["open"]] == hosted.names("endpoint")
    assert hosted.names("endpoint")[0] in hosted.run("status").out
    assert hosted.run("teardown").code == 0


def test_a_run_with_a_damaged_journal_deletes_the_endpoint_by_its_tags(hosted):
    (hosted.workdir / "journal.jsonl").write_bytes(b"\xff\xfe not a record\n")
    ended = hosted.run("run-all", "--json")
    assert ended.code == 3
    assert ended.status_of("teardown") == "run"
    assert ended.json["billing"] == {"open": []}
    assert hosted.open_intervals() == []


@pytest.mark.parametrize("loss", ["deleted", "emptied"])
def test_a_run_that_fails_early_without_its_journal_deletes_the_endpoint_by_its_tags(hosted, loss):
    journal = hosted.workdir / "journal.jsonl"
    journal.unlink() if loss == "deleted" else journal.write_bytes(b"")
    (hosted.folder / "asteroids.csv").unlink()
    ended = hosted.run("run-all", "--json")
    assert ended.code == 3, ended.err
    assert ended.status_of("teardown") == "run"
    assert ended.json["billing"] == {"open": []}
    assert hosted.open_intervals() == []


def test_without_its_journal_a_run_that_keeps_its_endpoint_does_not_know_what_is_billed(hosted):
    (hosted.workdir / "journal.jsonl").unlink()
    ended = hosted.run("run-all", "--until", "clean", "--keep", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": None}
    assert "Bill: unknown" in hosted.run("run-all", "--until", "clean", "--keep").out
    assert hosted.run("plan", "--json").json["billing"] == {"open": None}
    assert hosted.run("teardown", "--json").json["billing"] == {"open": []}
    assert hosted.open_intervals() == []
    assert hosted.run("plan", "--json").json["billing"] == {"open": []}


def test_a_job_that_cannot_be_stopped_is_named_and_stays_open_in_the_journal(prepared, workbench):
    prepared.configure(training_starting_s=60.0)
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:after:sigint").code == 130
    (name,) = prepared.names("training-job")
    ended = prepared.run("teardown", "--json", faults="sagemaker:StopTrainingJob:*:before:access-denied")
    assert ended.code == LEAK, ended.err
    workbench.assert_one_sentence(ended)
    assert name in ended.json["error"]["what"]
    assert ended.json["billing"]["open"] == [{"kind": "training-job", "name": name}]
    assert prepared.status_of("training-job", name) == "InProgress"
    assert prepared.run("teardown").code == 0
    assert prepared.open_intervals() == []


def test_a_job_whose_end_cannot_be_confirmed_stays_open_in_the_journal(prepared):
    """The wait is denied, and so is the question whether the job still bills."""
    prepared.configure(training_starting_s=60.0)
    faults = ";".join(f"sagemaker:DescribeTrainingJob:{nth}:before:access-denied" for nth in (3, 4))
    ended = prepared.run("run-all", "--json", faults=faults)
    assert ended.code == 4, ended.err
    (name,) = prepared.names("training-job")
    assert prepared.status_of("training-job", name) == "InProgress"
    assert ended.json["billing"]["open"] == [{"kind": "training-job", "name": name}]
    assert prepared.run("teardown").code == 0
    assert prepared.open_intervals() == []


def test_a_training_job_whose_journal_was_lost_is_stopped_by_its_tags(prepared):
    prepared.configure(training_starting_s=60.0)
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:after:kill").code == -9
    (prepared.workdir / "journal.jsonl").unlink()
    assert prepared.run("teardown").code == 0
    (name,) = prepared.names("training-job")
    assert prepared.status_of("training-job", name) == "Stopped"
    assert prepared.open_intervals() == []


def test_what_another_run_directory_made_is_left_alone(hosted, new_place):
    """Two directories share an account; one of them has made nothing."""
    other = new_place()
    other.workdir.mkdir()
    other.state.symlink_to(hosted.state)
    assert other.run("teardown").code == 0
    assert _remaining(hosted) == list(KINDS)
    assert hosted.run("teardown").code == 0


def test_two_open_endpoints_are_both_tried_though_the_first_cannot_be_deleted(hosted):
    (name,) = hosted.names("endpoint")
    lines = (hosted.workdir / "journal.jsonl").read_bytes().splitlines()
    intent = next(json.loads(line) for line in lines if json.loads(line).get("bills") == "endpoint")
    earlier = {**intent, "resource": "asteroid-ll-0000000000000000"}
    (hosted.workdir / "journal.jsonl").write_bytes(b"\n".join([json.dumps(earlier).encode(), *lines, b""]))
    ended = hosted.run("teardown", "--json", faults="sagemaker:DescribeEndpoint:1:before:access-denied")
    assert ended.code == LEAK, ended.err
    assert "asteroid-ll-0000000000000000" in ended.json["error"]["what"]
    assert name not in ended.json["error"]["what"]
    assert _remaining(hosted) == []
    assert hosted.run("teardown").code == 0
