"""``run-all --from --until --only --force --dry-run --keep``, ``plan`` and ``status``."""

from __future__ import annotations

import pytest


def _ran(ended):
    return [stage["name"] for stage in ended.json["stages"] if stage["status"] != "skipped"]


def _tree(place):
    return sorted(str(path.relative_to(place.folder)) for path in place.folder.rglob("*"))


def test_a_dry_run_writes_nothing(place):
    before = _tree(place)
    ended = place.run("run-all", "--dry-run")
    assert ended.code == 0
    assert ended.out.splitlines()[0] == "fetch     run  never ran"
    assert place.run("plan").out == ended.out
    assert _tree(place) == before


def test_status_of_an_empty_folder_writes_nothing(place):
    before = _tree(place)
    ended = place.run("status")
    assert ended.code == 0
    assert "Bill: nothing is open." in ended.out
    assert _tree(place) == before


def test_a_plan_of_a_finished_run_skips_all_and_says_why(finished):
    lines = finished.run("plan").out.splitlines()
    assert [line.split()[1] for line in lines] == ["skip"] * 11
    assert "up to date" in lines[0]
    assert "nothing needs it" in lines[7]
    assert "nothing is open" in lines[10]


def test_a_changed_setting_is_named_with_its_old_and_its_new_value(finished):
    finished.edit("epochs: 2", "epochs: 3")
    steps = {step["name"]: step for step in finished.run("plan", "--json").json["stages"]}
    assert steps["upload"]["status"] == "skipped"
    assert steps["train"]["status"] == "run"
    assert steps["train"]["reason"] == "hyperparameters.epochs is '3', was '2'"
    assert steps["predict"]["reason"] == "after train"
    assert steps["deploy"]["reason"] == "for predict"


def test_what_is_planned_is_what_runs(finished):
    finished.edit("n_knots: 8", "n_knots: 6")
    planned = _ran(finished.run("plan", "--json"))
    assert planned == ["encode", "upload", "train", "deploy", "predict", "report", "teardown"]
    assert _ran(finished.run("run-all", "--json")) == planned


def test_until_ends_with_that_stage_and_from_begins_there(place):
    first = place.run("run-all", "--until", "split", "--json")
    assert _ran(first) == ["fetch", "clean", "explore", "split"]
    second = place.run("run-all", "--from", "encode", "--until", "upload", "--json")
    assert _ran(second) == ["encode", "upload"]


def test_from_refuses_inputs_that_are_not_there(place):
    ended = place.run("run-all", "--from", "train")
    assert ended.code == 2
    assert "train needs the outputs of upload" in ended.err
    assert "Next:  asteroid-ll upload" in ended.err


def test_only_runs_just_these(finished):
    ended = finished.run("run-all", "--only", "explore", "--only", "clean", "--force", "clean", "--json")
    assert [stage["name"] for stage in ended.json["stages"] if stage["name"] != "teardown"] == ["clean", "explore"]
    assert ended.status_of("clean") == "run"


def test_force_runs_what_is_up_to_date_and_all_forces_everything(finished, finished_once):
    assert _ran(finished.run("run-all", "--force", "split", "--json")) == ["split"]
    assert _ran(finished.run("run-all", "--force", "all", "--json")) == [
        "fetch", "clean", "explore", "split", "encode", "upload", "train", "deploy", "predict", "report", "teardown",
    ]  # fmt: skip
    assert finished.metrics() == finished_once.metrics()


def test_keep_leaves_the_endpoint_and_says_so_and_the_next_run_ends_it(trained):
    kept = trained.run("run-all", "--keep")
    assert kept.code == 0
    (name,) = trained.names("endpoint")
    assert f"Bill: open, and billing until   asteroid-ll teardown\n  {name}" in kept.out
    assert len(trained.open_intervals()) == 1
    assert name in trained.run("status").out
    ended = trained.run("run-all", "--json")
    assert _ran(ended) == ["teardown"]
    assert ended.json["billing"] == {"open": []}
    assert trained.open_intervals() == []


def test_a_teardown_after_until_is_told_like_any_stage(trained):
    ended = trained.run("run-all", "--until", "deploy", "--force", "deploy")
    assert ended.code == 0
    assert any(line.startswith("teardown  ran") for line in ended.err.splitlines())
    assert trained.open_intervals() == []


def test_an_edited_output_is_noticed_and_made_again(finished, finished_once):
    (finished.workdir / "split" / "split.json").write_text("{}", "utf-8")
    ended = finished.run("run-all", "--json")
    assert _ran(ended) == ["split"]
    assert finished.bytes_of("split/split.json") == finished_once.bytes_of("split/split.json")


def test_an_object_that_is_gone_from_s3_is_noticed_when_it_is_needed(finished):
    with finished.emulator() as emulator:
        (bucket,) = emulator.store.buckets()
        for stored in emulator.store.list(bucket.name, "asteroid-ll/"):
            if stored.key.endswith("linear_train-00000.pbr"):
                emulator.store.delete(bucket.name, stored.key)
    assert _ran(finished.run("run-all", "--json")) == []
    ended = finished.run("run-all", "--force", "train", "--json")
    assert ended.code == 0, ended.err
    assert "upload" in _ran(ended)


@pytest.mark.parametrize("name", ["clean", "encode"])
def test_a_stage_of_this_machine_has_no_log_to_show(place, name):
    ended = place.run(name, "--logs")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        f"Error: {name} runs on this machine, so there is no job with a log.",
        f"Next:  asteroid-ll {name} -c small.yaml --logs --set stages.where=processing   runs it as a job.",
    ]
    assert not place.workdir.exists()
