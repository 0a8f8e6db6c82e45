"""Tuning jobs as clients see them: the refusals of AWS, the search, the ends, and a process that may be killed.

The messages about metrics, combinations, names and attempts are those of public issues of sagemaker-python-sdk,
amazon-sagemaker-examples and amazon-sagemaker-operator-for-k8s.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asteroid_ll import Emulator
from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.processes import ProcessId
from asteroid_ll.emulator.resources import TRAINING_JOB, TUNING_JOB
from asteroid_ll.emulator.sagemaker import tuning as module
from asteroid_ll.emulator.sagemaker.ranges import CATEGORICAL, CONTINUOUS, INTEGER, TUNABLE, suggest
from asteroid_ll.emulator.sagemaker.tuning import OBJECTIVES, Controller
from asteroid_ll.emulator.worker.jobs import TUNING, Jobs
from asteroid_ll.emulator.worker.log import DEFINITIONS
from asteroid_ll.linear_learner.hyperparameters import HYPERPARAMETERS
from asteroid_ll.linear_learner.images import image_uri

REGION = "us-west-2"
ARN = f"arn:aws:sagemaker:{REGION}:000000000000"
NAME = {"HyperParameterTuningJobName": "tune"}
TAGS = [{"Key": "team", "Value": "rocks"}]
ALGORITHM = f"[{image_uri(REGION)}] algorithm"


@pytest.fixture
def tuned(emulator, sagemaker, bucket, tuning_request, monkeypatch) -> Callable[..., SimpleNamespace]:
    """Create a tuning job without a process; ``step`` is the controller's, ``end`` ends the n-th training job."""
    monkeypatch.setattr(Jobs, "spawn", lambda *_: None)
    services = emulator.services

    def start(**changes: Any) -> SimpleNamespace:
        sagemaker.create_hyper_parameter_tuning_job(**tuning_request(**changes))

        def controller() -> Controller:
            return Controller(emulator.state, services.resources.get(TUNING_JOB, REGION, "tune"))

        def names() -> list[str]:
            return [job.name for job in services.resources.find(TRAINING_JOB, region=REGION)]

        def end(number: int, value: float | None = None, *, status: str = "Completed", **facts: Any) -> None:
            job, tuning = services.jobs.get(REGION, names()[number - 1]), services.tunings.get(REGION, "tune")
            objective = tuning.body["request"]["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
            metric = {"MetricName": objective["MetricName"], "Value": value, "Timestamp": 1.0}
            services.jobs.step(job, "Training")
            services.jobs.finish(job, status, metrics=[] if value is None else [metric], **facts)

        return SimpleNamespace(
            controller=controller,
            step=lambda: controller().step(),
            end=end,
            names=names,
            describe=lambda: sagemaker.describe_hyper_parameter_tuning_job(**NAME),
            rows=lambda **params: sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**NAME, **params)[
                "TrainingJobSummaries"
            ],
        )

    return start


