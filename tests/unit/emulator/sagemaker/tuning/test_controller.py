"""The controller starts as many training jobs as it may, ends by AWS's criteria, and continues after a kill."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.resources import TUNING_JOB
from asteroid_ll.emulator.sagemaker.tuning.controller import Controller
from asteroid_ll.emulator.worker.jobs import TUNING, Jobs
from asteroid_ll.emulator.worker.log import TRAINING_GROUP, LogStore

REGION = "us-west-2"


def run(tuned, *values):
    """Let the controller step until the end; each training job ends with the next value."""
    number = 0
    while not tuned.step():
        number += 1
        tuned.end(number, values[number - 1])
    return tuned.describe()


def test_it_keeps_as_many_training_jobs_running_as_it_may(tuned):
    tuning = tuned(limits={"MaxParallelTrainingJobs": 2, "MaxNumberOfTrainingJobs": 3})
    assert not tuning.step()
    assert len(tuning.names()) == 2
    assert not tuning.step()
    assert len(tuning.names()) == 2
    tuning.end(1, 1.0)
    tuning.step()
    assert len(tuning.names()) == 3
    tuning.end(2, 0.5)
    tuning.end(3, 0.7)
    assert tuning.describe()["HyperParameterTuningJobStatus"] == "InProgress"
    assert tuning.step()
    assert tuning.describe()["HyperParameterTuningJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("direction", "metric", "target", "values", "n_jobs"),
    [
        ("Minimize", "validation:objective_loss", 0.5, (0.9, 0.6, 0.5), 3),
        ("Maximize", "validation:recall", 0.5, (0.1, 0.49, 0.51), 3),
        ("Minimize", "validation:objective_loss", 0.0, (3, 2, 1, 1, 1), 5),
    ],
)
def test_it_ends_when_the_target_is_reached(tuned, direction, metric, target, values, n_jobs):
    tuning = tuned(
        limits={"MaxNumberOfTrainingJobs": 5},
        config={
            "HyperParameterTuningJobObjective": {"Type": direction, "MetricName": metric},
            "TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": target},
        },
    )
    job = run(tuning, *values)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert len(tuning.names()) == n_jobs


def test_it_ends_when_three_training_jobs_are_no_better_by_a_hundredth(tuned):
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 9}, config={"TuningJobCompletionCriteria": criteria})
    job = run(tuning, 1.0, 0.995, 0.98, 0.975, 2.0, 0.98)
    assert len(tuning.names()) == 6
    assert job["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] == 3
    assert job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == pytest.approx(0.975)


def test_it_stops_its_training_jobs_when_its_time_is_over(tuned, emulator, monkeypatch):
    tuning = tuned(limits={"MaxRuntimeInSeconds": 120})
    tuning.step()
    controller = tuning.controller()
    now_s = emulator.state.now() + 121
    monkeypatch.setattr(controller.state, "now", lambda: now_s)
    monkeypatch.setattr(Jobs, "settle", lambda _: None)
    assert not controller.step()
    (name,) = tuning.names()
    assert emulator.services.jobs.get(REGION, name).status == "Stopping"
    tuning.end(1, 0.5, status="Stopped")
    assert controller.step()
    assert tuning.describe()["HyperParameterTuningJobStatus"] == "Completed"


def test_a_stop_ends_the_training_jobs_first(tuned):
    tuning = tuned(limits={"MaxParallelTrainingJobs": 2})
    tuning.step()
    tuning.end(1, 0.5)
    tuning.stop()
    assert tuning.describe()["HyperParameterTuningJobStatus"] == "Stopping"
    assert not tuning.step()
    assert [row["TrainingJobStatus"] for row in tuning.rows()] == ["Completed", "Stopping"]
    tuning.end(2, status="Stopped")
    assert tuning.step()
    assert tuning.describe()["HyperParameterTuningJobStatus"] == "Stopped"
    assert tuning.describe()["TrainingJobStatusCounters"]["Stopped"] == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (
            "Failed",
            "No training job succeeded after 2 attempts. Please take a look at the training job failures to",
        ),
        ("Completed", "No objective metrics found after running 2 training jobs. Please ensure that the custom"),
    ],
)
def test_it_fails_if_no_training_job_has_a_result(tuned, status, reason):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 2})
    for number in (1, 2):
        tuning.step()
        tuning.end(number, status=status, reason="ClientError: a" if status == "Failed" else "")
    assert tuning.step()
    job = tuning.describe()
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(reason)
    assert "BestTrainingJob" not in job


def test_it_fails_after_five_attempts_and_not_after_an_early_success(tuned):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 8})
    tuning.step()
    tuning.end(1, 1.0)
    for number in range(2, 8):
        assert not tuning.step()
        tuning.end(number, status="Failed", reason="InternalServerError: a")
    assert not tuning.step()
    assert tuning.describe()["TrainingJobStatusCounters"]["RetryableError"] == 6


def test_the_median_rule_stops_a_training_job(tuned, emulator):
    tuning = tuned(config={"TrainingJobEarlyStoppingType": "Auto"})
    tuning.step()
    log(emulator, tuning.names()[0], 3.0, 2.0)
    tuning.end(1, 2.0)
    tuning.step()
    log(emulator, tuning.names()[1], 2.9, 2.4)
    tuning.step()
    assert tuning.rows()[1]["TrainingJobStatus"] == "InProgress"
    log(emulator, tuning.names()[1], 2.6)  # the third epoch, which the first job did not reach
    tuning.step()
    assert tuning.rows()[1]["TrainingJobStatus"] == "InProgress"
    tuning.end(2, 2.6)
    tuning.step()
    log(emulator, tuning.names()[2], 3.1)  # the median of 3.0 and 2.9 is 2.95
    tuning.step()
    assert tuning.rows()[2]["TrainingJobStatus"] == "Stopping"
    tuning.end(3, 3.1, status="Stopped")
    assert tuning.step()
    assert tuning.describe()["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}


def log(emulator, name, *losses):
    lines = [(1.0, f"#quality_metric: host=algo-1, epoch=0, validation mse_objective <loss>={loss}") for loss in losses]
    LogStore(emulator.state).append(REGION, TRAINING_GROUP, f"{name}/algo-1-1", lines=lines)


class Killed(BaseException):
    """Stands for kill -9 at a point of the controller."""


@pytest.mark.parametrize("point", ["suggest", "note", "new", "spawn", "adopted"])
def test_a_controller_that_dies_anywhere_leaves_no_training_job_twice(tuned, monkeypatch, emulator, point):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 2})
    controller = tuning.controller()
    with monkeypatch.context() as patch:
        kill(patch, point)
        with pytest.raises(Killed):
            controller.step()
    before = tuning.names()
    assert len(before) == (0 if point in ("suggest", "note", "new") else 1)
    assert not tuning.step()
    assert len(tuning.names()) == 1
    assert tuning.names()[: len(before)] == before
    tuning.end(1, 1.0)
    tuning.step()
    tuning.end(2, 2.0)
    assert tuning.step()
    assert [name.split("-")[1] for name in tuning.names()] == ["001", "002"]
    assert len(tuning.rows()) == 2
    assert open_intervals(emulator.state) == []


def kill(patch, point):
    def die(*_, **__):
        raise Killed

    def then_die(method):
        def call(*arguments, **named):
            method(*arguments, **named)
            raise Killed

        return call

    if point == "suggest":
        patch.setattr("asteroid_ll.emulator.sagemaker.tuning.controller.suggest", die)
    elif point == "note":
        patch.setattr(Jobs, "note", then_die(Jobs.note))
    elif point == "adopted":
        patch.setattr(Controller, "_adopt_next", then_die_after(1, Controller._adopt_next))
    else:
        patch.setattr(Jobs, point, die)


def then_die_after(n_calls, method):
    def call(*arguments):
        nonlocal n_calls
        result = method(*arguments)
        n_calls -= 1
        if n_calls < 0:
            raise Killed
        return result

    return call


def test_a_stop_finds_the_training_job_of_a_controller_that_died(tuned, monkeypatch):
    tuning = tuned()
    with monkeypatch.context() as patch:
        kill(patch, "spawn")
        with pytest.raises(Killed):
            tuning.step()
    tuning.stop()
    assert not tuning.step()
    assert [row["TrainingJobStatus"] for row in tuning.rows()] == ["Stopping"]


def test_two_processes_that_find_a_dead_controller_start_one(tuned, emulator, monkeypatch):
    tuned()
    tunings, late = emulator.services.tunings, Jobs(emulator.state, TUNING)
    tunings.note(tunings.get(REGION, "tune"), worker={"pid": 1, "started": "long ago"})
    rows = tunings.resources.find(TUNING_JOB)
    monkeypatch.setattr(late.resources, "find", lambda *_, **__: rows)  # read before the other process acted
    claimed = {"pid": 1, "started": "just now"}
    monkeypatch.setattr(Jobs, "spawn", lambda jobs, job: jobs.note(job, worker=claimed))
    tunings.settle()
    monkeypatch.setattr(Jobs, "spawn", lambda *_: pytest.fail("a second controller"))
    late.settle()
    assert tunings.get(REGION, "tune").body["worker"] == claimed


def test_a_deleted_tuning_job_ends_its_controller(tuned, emulator):
    tuning = tuned()
    controller = tuning.controller()
    emulator.services.tunings.delete_all()
    controller.run()
    assert tuning.names() == []


def alive(emulator) -> Iterator[int]:
    row = emulator.services.tunings.get(REGION, "tune")
    if row is not None and "worker" in row.body and row.body["worker"]:
        yield row.body["worker"]["pid"]


def test_real_processes_tune_survive_a_kill_and_bill_each_training_job_once(
    stand_in, sagemaker, bucket, tuning_request
):
    name = {"HyperParameterTuningJobName": "tune"}
    limits = {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2}
    sagemaker.create_hyper_parameter_tuning_job(**tuning_request(limits=limits, Tags=[{"Key": "a", "Value": "b"}]))
    killed, limit_s = 0, time.monotonic() + 60
    job = sagemaker.describe_hyper_parameter_tuning_job(**name)
    while job["HyperParameterTuningJobStatus"] == "InProgress":
        assert time.monotonic() < limit_s, job
        if not killed and job["TrainingJobStatusCounters"]["InProgress"]:
            (killed,) = alive(stand_in)
            os.kill(killed, signal.SIGKILL)
        time.sleep(0.02)
        job = sagemaker.describe_hyper_parameter_tuning_job(**name)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert killed
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**name)["TrainingJobSummaries"]
    assert [row["TrainingJobName"].split("-")[1] for row in rows] == ["001", "002", "003"]
    intervals = stand_in.ledger()
    assert {interval.arn for interval in intervals} == {row["TrainingJobArn"] for row in rows}
    assert [interval.kind for interval in intervals] == ["training"] * 3
    assert all(interval.tags == {"a": "b"} and interval.ended_s is not None for interval in intervals)
