"""Batch transform: kill -9, signals, refusals and lost answers at each AWS call; adoption, teardown, sweep.

The ledger of the emulator is the judge, as for training jobs.
"""

from __future__ import annotations

import json

import pytest

CALLS = (
    "sts:GetCallerIdentity",
    "s3:HeadObject",
    "sagemaker:CreateModel",
    "s3:HeadBucket",
    "s3:PutObject",
    "sagemaker:DescribeTransformJob",
    "sagemaker:CreateTransformJob",
    "s3:ListObjectsV2",
    "s3:GetObject",
    "sagemaker:DescribeModel",
    "sagemaker:ListTags",
    "sagemaker:DeleteModel",
    "sagemaker:ListModels",
    "sagemaker:ListEndpoints",
    "sagemaker:ListTrainingJobs",
    "sagemaker:ListTransformJobs",
    "sagemaker:ListProcessingJobs",
)
KILLED, INTERRUPTED = -9, 130


@pytest.fixture
def batch(trained):
    """A place where the model is trained and batch transform comes next."""
    trained.edit("report:", "hosting: {mode: batch}\nreport:")
    return trained


def assert_done(place, finished_once, ended, *, n_jobs=1):
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": []}
    assert place.metrics() == finished_once.metrics()
    assert place.bytes_of("predict/predictions.csv") == finished_once.bytes_of("predict/predictions.csv")
    assert len(place.names("transform-job")) == n_jobs
    assert_nothing_is_left(place)


def assert_nothing_is_left(place):
    assert place.open_intervals() == []
    assert place.names("model") == place.names("endpoint") == []
    assert not [path for path in place.workdir.rglob(".asteroid-ll-tmp-*") if path.is_file()]


def test_a_batch_run_scores_as_an_endpoint_and_its_calls_are_those_of_these_tests(batch, finished_once, tmp_path):
    ended = batch.run("run-all", "--json", calls=tmp_path / "calls")
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text("utf-8").splitlines()]
    assert tuple(dict.fromkeys(f"{service}:{name}" for service, name, _ in calls if service != "socket")) == CALLS
    assert_done(batch, finished_once, ended)
    assert ended.json["bill"]["transform"]["instances"] == "1 x ml.m5.large"
    assert ended.json["bill"]["transform"]["billable_s"] >= 0


AFTER_A_KILL = [
    (command, f"{call}:1:{phase}:kill")
    for call in CALLS[7:] + CALLS[:7]
    for command, phase in (("run-all", "before"), ("run-all", "after"), ("teardown", "before"), ("teardown", "after"))
]


@pytest.mark.one_in(64)
@pytest.mark.parametrize(("command", "fault"), AFTER_A_KILL)
def test_a_kill_in_a_call_is_repaired_by_the_next_run_and_cleared_by_a_teardown(batch, finished_once, command, fault):
    assert batch.run("run-all", faults=fault).code == KILLED
    ended = batch.run(command, "--json")
    if command == "run-all":
        assert_done(batch, finished_once, ended)
        return
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": []}
    assert_nothing_is_left(batch)


@pytest.mark.one_in(64)
@pytest.mark.parametrize("fault", ["after:truncated", "before:throttle", "before:500", "after:reset"])
@pytest.mark.parametrize("call", CALLS[4:] + CALLS[:4])
def test_a_batch_run_survives_that_a_call_fails_once(batch, finished_once, call, fault):
    assert_done(batch, finished_once, batch.run("run-all", "--json", faults=f"{call}:1:{fault}"))


@pytest.mark.one_in(16)
@pytest.mark.parametrize("call", CALLS[6:] + CALLS[:6])
def test_a_call_that_is_throttled_for_good_exits_4_or_names_what_is_left(workbench, batch, call):
    ended = batch.run("run-all", "--json", faults=f"{call}:*:before:throttle")
    may_remain = ended.json["billing"]["open"]
    is_unknown = call in CALLS[-4:]  # the listings
    assert ended.code in ((6,) if may_remain or is_unknown else (4, 6)), ended.err
    assert may_remain or not batch.names("model")
    workbench.assert_one_sentence(ended)
    assert batch.run("run-all").code == 0
    assert_nothing_is_left(batch)


@pytest.mark.one_in(20)
@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize(
    "call",
    ["s3:PutObject:1", "sagemaker:CreateModel:1", "s3:ListObjectsV2:1", "s3:GetObject:1", "sagemaker:DeleteModel:1"],
)
def test_a_signal_without_a_running_job_ends_with_teardown(batch, call, phase):
    ended = batch.run("run-all", "--json", faults=f"{call}:{phase}:sigterm")
    assert ended.code == INTERRUPTED, ended.err
    assert ended.json["billing"] == {"open": []}
    assert_nothing_is_left(batch)


def test_an_interrupted_job_goes_on_with_its_model_until_a_teardown(batch, finished_once, workbench):
    batch.configure(training_starting_s=60.0)
    ended = batch.run("run-all", "--json", faults="sagemaker:DescribeTransformJob:4:before:sigint")
    assert ended.code == INTERRUPTED, ended.err
    (name,), (model,) = batch.names("transform-job"), batch.names("model")
    assert ended.json["error"]["what"] == (
        f"Interrupted. Transform job {name} is still running, and bills until it ends."
    )
    assert ended.json["error"]["hint"].startswith("The same command waits for it again;")
    workbench.assert_one_sentence(ended)
    assert {"kind": "transform-job", "name": name} in ended.json["billing"]["open"]
    assert {"kind": "model", "name": model} in ended.json["billing"]["open"]
    (billed,) = batch.run("status", "--json").json["billing"]["open"]
    assert (billed["kind"], billed["name"]) == ("transform-job", name)
    assert billed["price_usd_per_h"] == pytest.approx(0.115, abs=0.05)
    dry = batch.run("sweep", "--all", "--dry-run", "--json")
    assert [item["kind"] for item in dry.json["resources"]] == ["transform-job", "model"]
    ended = batch.run("teardown")
    assert ended.code == 0, ended.err
    assert ended.err.index(f"stopping transform job {name}") < ended.err.index(f"deleting model {model}")
    assert batch.status_of("transform-job", name) == "Stopped"
    assert_nothing_is_left(batch)
    batch.configure(training_starting_s=0.0)
    assert_done(batch, finished_once, batch.run("run-all", "--json"), n_jobs=2)
    assert batch.names("transform-job") == [name, f"{name}-2"]


def test_a_job_goes_on_without_its_killed_command_and_is_adopted(batch, finished_once):
    batch.configure(training_starting_s=0.5)
    assert batch.run("run-all", faults="sagemaker:DescribeTransformJob:3:after:kill").code == KILLED
    assert batch.status_of("transform-job", *batch.names("transform-job")) == "InProgress"
    again = batch.run("run-all", "--json")
    assert_done(batch, finished_once, again)
    assert ": adopted" in again.err


@pytest.mark.one_in(2)
@pytest.mark.parametrize("command", ["sweep --all", "teardown"])
def test_a_job_whose_journal_is_lost_is_found_by_its_tags(batch, command):
    batch.configure(training_starting_s=60.0)
    assert batch.run("run-all", faults="sagemaker:DescribeTransformJob:3:after:kill").code == KILLED
    assert [interval.kind for interval in batch.open_intervals()] == ["transform"]
    (batch.workdir / "journal.jsonl").unlink()
    ended = batch.run(*command.split(), "--json")
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": []}
    assert_nothing_is_left(batch)