def numbers(name, low, high, scaling="Auto"):
    return {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def config(**members):
    return {"config": members}


def objective(metric, direction):
    return config(HyperParameterTuningJobObjective={"MetricName": metric, "Type": direction})


def ranges(*found, kind=CONTINUOUS):
    return {"ranges": {CONTINUOUS: [], kind: list(found)}}


def categories(*values):
    return ranges({"Name": "use_bias", "Values": list(values)}, kind=CATEGORICAL)


OWN_METRICS = {"TrainingImage": image_uri(REGION), "TrainingInputMode": "File"}
OWN_METRICS["MetricDefinitions"] = [{"Name": "a", "Regex": "b"}]
POOL = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1, "KeepAlivePeriodInSeconds": 60}
SEVERAL = {"InstanceConfigs": [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}]}
PARENTS = {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "a"}]}
REFUSED = {
    "no-metric": (
        config(HyperParameterTuningJobObjective=None),
        "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric definitions",
    ),
    "unknown-metric": (
        objective("validation:auc", "Maximize"),
        f"The objective metric, [validation:auc], isn't valid for the {ALGORITHM}. Choose a valid objective metric.",
    ),
    "direction": (
        objective("validation:mse", "Maximize"),
        "The objective metric type, [Maximize], that you specified for objective metric, [validation:mse], isn't "
        f"valid for the {ALGORITHM}. Choose a valid objective metric type.",
    ),
    "own-metrics": (
        {"definition": {"AlgorithmSpecification": OWN_METRICS}},
        "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request without",
    ),
    "combinations": (
        categories("true", "false"),
        "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations "
        "for the provided ranges [2.0] must be equal or greater than the value of MaxNumberOfJobs, [3]. Provide",
    ),
    "no-range": (ranges(), "at least one range"),
    "twice": (ranges(*[numbers("wd", "0", "1")] * 2), "each hyperparameter has one range"),
    "fixed": ({"definition": {"StaticHyperParameters": {"wd": "1"}}}, "StaticHyperParameters: [wd]"),
    "not-tunable": (ranges(numbers("epochs", "1", "9"), kind=INTEGER), "[epochs], isn't tunable for the"),
    "wrong-kind": (ranges(numbers("l1", "1", "9"), kind=INTEGER), "[l1], isn't tunable for the"),
    "not-a-number": (ranges(numbers("wd", "auto", "1")), "[wd], isn't valid"),
    "reversed": (ranges(numbers("wd", "1", "0.1")), "needs numbers with MinValue <="),
    "negative": (ranges(numbers("wd", "-1", "1")), "[wd], isn't valid"),
    "fraction": (ranges(numbers("mini_batch_size", "1.5", "9"), kind=INTEGER), "[mini_batch_size], isn't valid"),
    "category": (categories("maybe"), "[use_bias], isn't valid"),
    "same-category": (categories("true", "true"), "are not unique"),
    "logarithm-of-0": (ranges(numbers("wd", "0", "1", "Logarithmic")), "greater than 0"),
    "reverse": (ranges(numbers("wd", "0", "0.9", "ReverseLogarithmic")), "no ScalingType ReverseLogarithmic"),
    "no-end": ({"limits": {"MaxNumberOfTrainingJobs": None}}, "ResourceLimits needs MaxNumberOfTrainingJobs"),
    "grid-of-numbers": (config(Strategy="Grid"), "Grid supports CategoricalParameterRanges only"),
    "grid-size": (config(Strategy="Grid") | categories("true", "false"), "combinations, [2], or left out"),
    "no-definition": ({"TrainingJobDefinition": None}, "needs a TrainingJobDefinition"),
    "hyperband": (config(Strategy="Hyperband"), "no HyperParameterTuningJobConfig.Strategy Hyperband."),
    "early": (config(TrainingJobEarlyStoppingType="Auto"), "no HyperParameterTuningJobConfig.TrainingJobEarlyStopping"),
    "warm-start": ({"WarmStartConfig": {"WarmStartType": "TransferLearning", **PARENTS}}, "has no WarmStartConfig."),
    "autotune": ({"Autotune": {"Mode": "Enabled"}}, "The emulator has no Autotune."),
    "automatic": (
        {"ranges": {"AutoParameters": [{"Name": "wd", "ValueHint": "1"}]}},
        "no ParameterRanges.AutoParameters.",
    ),
    "not-improving": (
        config(TuningJobCompletionCriteria={"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}),
        "no TuningJobCompletionCriteria.BestObjectiveNotImproving.",
    ),
    "convergence": (
        config(TuningJobCompletionCriteria={"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}),
        "no TuningJobCompletionCriteria.ConvergenceDetected.CompleteOnConvergence Enabled.",
    ),
    "several": ({"definition": {"HyperParameterTuningResourceConfig": SEVERAL}}, "ResourceConfig.InstanceConfigs."),
    "warm-pool": ({"definition": {"ResourceConfig": POOL}}, "no ResourceConfig.KeepAlivePeriodInSeconds."),
    "role": ({"definition": {"RoleArn": "arn:aws:iam::123456789012:role/a"}}, "Could not assume role"),
}


def test_a_bad_request_is_refused_by_its_reason(sagemaker, bucket, tuning_request, refused):
    for case, (changes, words) in REFUSED.items():
        code, message = refused(sagemaker.create_hyper_parameter_tuning_job, **tuning_request(**changes))
        assert (code, words in message) == ("ValidationException", True), f"{case}: {message}"
    assert sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []


def test_limits_and_the_quota_of_all_parallel_training_jobs_are_refused(
    emulator, sagemaker, bucket, tuning_request, refused
):
    emulator.configure(quotas={"ml.m5.large for training job usage": 2})
    for limits, words in (
        ({"MaxParallelTrainingJobs": 3}, "is 2 Instances, with current utilization of 0 Instances and a request delta"),
        ({"MaxNumberOfTrainingJobs": 751}, "is 750 Jobs"),
    ):
        code, message = refused(sagemaker.create_hyper_parameter_tuning_job, **tuning_request(limits=limits))
        assert (code, words in message) == ("ResourceLimitExceeded", True), message


def test_each_tunable_hyperparameter_and_each_objective_exists():
    assert TUNABLE.keys() <= HYPERPARAMETERS.keys()
    assert OBJECTIVES.keys() <= DEFINITIONS.keys()
    assert len(OBJECTIVES) == 29  # 14 of both channels, and validation:rmse


def search(strategy, n_jobs, **lists):
    found = {kind: lists.get(kind, []) for kind in (INTEGER, CONTINUOUS, CATEGORICAL)}
    tried = []
    for _ in range(n_jobs):
        tried.append(suggest({"Strategy": strategy, "ParameterRanges": found}, tried, seed=7))
    return tried


def test_grid_counts_every_combination_with_the_last_range_fastest():
    values = [{"Name": "use_bias", "Values": ["true", "false"]}, {"Name": "l1", "Values": ["1", "2", "3"]}]
    tried = search("Grid", 6, **{CATEGORICAL: values})
    assert [(one["use_bias"], one["l1"]) for one in tried] == [(b, n) for b in ("true", "false") for n in "123"]


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_every_other_strategy_draws_repeatably_on_the_scale_and_tries_nothing_twice(strategy):
    lists = {
        INTEGER: [numbers("mini_batch_size", "1", "3")],
        CATEGORICAL: [{"Name": "use_bias", "Values": ["true", "false"]}],
    }
    assert len({tuple(one.items()) for one in search(strategy, 6, **lists)}) == 6
    wide = {CONTINUOUS: [numbers("wd", "1e-6", "1"), numbers("l1", "1", "9")]}
    tried = search(strategy, 400, **wide)
    assert tried == search(strategy, 400, **wide)
    assert 0.4 < sum(float(one["wd"]) < 1e-3 for one in tried) / 400 < 0.6  # Auto is logarithmic over 6 decades
    assert 0.4 < sum(float(one["l1"]) < 5 for one in tried) / 400 < 0.6
    assert all(1e-6 <= float(one["wd"]) <= 1 <= float(one["l1"]) <= 9 for one in tried)
    same = {CONTINUOUS: [numbers("wd", "1", "1.0000000000000002")]}
    assert len(search(strategy, 3, **same)) == 3  # there are only two such numbers


def test_a_tuning_job_has_the_story_that_the_sdks_read(tuned, sagemaker, refused):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2}, Tags=TAGS)
    assert not tuning.step()
    assert len(tuning.names()) == 2
    job = tuning.describe()
    assert job["HyperParameterTuningJobArn"] == f"{ARN}:hyper-parameter-tuning-job/tune"
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 2, "Failed": 0}
    found = job["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert (set(found), found[CONTINUOUS][0]["ScalingType"]) == ({CATEGORICAL, CONTINUOUS, INTEGER}, "Auto")
    definition = job["TrainingJobDefinition"]
    assert definition["StaticHyperParameters"]["_tuning_objective_metric"] == "validation:objective_loss"
    assert {"train:mse"} < {metric["Name"] for metric in definition["AlgorithmSpecification"]["MetricDefinitions"]}
    assert refused(sagemaker.delete_hyper_parameter_tuning_job, **NAME)[0] == "ResourceInUse"
    for number, value in ((1, 0.5), (2, 0.25)):
        tuning.end(number, value)
    tuning.step()
    tuning.end(3, status="Failed", reason="ClientError: a")
    assert tuning.step()
    job = tuning.describe()
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["CreationTime"] <= job["HyperParameterTuningEndTime"] == job["LastModifiedTime"]
    counts = {"Completed": 2, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 1, "Stopped": 0}
    assert job["TrainingJobStatusCounters"] == counts
    best = job["BestTrainingJob"]
    assert best == tuning.rows()[1]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.25
    assert (best["ObjectiveStatus"], list(best["TunedHyperParameters"])) == ("Succeeded", ["wd"])
    refusal = "The request was rejected because the hyperparameter tuning job is in status Completed."
    assert refused(sagemaker.stop_hyper_parameter_tuning_job, **NAME) == ("ValidationException", refusal)
    sagemaker.delete_hyper_parameter_tuning_job(**NAME)
    words = "Amazon SageMaker can't find a tuning job called tune. Type another name."
    assert refused(sagemaker.describe_hyper_parameter_tuning_job, **NAME) == ("ResourceNotFound", words)
    assert len(tuning.names()) == 3


def test_a_training_job_inherits_the_definition(tuned, sagemaker, emulator):
    definition = {
        "StaticHyperParameters": {"predictor_type": "binary_classifier"},
        "VpcConfig": {"Subnets": ["subnet-12345678"], "SecurityGroupIds": ["sg-12345678"]},
        "ResourceConfig": None,
        "HyperParameterTuningResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 9},
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90},
        "CheckpointConfig": {"S3Uri": "s3://asteroids/checkpoints/"},
        "DefinitionName": "first",
    }
    tuning = tuned(definition=definition, Tags=TAGS)
    tuning.step()
    (name,), (row,) = tuning.names(), tuning.rows()
    job = sagemaker.describe_training_job(TrainingJobName=name)
    assert job["TuningJobArn"] == f"{ARN}:hyper-parameter-tuning-job/tune"
    chosen = {"_tuning_objective_metric": "validation:objective_loss", **row["TunedHyperParameters"]}
    assert job["HyperParameters"] == {"predictor_type": "binary_classifier", **chosen}
    assert row["TrainingJobDefinitionName"] == "first"
    assert job["ResourceConfig"] == definition["HyperParameterTuningResourceConfig"]
    assert tuning.describe()["TrainingJobDefinition"]["ResourceConfig"] == job["ResourceConfig"]
    assert job["CheckpointConfig"]["S3Uri"] == f"s3://asteroids/checkpoints/{name}"
    assert all(job[member] == definition[member] for member in ("VpcConfig", "StoppingCondition"))
    assert sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == TAGS
    (interval,) = emulator.ledger()
    assert (interval.kind, interval.instance_count, interval.tags) == ("spot-training", 2, {"team": "rocks"})


def test_training_jobs_are_listed_by_name_state_and_objective_in_pages(tuned, sagemaker, refused):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 5})
    tuning.step()
    for number, value in ((1, 3.0), (2, 1.0), (3, 2.0)):
        tuning.end(number, value)
    tuning.end(4, status="Failed", reason="ClientError: a")
    assert [row["TrainingJobName"] for row in tuning.rows()] == tuning.names()
    by_value = tuning.rows(SortBy="FinalObjectiveMetricValue")
    assert [row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for row in by_value] == [1, 2, 3]
    assert tuning.rows(SortBy="FinalObjectiveMetricValue", SortOrder="Descending") == by_value[::-1]
    assert [row["FailureReason"] for row in tuning.rows(StatusEquals="Failed")] == ["ClientError: a"]
    paginator = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    pages = [page["TrainingJobSummaries"] for page in paginator.paginate(**NAME, PaginationConfig={"PageSize": 2})]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row["TrainingJobName"] for page in pages for row in page] == tuning.names()
    bad = refused(sagemaker.list_training_jobs_for_hyper_parameter_tuning_job, **NAME, NextToken="x")
    assert bad[0] == "ValidationException"


