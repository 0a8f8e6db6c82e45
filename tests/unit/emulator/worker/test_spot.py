"""Managed spot jobs that AWS interrupts, and jobs that get no instances: the same model, and AWS's states."""

import time

import numpy as np
import pytest

from asteroid_ll.formats import recordio
from asteroid_ll.linear_learner.model import Model

REGION = "us-west-2"
VALUES = {"predictor_type": "regressor", "mini_batch_size": "20", "epochs": "4"}
RNG = np.random.default_rng(2)
FEATURES = RNG.normal(size=(90, 3)).astype(np.float32)
LABELS = (FEATURES @ np.array([1, -2, 3], np.float32) + RNG.normal(size=90)).astype(np.float32)
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
}
START = ["Starting", "Downloading", "Training"]
ONE_SECOND = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}


@pytest.fixture
def account(emulator):
    emulator.store.create_bucket("asteroids", region=REGION)
    for part in ("train", "validation"):
        emulator.store.put("asteroids", f"in/{part}/part-0", [bytes(recordio.encode(FEATURES, LABELS))])
    return emulator


@pytest.fixture
def start(sagemaker, job_request):
    """Start a job; its checkpoints have a prefix of their own if it is a spot job."""

    def create(name, *, mode="File", spot=True, **changes):
        request = job_request(name, HyperParameters=VALUES, **(SPOT if spot else {}), **changes)
        request["AlgorithmSpecification"]["TrainingInputMode"] = mode
        source = {"S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}
        request["InputDataConfig"] = [
            {"ChannelName": part, "DataSource": {"S3DataSource": {**source, "S3Uri": f"s3://asteroids/in/{part}"}}}
            for part in ("train", "validation")
        ]
        if spot:
            request["CheckpointConfig"] = {"S3Uri": f"s3://asteroids/checkpoints/{name}"}
        sagemaker.create_training_job(**request)

    return create


def walk(job):
    return [step["Status"] for step in job["SecondaryStatusTransitions"]]


def numbers(job):
    """Every metric of a job but its speed."""
    return {
        metric["MetricName"]: metric["Value"]
        for metric in job["FinalMetricDataList"]
        if "throughput" not in metric["MetricName"]
    }


def test_spot_or_not_in_every_input_mode_gives_the_same_metrics_and_model(account, start, ended):
    account.configure(spot_interruptions=1)
    names = {
        f"{mode}-{'spot' if spot else 'demand'}": {"mode": mode, "spot": spot}
        for mode in ("File", "FastFile", "Pipe")
        for spot in (False, True)
    }
    for name, settings in names.items():
        start(name, **settings)
    jobs = {name: ended(name) for name in names}
    assert {job["TrainingJobStatus"] for job in jobs.values()} == {"Completed"}
    for name, job in jobs.items():
        again = [*START, "Interrupted"] if names[name]["spot"] else []
        assert walk(job) == [*again, *START, "Uploading", "Completed"]
        assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]
    first = jobs["File-demand"]
    assert {"train:objective_loss", "validation:mse", "validation:objective_loss:final"} <= set(numbers(first))
    assert all(numbers(job) == numbers(first) for job in jobs.values())
    assert {interval.kind for interval in account.ledger()} == {"training", "spot-training"}
    models = [Model.load(account.store.get("asteroids", f"out/{name}/output/model.tar.gz").path) for name in names]
    for model in models[1:]:
        np.testing.assert_array_equal(model.weight, models[0].weight)
        np.testing.assert_array_equal(model.bias, models[0].bias)


def test_a_type_without_capacity_never_starts_and_bills_nothing(account, start, ended):
    account.configure(types_without_capacity=("ml.m5.large",))
    start("none", spot=False)
    job = ended("none")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("CapacityError: Unable to provision requested ML compute capacity.")
    assert walk(job) == ["Starting", "Failed"]
    assert "BillableTimeInSeconds" not in job
    assert account.ledger()[0].instance_seconds(time.time()) == 0


def test_a_spot_job_without_capacity_waits_for_its_whole_time(account, sagemaker, job_request, ended):
    account.configure(types_without_capacity=("ml.m5.large",))
    sagemaker.create_training_job(**job_request(**{**SPOT, "StoppingCondition": ONE_SECOND}))
    job = ended()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert walk(job) == ["Starting", "Stopping", "MaxWaitTimeExceeded"]
    assert "TrainingStartTime" not in job


def test_spot_machines_have_a_quota_of_their_own(account, start, refused, sagemaker, job_request):
    account.configure(quotas={"ml.m5.large for spot training job usage": 0})
    code, message = refused(sagemaker.create_training_job, **job_request(**SPOT))
    assert code == "ResourceLimitExceeded"
    assert "'ml.m5.large for spot training job usage' is 0 Instances" in message
    start("demand", spot=False)
