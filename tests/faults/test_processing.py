"""Processing jobs: the outputs of this machine; kill -9, signals, refusals and lost answers at each call.

The ledger of the emulator is the judge, as for training jobs.
"""

from __future__ import annotations

import json
import os
import re

import pytest

nightly = pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="starts several jobs; ASTEROID_LL_EXHAUSTIVE=1 runs it"
)

CALLS = (
    "sts:GetCallerIdentity",
    "s3:HeadBucket",
    "s3:CreateBucket",
    "s3:HeadObject",
    "s3:PutObject",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:CreateProcessingJob",
    "s3:ListObjectsV2",
    "s3:GetObject",
)
KILLED, INTERRUPTED = -9, 130
UNTIL_ENCODE = ("run-all", "--until", "encode")
IN_JOBS = ("--set", "stages.where=processing")


@pytest.fixture
def processed(place):
    """A place where clean and encode run as processing jobs, encode on two machines."""
    place.edit("report:", "stages: {where: processing}\nprocessing: {instance_count: 2}\nreport:")
    return place


def files_of(place):
    return {name: content for name, content in place.outputs().items() if name.startswith(("clean/", "encode/"))}


def assert_done(place, prepared_once, ended, *, n_jobs=2):
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": []}
    assert files_of(place) == files_of(prepared_once)
    assert len(place.names("processing-job")) == n_jobs
    assert_nothing_is_left(place)


def assert_nothing_is_left(place):
    assert place.open_intervals() == []
    assert not [path for path in place.workdir.rglob(".asteroid-ll-tmp-*") if path.is_file()]


def statuses(ended):
    return {stage["name"]: stage["status"] for stage in ended.json["stages"]}


def test_a_killed_run_adopts_its_job_with_its_log_and_the_bytes_are_those_of_this_machine(processed, prepared_once):
    processed.configure(training_starting_s=0.2)
    fault = "sagemaker:DescribeProcessingJob:3:after:kill"
    assert processed.run(*UNTIL_ENCODE, faults=fault).code == KILLED
    (name,) = processed.names("processing-job")
    assert processed.status_of("processing-job", name) == "InProgress"
    again = processed.run(*UNTIL_ENCODE, "--json", "--logs")
    assert_done(processed, prepared_once, again)
    assert statuses(again)["clean"] == "adopted"
    assert f"processing job {name}: adopted" in again.err
    assert {"clean", "encode on algo-1, one of 2", "encode on algo-2, one of 2"} <= set(again.err.splitlines())
    notes = [stage["note"] for stage in again.json["stages"]]
    assert re.search(rf"hazardous \(.*\); job {name}, \d+ billable seconds?$", notes[1])
    with processed.emulator() as emulator:
        ledger = emulator.ledger()
    assert [(interval.kind, interval.instance_count) for interval in ledger] == [("processing", 1), ("processing", 2)]
    for where in ("processing", "local"):
        again = processed.run(*UNTIL_ENCODE, "--json", "--set", f"stages.where={where}")
        assert set(statuses(again).values()) == {"skipped"}


@nightly
def test_the_calls_of_an_undisturbed_run_are_those_of_these_tests(processed, prepared_once, tmp_path):
    ended = processed.run(*UNTIL_ENCODE, "--json", calls=tmp_path / "calls")
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text("utf-8").splitlines()]
    assert tuple(dict.fromkeys(f"{service}:{name}" for service, name, _ in calls if service != "socket")) == CALLS
    assert_done(processed, prepared_once, ended)


@nightly
def test_a_refused_table_ends_as_on_this_machine(place):
    table = place.folder / "asteroids.csv"
    header, row, *rest = table.read_text("utf-8").splitlines()
    table.write_text("\n".join([header, *rest[:3], row.replace(",", ",nearby", 2)]) + "\n", "utf-8")
    here = place.run(*UNTIL_ENCODE, "--json")
    ended = place.run("clean", "--json", *IN_JOBS)
    assert (ended.code, ended.json["error"]) == (here.code, here.json["error"]), ended.err
    assert ended.code == 3
    assert ended.json["billing"] == {"open": []}
    assert_nothing_is_left(place)


