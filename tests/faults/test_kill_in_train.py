"""kill -9 while the training job runs: of the command that waits for it, and of the job's own process."""

from __future__ import annotations

import os
import signal

import pytest

KILLED = -9


def test_a_job_goes_on_without_its_command_and_is_adopted_by_the_next(prepared, finished_once):
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:after:kill").code == KILLED
    (name,) = prepared.names("training-job")
    prepared.wait_for_job(name)
    again = prepared.run("run-all", "--json")
    assert again.code == 0, again.err
    assert again.status_of("train") == "adopted"
    assert prepared.names("training-job") == [name]
    assert prepared.metrics() == finished_once.metrics()
    assert prepared.open_intervals() == []


def test_teardown_stops_a_job_whose_command_was_killed(prepared):
    prepared.configure(training_starting_s=60.0)
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:after:kill").code == KILLED
    (name,) = prepared.names("training-job")
    assert [interval.kind for interval in prepared.open_intervals()] == ["training"]
    ended = prepared.run("teardown", "--json")
    assert ended.code == 0, ended.err
    assert prepared.status_of("training-job", name) == "Stopped"
    assert prepared.open_intervals() == []


def test_status_shows_a_running_job_with_its_price(prepared):
    prepared.configure(training_starting_s=60.0)
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:after:kill").code == KILLED
    (billed,) = prepared.run("status", "--json").json["billing"]["open"]
    assert (billed["kind"], billed["name"]) == ("training-job", *prepared.names("training-job"))
    assert billed["price_usd_per_h"] == pytest.approx(0.115, abs=0.05)
    assert prepared.run("teardown").code == 0


def test_a_job_whose_process_was_killed_has_failed_and_the_next_run_starts_another(prepared, finished_once):
    prepared.configure(training_starting_s=60.0)
    with prepared.start("run-all") as command:
        for line in command.stderr:
            if line.startswith("train"):
                break
        os.kill(prepared.worker_pid(), signal.SIGKILL)
        _, err = command.communicate(timeout=60)
    assert command.returncode == 4
    (name,) = prepared.names("training-job")
    assert f"Training job {name} failed: InternalServerError" in err
    assert "Next:" in err
    assert prepared.open_intervals() == []
    prepared.configure(training_starting_s=0.0)
    again = prepared.run("run-all", "--json")
    assert again.code == 0, again.err
    assert prepared.names("training-job") == [name, f"{name}-2"]
    assert prepared.metrics() == finished_once.metrics()
