"""kill -9 between two stages: before or after the journal's record is on the disk."""

from __future__ import annotations

import json

import pytest

RECORDS_UNTIL_ENCODED = ("run intent", "fetch done", "clean done", "explore done", "split done", "encode done")
RECORDS_FROM_UPLOAD = (
    "upload done",
    "train intent",
    "train gone",
    "train done",
    "deploy intent",
    "predict done",
    "report done",
    "teardown gone",
)
KILLED = -9


def _records(place):
    lines = place.bytes_of("journal.jsonl").splitlines()
    return [f"{record['stage']} {record['event']}" for record in map(json.loads, lines)]


def test_the_records_of_these_tests_are_those_of_a_run(finished_once):
    assert tuple(_records(finished_once)) == RECORDS_UNTIL_ENCODED + RECORDS_FROM_UPLOAD


@pytest.mark.one_in(8)
@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("record", RECORDS_UNTIL_ENCODED)
def test_a_run_killed_at_a_local_stages_record_is_finished_by_the_next(place, prepared_once, record, phase):
    nth = RECORDS_UNTIL_ENCODED.index(record) + 1
    assert place.run("run-all", "--until", "encode", kill_at_record=(nth, phase)).code == KILLED
    again = place.run("run-all", "--until", "encode", "--json")
    assert again.code == 0, again.err
    n_records = nth if phase == "after" else nth - 1
    n_finished = max(n_records - 1, 0)  # the first record is that of the run
    statuses = [stage["status"] for stage in again.json["stages"]][:5]
    assert statuses == ["skipped"] * n_finished + ["run"] * (5 - n_finished)
    assert place.outputs() == prepared_once.outputs()


@pytest.mark.one_in(8)
@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("record", RECORDS_FROM_UPLOAD)
def test_a_run_killed_at_a_remote_stages_record_is_finished_by_the_next(
    prepared, finished_once, workbench, record, phase
):
    nth = RECORDS_FROM_UPLOAD.index(record) + 1
    assert prepared.run("run-all", kill_at_record=(nth, phase)).code == KILLED
    again = prepared.run("run-all", "--json")
    assert again.code == 0, again.err
    assert again.json["billing"] == {"open": []}
    assert prepared.metrics() == finished_once.metrics()
    names = [workbench.by_content(place.names("training-job")) for place in (prepared, finished_once)]
    assert names[0] == names[1]
    assert prepared.open_intervals() == []


def test_a_record_that_a_kill_cut_short_does_not_count(prepared):
    journal = prepared.workdir / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    again = prepared.run("run-all", "--until", "encode", "--json")
    assert again.code == 0, again.err
    assert again.status_of("split") == "skipped"
    assert again.status_of("encode") == "run"
    whole_lines = whole[: whole[:-20].rindex(b"\n") + 1]
    assert journal.read_bytes().startswith(whole_lines)


def test_what_a_killed_process_was_writing_is_swept_away(prepared):
    temporary = prepared.workdir / "encode" / ".asteroid-ll-tmp-0123456789abcdef-features.json"
    temporary.write_text("half", "utf-8")
    assert prepared.run("run-all", "--until", "encode").code == 0
    assert not temporary.exists()
