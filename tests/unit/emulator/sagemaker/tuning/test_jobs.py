"""The operations of tuning jobs: descriptions as clients read them, and training jobs that inherit the definition."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from asteroid_ll import Emulator
from asteroid_ll.emulator.iam.setup import Policies
from asteroid_ll.emulator.processes import ProcessId
from asteroid_ll.emulator.sagemaker.tuning.rules import CATEGORICAL, CONTINUOUS, INTEGER

REGION = "us-west-2"
ARN = f"arn:aws:sagemaker:{REGION}:000000000000"
TAGS = [{"Key": "team", "Value": "rocks"}]
KEY = f"arn:aws:kms:{REGION}:000000000000:key/12345678-1234-1234-1234-123456789012"


def test_a_description_has_what_the_sdks_read(tuned):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 2}, Tags=TAGS)
    tuning.step()
    job = tuning.describe()
    assert job["HyperParameterTuningJobArn"] == f"{ARN}:hyper-parameter-tuning-job/tune"
    assert (job["HyperParameterTuningJobStatus"], job["ConsumedResources"]["RuntimeInSeconds"]) == ("InProgress", 1)
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 1, "Failed": 0}
    assert "BestTrainingJob" not in job
    config = job["HyperParameterTuningJobConfig"]
    assert config["TrainingJobEarlyStoppingType"] == "Off"
    assert set(config["ParameterRanges"]) == {CATEGORICAL, CONTINUOUS, INTEGER}
    assert config["ParameterRanges"][CONTINUOUS][0]["ScalingType"] == "Auto"
    definition = job["TrainingJobDefinition"]
    assert definition["StaticHyperParameters"]["_tuning_objective_metric"] == "validation:objective_loss"
    metrics = [metric["Name"] for metric in definition["AlgorithmSpecification"]["MetricDefinitions"]]
    assert "validation:objective_loss" in metrics
    tuning.end(1, 0.5)
    tuning.step()
    tuning.end(2, 0.25)
    tuning.step()
    job = tuning.describe()
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["CreationTime"] <= job["HyperParameterTuningEndTime"] == job["LastModifiedTime"]
    assert job["TrainingJobStatusCounters"] == {
        **dict.fromkeys(("InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0),
        "Completed": 2,
    }
    best = job["BestTrainingJob"]
    assert best == tuning.rows()[1]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"] == {
        "MetricName": "validation:objective_loss",
        "Value": 0.25,
    }
    assert (best["ObjectiveStatus"], list(best["TunedHyperParameters"])) == ("Succeeded", ["wd"])
    assert best["TrainingStartTime"] <= best["TrainingEndTime"]


def test_the_best_of_a_maximised_objective_is_the_largest(tuned):
    objective = {"Type": "Maximize", "MetricName": "validation:recall"}
    tuning = tuned(config={"HyperParameterTuningJobObjective": objective})
    for number, value in enumerate((0.5, 0.75, 0.75), start=1):
        tuning.step()
        tuning.end(number, value)
    assert tuning.describe()["BestTrainingJob"]["TrainingJobName"] == tuning.names()[1]


def test_a_training_job_inherits_the_definition(tuned, sagemaker, emulator):
    definition = {
        "StaticHyperParameters": {"predictor_type": "binary_classifier", "epochs": "3"},
        "OutputDataConfig": {"S3OutputPath": "s3://asteroids/out", "KmsKeyId": KEY},
        "VpcConfig": {"Subnets": ["subnet-12345678"], "SecurityGroupIds": ["sg-12345678"]},
        "ResourceConfig": None,
        "HyperParameterTuningResourceConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 9},
        "EnableNetworkIsolation": True,
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90},
        "CheckpointConfig": {"S3Uri": "s3://asteroids/checkpoints/"},
        "DefinitionName": "first",
    }
    tuning = tuned(definition=definition, Tags=TAGS)
    tuning.step()
    (name,) = tuning.names()
    job = sagemaker.describe_training_job(TrainingJobName=name)
    assert job["TuningJobArn"] == f"{ARN}:hyper-parameter-tuning-job/tune"
    (row,) = tuning.rows()
    assert job["HyperParameters"] == {
        "predictor_type": "binary_classifier",
        "epochs": "3",
        "_tuning_objective_metric": "validation:objective_loss",
        **row["TunedHyperParameters"],
    }
    assert row["TrainingJobDefinitionName"] == "first"
    assert job["ResourceConfig"] == definition["HyperParameterTuningResourceConfig"]
    assert job["CheckpointConfig"]["S3Uri"] == f"s3://asteroids/checkpoints/{name}"
    assert job["OutputDataConfig"]["KmsKeyId"] == KEY
    for member in ("VpcConfig", "EnableNetworkIsolation", "EnableManagedSpotTraining", "StoppingCondition"):
        assert job[member] == definition[member]
    assert sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == TAGS
    (interval,) = emulator.ledger()
    assert (interval.kind, interval.instance_count, interval.tags) == ("spot-training", 2, {"team": "rocks"})


def test_training_jobs_are_listed_by_name_state_and_objective(tuned):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 5})
    tuning.step()
    for number, value in ((1, 3.0), (2, 1.0), (3, 2.0)):
        tuning.end(number, value)
    tuning.end(4, status="Failed", reason="ClientError: a")
    numbers = [row["TrainingJobName"].split("-")[1] for row in tuning.rows()]
    assert numbers == ["001", "002", "003", "004", "005"]
    by_value = tuning.rows(SortBy="FinalObjectiveMetricValue")
    assert [row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for row in by_value] == [1, 2, 3]
    assert tuning.rows(SortBy="FinalObjectiveMetricValue", SortOrder="Descending") == by_value[::-1]
    assert [row["FailureReason"] for row in tuning.rows(StatusEquals="Failed")] == ["ClientError: a"]
    assert [row["ObjectiveStatus"] for row in tuning.rows(SortBy="Status")] == [
        *["Succeeded"] * 3, "Failed", "Pending"
    ]  # fmt: skip


def test_lists_have_pages(tuned, sagemaker, refused):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 5})
    tuning.step()
    name = {"HyperParameterTuningJobName": "tune"}
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    found = [page["TrainingJobSummaries"] for page in pages.paginate(**name, PaginationConfig={"PageSize": 2})]
    assert [len(page) for page in found] == [2, 2, 1]
    assert [row["TrainingJobName"] for page in found for row in page] == tuning.names()
    code, _ = refused(sagemaker.list_training_jobs_for_hyper_parameter_tuning_job, **name, NextToken="x")
    assert code == "ValidationException"


def test_a_page_goes_on_after_the_last_one_when_a_training_job_has_started(tuned, sagemaker):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 3})
    tuning.step()
    first, second, third = tuning.names()

    def page(**params):
        answer = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="tune", SortOrder="Descending", **params
        )
        return [row["TrainingJobName"] for row in answer["TrainingJobSummaries"]], answer.get("NextToken")

    names, token = page(MaxResults=1)
    assert names == [third]
    tuning.end(3, 0.5)
    tuning.step()
    assert len(tuning.names()) == 4
    sagemaker.delete_training_job(TrainingJobName=third)
    assert page(MaxResults=2, NextToken=token) == ([second, first], None)


def test_tuning_jobs_are_listed_by_name_unless_asked(tuned, sagemaker, tuning_request):
    tuned(name="tune-b")
    sagemaker.create_hyper_parameter_tuning_job(**tuning_request("tune-a"))

    def names(**params):
        answer = sagemaker.list_hyper_parameter_tuning_jobs(**params)["HyperParameterTuningJobSummaries"]
        return [row["HyperParameterTuningJobName"] for row in answer]

    assert names() == ["tune-a", "tune-b"]
    assert names(SortOrder="Descending", MaxResults=1) == ["tune-b"]
    assert names(NameContains="a", StatusEquals="InProgress") == ["tune-a"]
    assert names(StatusEquals="Stopped") == []


def test_a_tuning_job_has_tags_of_its_own(tuned, sagemaker):
    tuned(Tags=TAGS)
    arn = f"{ARN}:hyper-parameter-tuning-job/tune"
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "c"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "c"}]


def test_only_a_tuning_job_that_runs_is_stopped_and_only_one_that_ended_deleted(tuned, refused, sagemaker):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 1})
    assert refused(tuning.delete)[0] == "ResourceInUse"
    tuning.step()
    tuning.end(1, 0.5)
    tuning.step()
    assert refused(tuning.stop) == (
        "ValidationException",
        "The request was rejected because the hyperparameter tuning job is in status Completed.",
    )
    tuning.delete()
    assert refused(tuning.describe)[0] == "ResourceNotFound"
    (name,) = tuning.names()
    assert sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Completed"


def test_a_training_job_that_was_deleted_is_no_longer_counted(tuned, sagemaker):
    tuning = tuned(limits={"MaxNumberOfTrainingJobs": 2})
    tuning.step()
    tuning.end(1, 0.5)
    sagemaker.delete_training_job(TrainingJobName=tuning.names()[0])
    tuning.step()
    tuning.end(1, 0.7)
    assert tuning.step()
    assert tuning.describe()["TrainingJobStatusCounters"]["Completed"] == 1
    assert [row["TrainingJobName"].split("-")[1] for row in tuning.rows()] == ["002"]


@pytest.mark.parametrize(
    ("actions", "denied"),
    [
        (["sagemaker:*"], "iam:PassRole on resource: arn:aws:iam::000000000000:role/trainer"),
        (
            ["iam:PassRole"],
            f"sagemaker:CreateHyperParameterTuningJob on resource: {ARN}:hyper-parameter-tuning-job/tune",
        ),
        (["iam:PassRole", "sagemaker:CreateHyperParameterTuningJob"], "sagemaker:AddTags on resource"),
    ],
)
def test_a_policy_that_is_too_narrow_is_named(emulator, sagemaker, bucket, tuning_request, refused, actions, denied):
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    Policies.read(caller=[{"Version": "2012-10-17", "Statement": [statement]}]).apply(emulator.state)
    code, message = refused(sagemaker.create_hyper_parameter_tuning_job, **tuning_request(Tags=TAGS))
    assert code == "AccessDeniedException"
    assert denied in message


def test_a_closed_emulator_leaves_no_process_of_a_tuning_job(tuning_request):
    with Emulator() as emulator:
        emulator.configure(training_starting_s=60)
        s3, sagemaker = (emulator.session(REGION).client(service) for service in ("s3", "sagemaker"))
        s3.create_bucket(Bucket="asteroids", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="asteroids", Key="in/train/a", Body=b"1,2")
        sagemaker.create_hyper_parameter_tuning_job(**tuning_request())
        name = {"HyperParameterTuningJobName": "tune"}
        while not sagemaker.describe_hyper_parameter_tuning_job(**name)["TrainingJobStatusCounters"]["InProgress"]:
            time.sleep(0.01)
        controller = ProcessId(**emulator._opened().services.tunings.get(REGION, "tune").body["worker"])
        assert controller.is_alive()
        emulator.close()
        assert not controller.is_alive()
        assert not emulator.directory.exists()
        processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
        assert not [line for line in processes if os.fsencode(emulator.directory) in line]
