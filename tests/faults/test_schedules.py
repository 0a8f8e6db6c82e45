"""Two processes in a chosen order: one pauses before a call, the other acts, then the first continues."""

from __future__ import annotations

import os
import select
from contextlib import contextmanager

import pytest

CALLS = (
    "s3:PutObject",
    "sagemaker:CreateTrainingJob",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpoint",
    "sagemaker:DescribeEndpoint",
    "sagemaker-runtime:InvokeEndpoint",
    "sagemaker:DeleteEndpoint",
    "sagemaker:DeleteModel",
)
EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"
# The two that are left out wait 20 s for a resource that the other run has deleted.
WITHOUT_A_WAIT = ("sagemaker:CreateTrainingJob", "sagemaker-runtime:InvokeEndpoint", "sagemaker:DeleteModel")
REACHED_WITHIN_S = 30


@pytest.fixture
def stopped_before(tmp_path):
    """Run a command in a place up to a call; it continues when the block ends."""

    @contextmanager
    def stopped(place, call, *arguments):
        reached, resume = tmp_path / "reached", tmp_path / "resume"
        for pipe in (reached, resume):
            os.mkfifo(pipe)
        ended = []
        listening = os.open(reached, os.O_RDONLY | os.O_NONBLOCK)
        try:
            command = place.fork(*arguments, pause_before=(call, str(reached), str(resume)))
            assert select.select([listening], [], [], REACHED_WITHIN_S)[0], f"there was no {call}"
            yield ended
            resume.write_bytes(b"")
            ended.append(place.wait(command))
        finally:
            os.close(listening)

    return stopped


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("call", "other"), list(zip(CALLS, ("run-all", "teardown") * 4, strict=True)))
def test_a_second_command_in_the_directory_is_told_who_works_there_and_the_first_ends_well(
    prepared, finished_once, stopped_before, workbench, call, other
):
    with stopped_before(prepared, call, "run-all", "--json") as first:
        second = prepared.run(other, "--json")
        reading = prepared.run("status", "--json")
    assert second.code == 1
    assert '"run-all"' in second.json["error"]["what"]
    assert "PID" in second.json["error"]["what"]
    workbench.assert_one_sentence(second)
    assert reading.code == 0, reading.err
    assert first[0].code == 0, first[0].err
    assert prepared.metrics() == finished_once.metrics()
    assert len(prepared.names("training-job")) == 1
    assert prepared.open_intervals() == []


@pytest.mark.parametrize("call", CALLS if EXHAUSTIVE else WITHOUT_A_WAIT)
def test_two_directories_with_one_prefix_share_a_job_and_each_ends_well_or_says_what_the_other_did(
    prepared, prepared_once, new_place, finished_once, stopped_before, workbench, call
):
    other = new_place(like=prepared_once)
    prepared.state.mkdir(exist_ok=True)
    other.state.symlink_to(prepared.state)
    with stopped_before(prepared, call, "run-all", "--json") as first:
        second = other.run("run-all", "--json")
    for ended in (first[0], second):
        assert ended.code in (0, 4), ended.err
        if ended.code:
            workbench.assert_one_sentence(ended)
            assert ended.json["billing"] == {"open": []}
    assert prepared.open_intervals() == []
    for place in (prepared, other):
        assert place.run("run-all").code == 0
        assert place.metrics() == finished_once.metrics()
    assert len(prepared.names("training-job")) == 1
    assert prepared.open_intervals() == []
