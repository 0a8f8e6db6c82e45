"""A job on several instances: one shard per host, one model, and a reason if a host fails."""

import os
import signal
import time

import numpy as np
import pytest

from asteroid_ll.formats import recordio
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.training import train

REGION = "us-west-2"
SIZE, N_BATCHES = 10, 12
VALUES = {"predictor_type": "regressor", "mini_batch_size": str(SIZE), "epochs": "3"}
RNG = np.random.default_rng(6)
FEATURES = RNG.normal(size=(2, SIZE * N_BATCHES, 3)).astype(np.float32)
LABELS = (FEATURES @ np.array([1, -2, 3], np.float32) + RNG.normal(size=FEATURES.shape[:2])).astype(np.float32)


@pytest.fixture
def two_hosts(emulator, job_request):
    """A request for two instances with a shard each."""
    emulator.store.create_bucket("asteroids", region=REGION)
    for number in range(2):
        body = bytes(recordio.encode(FEATURES[number], LABELS[number]))
        emulator.store.put("asteroids", f"in/train/part-{number}", [body])
    request = job_request(HyperParameters=VALUES)
    request["ResourceConfig"]["InstanceCount"] = 2
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    return request


def by_turns(parts):
    """A batch of each host's rows by turns."""
    return parts.reshape(2, N_BATCHES, SIZE, -1).swapaxes(0, 1).reshape(2 * N_BATCHES * SIZE, -1)


def test_two_hosts_train_the_model_of_one_with_twice_the_batch(emulator, two_hosts, sagemaker, ended, client_of):
    """Up to float32's order of summation: weights within 1e-4, the loss within 1e-5 of its size."""
    sagemaker.create_training_job(**two_hosts)
    job = ended()
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    alone = train(by_turns(FEATURES), by_turns(LABELS)[:, 0], {**VALUES, "mini_batch_size": str(2 * SIZE)})
    model = Model.load(emulator.store.get("asteroids", "out/job-1/output/model.tar.gz").path)
    np.testing.assert_allclose(model.weight, alone.model.weight, atol=1e-4)
    np.testing.assert_allclose(model.bias, alone.model.bias, atol=1e-4)
    metrics = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert metrics["train:mse"] == pytest.approx(
        next(s.value for s in alone.scores["train"] if s.name == "mse"), rel=1e-4
    )
    assert metrics["train:objective_loss"] == pytest.approx(alone.train_objective[-1, 0], rel=1e-5)
    streams = client_of("logs").describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    assert [stream["logStreamName"].split("/")[1][:6] for stream in streams] == ["algo-1", "algo-2"]


def test_a_host_that_dies_fails_the_job_with_a_reason(emulator, two_hosts, sagemaker, ended):
    two_hosts["HyperParameters"] = {**VALUES, "epochs": "100000", "early_stopping_patience": "100000"}
    sagemaker.create_training_job(**two_hosts)
    limit_s = time.monotonic() + 30
    while "containers" not in (body := emulator.services.jobs.get(REGION, "job-1").body):
        assert time.monotonic() < limit_s
    os.kill(body["containers"][0]["pid"], signal.SIGKILL)
    job = ended()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: The host algo-1 left the job")


def test_two_hosts_of_a_spot_job_continue_together_after_an_interruption(emulator, two_hosts, sagemaker, ended, halted):
    two_hosts["HyperParameters"] = {**VALUES, "epochs": "6"}
    sagemaker.create_training_job(**{**two_hosts, "TrainingJobName": "undisturbed"})
    ended("undisturbed")
    two_hosts |= {
        "CheckpointConfig": {"S3Uri": "s3://asteroids/checkpoints"},
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
    }
    sagemaker.create_training_job(**two_hosts)
    halted()
    os.kill(emulator.services.jobs.get(REGION, "job-1").body["containers"][0]["pid"], signal.SIGKILL)
    job = ended()
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert "Interrupted" in {step["Status"] for step in job["SecondaryStatusTransitions"]}
    models = [
        Model.load(emulator.store.get("asteroids", f"out/{name}/output/model.tar.gz").path)
        for name in ("undisturbed", "job-1")
    ]
    np.testing.assert_array_equal(models[0].weight, models[1].weight)
    np.testing.assert_array_equal(models[0].bias, models[1].bias)


def test_the_hosts_log_the_same_losses_under_their_own_names(emulator, two_hosts, sagemaker, ended, client_of):
    sagemaker.create_training_job(**two_hosts)
    ended()
    events = client_of("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", filterPattern='"train mse_objective"'
    )["events"]
    losses = {host: [] for host in ("algo-1", "algo-2")}
    for event in events:
        host, _, rest = event["message"].partition("host=")[2].partition(",")
        losses[host].append(rest)
    assert len(losses["algo-1"]) == 4
    assert losses["algo-1"] == losses["algo-2"]


def test_a_host_without_a_shard_fails_the_job_with_a_reason(emulator, two_hosts, sagemaker, ended):
    emulator.store.delete("asteroids", "in/train/part-1")
    sagemaker.create_training_job(**two_hosts)
    job = ended()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: No data in the channel 'train'")
