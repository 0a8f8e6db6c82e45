"""The one object on stdout: its version, its members and their types, for every command that has ``--json``."""

from __future__ import annotations

import json
import math

import pytest

STAGES = [
    *("fetch", "clean", "explore", "split", "encode", "upload", "train", "deploy", "predict", "report", "teardown")
]
ERROR_MEMBERS = {"what", "hint", "exit_code"}


def _assert_envelope(found, command, *, status="success"):
    assert found["asteroid_ll"] == 1
    assert found["command"] == command
    assert found["status"] == status
    assert isinstance(found["metrics"], dict)
    assert set(found["billing"]) == {"open"}
    for item in found["billing"]["open"] or ():
        assert {"kind", "name"} <= set(item)
    for stage in found["stages"]:
        assert stage["name"] in STAGES
        assert stage["status"] in ("run", "skipped", "adopted", "failed")
        assert stage["reason"]
        assert stage["seconds"] >= 0
    assert ("error" in found) == (status == "failed")
    if status == "failed":
        assert set(found["error"]) == ERROR_MEMBERS


def test_run_all_tells_every_stage_the_metrics_and_the_bill(finished):
    ended = finished.run("run-all", "--json", "--force", "predict")
    _assert_envelope(ended.json, "run-all")
    assert [stage["name"] for stage in ended.json["stages"]] == STAGES
    ran = [stage["name"] for stage in ended.json["stages"] if stage["status"] == "run"]
    assert ran == ["deploy", "predict", "teardown"]
    assert ended.json["metrics"] == finished.metrics()
    assert ended.json["findings"]
    assert ended.json["billing"] == {"open": []}


def test_a_run_where_all_is_up_to_date_tells_the_same_metrics(finished, finished_once):
    ended = finished.run("run-all", "--json")
    assert {stage["status"] for stage in ended.json["stages"]} == {"skipped"}
    assert ended.json["metrics"] == finished_once.metrics()


def test_the_numbers_of_the_metrics_are_all_finite_or_null(finished):
    def numbers(value):
        if isinstance(value, dict):
            return [n for item in value.values() for n in numbers(item)]
        return [value] if isinstance(value, float) else []

    found = numbers(finished.run("run-all", "--json").json["metrics"])
    assert found
    assert all(math.isfinite(number) for number in found)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_alone_tells_itself_only(finished, stage):
    ended = finished.run(stage, "--json")
    _assert_envelope(ended.json, stage)
    assert [item["name"] for item in ended.json["stages"]] == [stage]
    assert bool(ended.json["billing"]["open"]) == (stage == "deploy")
    if stage == "deploy":
        assert finished.run("teardown").code == 0


@pytest.mark.parametrize("command", ["run-all --dry-run", "plan", "train --dry-run", "predict --dry-run"])
def test_a_plan_is_an_envelope_too(place, command):
    ended = place.run(*command.split(), "--json")
    _assert_envelope(ended.json, command.split()[0])
    assert ended.json["dry_run"] is True
    assert {stage["seconds"] for stage in ended.json["stages"]} == {0.0}


def test_status_tells_what_is_done_and_what_is_open(finished):
    found = finished.run("status", "--json").json
    assert (found["asteroid_ll"], found["command"], found["status"]) == (1, "status", "success")
    done = [stage["name"] for stage in found["stages"] if stage["done"]]
    assert done == [stage for stage in STAGES if stage not in ("deploy", "teardown")]
    assert found["billing"] == {"open": []}


def test_scored_new_rows_are_counted(finished):
    ended = finished.run("predict", "--input", "asteroids.csv", "--offline", "--json")
    _assert_envelope(ended.json, "predict")
    assert ended.json["metrics"]["n_rows"] == 600


def test_parity_lists_every_number_with_its_verdict_and_fails_with_the_same_member(trained):
    ended = trained.run("parity", "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["command"], ended.json["status"]) == ("parity", "success")
    judged = ended.json["parity"]
    assert set(judged) == {
        *("job", "verdict", "sentence", "generation", "n_runs", "numbers", "decisions", "causes", "notes")
    }
    assert (judged["verdict"], judged["n_runs"]) == ("equal", 1)
    for item in judged["numbers"]:
        assert item["equal"] == len(item["values"]) > 0
        assert {"place", "job", "here", "verdict"} == set(item["values"][0])
    log = trained.workdir / "train" / "job.log"
    log.write_text(log.read_text("utf-8").replace("'beta_1': 'auto'", "'beta_1': '0.8'"), "utf-8")
    ended = trained.run("parity", "--json")
    assert ended.code == 3
    _assert_envelope(ended.json, "parity", status="failed")
    assert ended.json["error"]["exit_code"] == 3
    assert ended.json["parity"]["causes"][0]["kind"] == "container"


def test_config_show_and_validate_are_envelopes(place):
    shown = place.run("config", "show", "--json").json
    assert (shown["asteroid_ll"], shown["command"], shown["status"]) == (1, "config show", "success")
    assert shown["config"]["source"]["location"] == "asteroids.csv"
    valid = place.run("config", "validate", "--json").json
    assert (valid["command"], valid["status"], valid["problems"]) == ("config validate", "success", [])


def test_the_ledger_is_an_envelope(finished):
    found = finished.run("emulator", "ledger", "--json", config=None).json
    assert (found["asteroid_ll"], found["command"], found["status"]) == (1, "emulator ledger", "success")
    assert [item["kind"] for item in found["intervals"]] == ["training", "endpoint"]
    assert found["billing"] == {"open": []}


@pytest.mark.parametrize("command", ["config validate", "config show", "run-all", "plan", "status", "train"])
def test_a_failure_before_any_stage_is_an_envelope_with_the_error(place, command):
    place.edit("n_knots", "n_nots")
    ended = place.run(*command.split(), "--json")
    assert ended.code == 2
    _assert_envelope(ended.json, command, status="failed")
    assert ended.json["error"]["exit_code"] == 2
    assert ended.json["billing"] == {"open": None}
    assert "features.n_nots" in ended.json["error"]["what"]


@pytest.mark.parametrize(
    "line",
    [
        "run-all -c missing.yaml",
        "train --set training.nothing=1",
        "plan --set region=",
        "fetch --workdir asteroids.csv/x",
    ],
)
def test_an_error_never_states_that_nothing_is_open_while_an_endpoint_is(trained, line):
    assert trained.run("run-all", "--keep").code == 0
    ended = trained.run(*line.split(), "--json")
    assert ended.code != 0
    assert ended.json["billing"]["open"] is None
    assert trained.run("teardown").code == 0


def test_a_failed_stage_is_in_the_envelope_with_the_error(place):
    (place.folder / "asteroids.csv").write_text("", "utf-8")
    ended = place.run("run-all", "--json")
    assert ended.code == 3
    _assert_envelope(ended.json, "run-all", status="failed")
    assert ended.status_of("fetch") == "failed"
    assert ended.json["error"]["exit_code"] == 3


def test_stdout_holds_the_object_alone_and_stderr_the_progress(finished):
    ended = finished.run("run-all", "--json")
    assert ended.out.count("\n") == 1
    json.loads(ended.out)
    assert ended.err.startswith("fetch ")