@nightly
@pytest.mark.parametrize("command", ["clean", "run-all"])
def test_an_interrupted_job_goes_on_until_a_teardown(processed, workbench, command):
    assert processed.run("run-all", "--until", "fetch").code == 0
    processed.configure(training_starting_s=60.0)
    ended = processed.run(command, "--json", faults="sagemaker:DescribeProcessingJob:3:before:sigint")
    assert ended.code == INTERRUPTED, ended.err
    (name,) = processed.names("processing-job")
    assert ended.json["error"]["what"] == (
        f"Interrupted. Processing job {name} is still running, and bills until it ends."
    )
    assert ended.json["error"]["hint"] == ("asteroid-ll clean   waits for it again;   asteroid-ll teardown   stops it.")
    workbench.assert_one_sentence(ended)
    assert ended.json["billing"]["open"] == [{"kind": "processing-job", "name": name}]
    (billed,) = processed.run("status", "--json").json["billing"]["open"]
    assert (billed["kind"], billed["name"]) == ("processing-job", name)
    assert billed["price_usd_per_h"] == pytest.approx(0.23, abs=0.05)
    dry = processed.run("sweep", "--all", "--dry-run", "--json")
    assert [item["kind"] for item in dry.json["resources"]] == ["processing-job"]
    ended = processed.run("teardown")
    assert ended.code == 0, ended.err
    assert f"stopping processing job {name}" in ended.err
    assert processed.status_of("processing-job", name) == "Stopped"
    assert_nothing_is_left(processed)
    processed.configure(training_starting_s=0.0)
    assert processed.run("clean").code == 0
    assert processed.names("processing-job") == [name, f"{name}-2"]


@nightly
@pytest.mark.parametrize("command", ["sweep --all", "teardown"])
def test_a_job_whose_journal_is_lost_is_found_by_its_tags(processed, command):
    processed.configure(training_starting_s=60.0)
    fault = "sagemaker:DescribeProcessingJob:3:after:kill"
    assert processed.run(*UNTIL_ENCODE, faults=fault).code == KILLED
    assert [interval.kind for interval in processed.open_intervals()] == ["processing"]
    (processed.workdir / "journal.jsonl").unlink()
    ended = processed.run(*command.split(), "--json")
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": []}
    assert_nothing_is_left(processed)


FREQUENT = ("s3:HeadObject", "s3:PutObject", "sagemaker:DescribeProcessingJob", "s3:GetObject")
AFTER_A_KILL = [
    (command, f"{call}:{number}:{phase}:kill")
    for call, number in (*((call, 1) for call in CALLS), *((call, 3) for call in FREQUENT))
    for command in ("run-all", "teardown")
    for phase in ("before", "after")
]


@nightly
@pytest.mark.parametrize(("command", "fault"), AFTER_A_KILL)
def test_a_kill_in_a_call_is_repaired_by_the_next_run_and_cleared_by_a_teardown(
    processed, prepared_once, command, fault
):
    assert processed.run(*UNTIL_ENCODE, faults=fault).code == KILLED
    if command == "run-all":
        assert_done(processed, prepared_once, processed.run(*UNTIL_ENCODE, "--json"))
        return
    ended = processed.run(command, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": []}
    assert_nothing_is_left(processed)


@nightly
@pytest.mark.parametrize("fault", ["after:truncated", "before:throttle", "before:500", "after:reset"])
@pytest.mark.parametrize("call", CALLS[6:] + CALLS[:6])
def test_a_run_survives_that_a_call_fails_once(processed, prepared_once, call, fault):
    assert_done(processed, prepared_once, processed.run(*UNTIL_ENCODE, "--json", faults=f"{call}:1:{fault}"))


@nightly
@pytest.mark.parametrize(
    ("action", "path", "sentence"),
    [
        ("change", "features.json", "left another encode/features.json than its machine has written in"),
        ("change", "outcome-algo-2.json", "left an outcome that cannot be read, outcome-algo-2.json, in"),
        ("lose", "features.json", "left no encode/features.json in"),
        ("lose", "outcome-algo-2.json", "left the outcome of 1 of 2 machines in"),
        ("lose", "", ""),
    ],
)
def test_outputs_that_s3_has_lost_are_named_and_made_again(processed, prepared_once, workbench, action, path, sentence):
    assert processed.run(*UNTIL_ENCODE).code == 0
    with processed.emulator() as emulator:
        keys = [item.key for item in emulator.store.list(workbench.BUCKET)]
    (prefix,) = (key.removesuffix("features.json") for key in keys if key.endswith("/output/features.json"))
    name = prefix.split("/")[-3]

    def change(action, path):
        with processed.emulator() as emulator:
            for item in emulator.store.list(workbench.BUCKET, prefix + path):
                emulator.store.delete(workbench.BUCKET, item.key)
                if action == "change":
                    emulator.store.put(workbench.BUCKET, item.key, [b"{}"])

    change(action, path)
    (processed.workdir / "encode" / "features.json").unlink()
    ended = processed.run("encode", "--json")
    if sentence:
        assert ended.code == 4
        assert ended.json["error"]["what"].startswith(f"Processing job {name} {sentence} s3://")
        uri = f"s3://{workbench.BUCKET}/{prefix}"
        assert ended.json["error"]["hint"].startswith(f"aws s3 rm --recursive {uri}   removes it; ")
        workbench.assert_one_sentence(ended)
        change("lose", "")
        ended = processed.run("encode", "--json")
    assert_done(processed, prepared_once, ended, n_jobs=3)