@pytest.mark.parametrize(
    ("direction", "metric", "values"),
    [
        ("Minimize", "validation:objective_loss", (0.9, 0.6, 0.5)),
        ("Maximize", "validation:recall", (0.1, 0.49, 0.51)),
    ],
)
def test_it_ends_when_the_target_is_reached(tuned, direction, metric, values):
    criteria = {"TargetObjectiveMetricValue": 0.5, "ConvergenceDetected": {"CompleteOnConvergence": "Disabled"}}
    target = {"TuningJobCompletionCriteria": criteria}
    goal = {"HyperParameterTuningJobObjective": {"Type": direction, "MetricName": metric}}
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": None}, config=target | goal)
    assert tuning.describe()["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 750
    for number, value in enumerate(values, start=1):
        assert not tuning.step()
        tuning.end(number, value)
    assert tuning.step()
    job = tuning.describe()
    assert (job["HyperParameterTuningJobStatus"], len(tuning.names())) == ("Completed", 3)
    assert job["BestTrainingJob"]["TrainingJobName"] == tuning.names()[2]


def test_a_stop_and_the_end_of_its_time_end_the_training_jobs_first(tuned, sagemaker, emulator, monkeypatch):
    tuning = tuned(limits={"MaxRuntimeInSeconds": 120, "MaxParallelTrainingJobs": 2})
    tuning.step()
    controller = tuning.controller()
    now_s = emulator.state.now() + 121
    monkeypatch.setattr(Jobs, "settle", lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(controller.state, "now", lambda: now_s)
        assert not controller.step()
    assert [row["TrainingJobStatus"] for row in tuning.rows()] == ["Stopping", "Stopping"]
    sagemaker.stop_hyper_parameter_tuning_job(**NAME)
    assert tuning.describe()["HyperParameterTuningJobStatus"] == "Stopping"
    for number in (1, 2):
        assert not tuning.step()
        tuning.end(number, status="Stopped")
    assert tuning.step()
    assert tuning.describe()["HyperParameterTuningJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("Failed", "No training job succeeded after 5 attempts. Please take a look at the training job failures to"),
        ("Completed", "No objective metrics found after running 5 training jobs. Please ensure that the custom"),
    ],
)
def test_it_fails_if_none_of_five_training_jobs_has_a_result(tuned, status, reason):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 8})
    for number in range(1, 6):
        assert not tuning.step()
        tuning.end(number, status=status, reason="ClientError: a")
    assert tuning.step()
    job = tuning.describe()
    assert (job["HyperParameterTuningJobStatus"], "BestTrainingJob" in job) == ("Failed", False)
    assert job["FailureReason"].startswith(reason)


class Killed(BaseException):
    """Stands for kill -9 at a point of the controller."""


@pytest.mark.parametrize("point", ["suggest", "note", "new", "spawn", "adopted"])
def test_a_controller_that_dies_anywhere_leaves_no_training_job_twice(tuned, monkeypatch, emulator, point):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 2})
    n_calls = 0

    def die(*_, **__):
        raise Killed

    def then_die(method, *, at):
        def call(*arguments, **named):
            nonlocal n_calls
            result = method(*arguments, **named)
            n_calls += 1
            if n_calls >= at:
                raise Killed
            return result

        return call

    controller = tuning.controller()
    with monkeypatch.context() as patch:
        patch.setattr(module, "suggest", die) if point == "suggest" else None
        patch.setattr(Jobs, "note", then_die(Jobs.note, at=1)) if point == "note" else None
        patch.setattr(Jobs, point, die) if point in ("new", "spawn") else None
        if point == "adopted":
            patch.setattr(Controller, "_adopt_next", then_die(Controller._adopt_next, at=2))
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
    assert open_intervals(emulator.state) == []


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


def test_real_processes_tune_survive_a_kill_and_bill_each_training_job_once(
    stand_in, sagemaker, bucket, tuning_request
):
    limits = {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2}
    sagemaker.create_hyper_parameter_tuning_job(**tuning_request(limits=limits, Tags=[{"Key": "a", "Value": "b"}]))
    killed, limit_s = 0, time.monotonic() + 60
    while (job := sagemaker.describe_hyper_parameter_tuning_job(**NAME))["HyperParameterTuningJobStatus"] == (
        "InProgress"
    ):
        assert time.monotonic() < limit_s, job
        worker = stand_in.services.tunings.get(REGION, "tune").body.get("worker")
        if not killed and worker and job["TrainingJobStatusCounters"]["InProgress"]:
            killed = worker["pid"]
            os.kill(killed, signal.SIGKILL)
        time.sleep(0.02)
    assert (job["HyperParameterTuningJobStatus"], killed > 0) == ("Completed", True)
    rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**NAME)["TrainingJobSummaries"]
    assert [row["TrainingJobName"].split("-")[1] for row in rows] == ["001", "002", "003"]
    intervals = stand_in.ledger()
    assert sorted(interval.arn for interval in intervals) == sorted(row["TrainingJobArn"] for row in rows)
    assert all(interval.tags == {"a": "b"} and interval.ended_s is not None for interval in intervals)


def test_a_closed_emulator_leaves_no_process_of_a_tuning_job(tuning_request):
    with Emulator() as emulator:
        emulator.configure(training_starting_s=60)
        s3, sagemaker = (emulator.session(REGION).client(service) for service in ("s3", "sagemaker"))
        s3.create_bucket(Bucket="asteroids", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="asteroids", Key="in/train/a", Body=b"1,2")
        sagemaker.create_hyper_parameter_tuning_job(**tuning_request())
        while not sagemaker.describe_hyper_parameter_tuning_job(**NAME)["TrainingJobStatusCounters"]["InProgress"]:
            time.sleep(0.01)
        controller = ProcessId(**emulator._opened().services.tunings.get(REGION, "tune").body["worker"])
        assert controller.is_alive()
        emulator.close()
        assert not controller.is_alive()
        assert not emulator.directory.exists()
        processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
        assert not [line for line in processes if os.fsencode(emulator.directory) in line]
