"""An interrupted job continues from its checkpoint in S3, with the numbers of an undisturbed one."""

import os
import re
import signal
import time

import numpy as np
import pytest

from asteroid_ll.formats import recordio
from asteroid_ll.linear_learner.checkpoint import FILE
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.training import train

REGION = "us-west-2"
N_EPOCHS = 6
VALUES = {
    "predictor_type": "regressor",
    "mini_batch_size": "20",
    "epochs": str(N_EPOCHS),
    "early_stopping_patience": "1000",
}
RNG = np.random.default_rng(2)
FEATURES = RNG.normal(size=(90, 3)).astype(np.float32)
LABELS = (FEATURES @ np.array([1, -2, 3], np.float32) + RNG.normal(size=90)).astype(np.float32)
CONFIG = {"S3Uri": "s3://asteroids/checkpoints/a"}
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
}


@pytest.fixture
def account(emulator):
    emulator.store.create_bucket("asteroids", region=REGION)
    emulator.store.put("asteroids", "in/train/part-0", [bytes(recordio.encode(FEATURES, LABELS))])
    return emulator


@pytest.fixture
def log_text(client_of):
    def read(name):
        logs = client_of("logs")
        group = "/aws/sagemaker/TrainingJobs"
        events, token = [], {}
        while True:
            page = logs.filter_log_events(logGroupName=group, logStreamNamePrefix=f"{name}/", **token)
            events += [event["message"] for event in page["events"]]
            if "nextToken" not in page:
                return "\n".join(events)
            token = {"nextToken": page["nextToken"]}

    return read


def wait_for_checkpoint(account):
    limit_s = time.monotonic() + 30
    while account.store.get("asteroids", f"checkpoints/a/{FILE}") is None:
        assert time.monotonic() < limit_s


def kill_container_of(account, name):
    os.kill(account.services.jobs.get(REGION, name).body["containers"][0]["pid"], signal.SIGKILL)


def assert_undisturbed(account, name):
    stored = account.store.get("asteroids", f"out/{name}/output/model.tar.gz")
    expected = train(FEATURES, LABELS, VALUES).model
    model = Model.load(stored.path)
    np.testing.assert_array_equal(model.weight, expected.weight)
    np.testing.assert_array_equal(model.bias, expected.bias)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_second_job_continues_from_the_first_ones_checkpoint(
    account, sagemaker, job_request, ended, log_text, halted, how
):
    request = job_request("first", HyperParameters=VALUES, CheckpointConfig=CONFIG)
    sagemaker.create_training_job(**request)
    halted()
    wait_for_checkpoint(account)
    if how == "stopped":
        sagemaker.stop_training_job(TrainingJobName="first")
    else:
        kill_container_of(account, "first")
    assert ended("first")["TrainingJobStatus"] == {"stopped": "Stopped", "killed": "Failed"}[how]
    sagemaker.create_training_job(**{**request, "TrainingJobName": "second"})
    assert ended("second")["TrainingJobStatus"] == "Completed"
    log = log_text("second")
    assert "Checkpoint loading and saving are enabled." in log
    assert "Loaded checkpoint of epoch 2. Continuing after it." in log
    epochs = [
        line.partition("epoch=")[2].partition(",")[0]
        for line in log.splitlines()
        if re.search(r"epoch=\d+, train mse", line)
    ]
    assert epochs == ["3", "4", "5"]
    assert_undisturbed(account, "second")


def test_a_managed_spot_job_starts_again_by_itself(account, sagemaker, job_request, ended, log_text, halted):
    sagemaker.create_training_job(**job_request(HyperParameters=VALUES, CheckpointConfig=CONFIG, **SPOT))
    halted()
    kill_container_of(account, "job-1")
    job = ended()
    walk = [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert walk == [
        *("Starting", "Downloading", "Training", "Interrupted"),
        *("Starting", "Downloading", "Training", "Uploading", "Completed"),
    ]
    assert job["EnableManagedSpotTraining"]
    assert job["CheckpointConfig"] == CONFIG
    assert "Loaded checkpoint of epoch 2." in log_text("job-1")
    assert_undisturbed(account, "job-1")


def test_a_spot_job_that_fails_by_itself_is_not_started_again(stand_in, bucket, sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request(HyperParameters={"wish": "exit", "code": "3"}, **SPOT))
    job = ended()
    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", "AlgorithmError: , exit code: 3")
    assert "Interrupted" not in {step["Status"] for step in job["SecondaryStatusTransitions"]}


def test_what_lies_under_the_prefix_is_laid_out_and_only_changes_come_back(
    stand_in, bucket, sagemaker, job_request, ended
):
    script = stand_in.directory.parent / "container.py"
    script.write_text(
        "import sys, pathlib; root = pathlib.Path(sys.argv[2]); (root / 'model/m').write_text('w')\n"
        "folder = root / 'checkpoints'; (folder / 'sub/new').write_text((folder / 'sub/old').read_text() + '!')\n"
    )
    stand_in.store.put("asteroids", "checkpoints/a/sub/old", [b"kept"])
    before = stand_in.store.get("asteroids", "checkpoints/a/sub/old")
    sagemaker.create_training_job(**job_request(CheckpointConfig=CONFIG))
    assert ended()["TrainingJobStatus"] == "Completed"
    assert stand_in.store.get("asteroids", "checkpoints/a/sub/new").path.read_bytes() == b"kept!"
    assert stand_in.store.get("asteroids", "checkpoints/a/sub/old") == before


@pytest.mark.parametrize(
    ("config", "message_part"),
    [
        ({"S3Uri": "s3://nowhere/a"}, 'The checkpoint location "s3://nowhere/a" cannot be used'),
        ({**CONFIG, "LocalPath": "/opt/ml/else"}, "keeps its checkpoints in /opt/ml/checkpoints"),
    ],
)
def test_a_checkpoint_config_that_cannot_work_is_refused(bucket, sagemaker, job_request, refused, config, message_part):
    code, message = refused(sagemaker.create_training_job, **job_request(CheckpointConfig=config))
    assert code == "ValidationException"
    assert message_part in message


def test_a_spot_job_that_is_always_interrupted_ends_when_its_wait_is_over(
    stand_in, bucket, sagemaker, job_request, ended
):
    script = stand_in.directory.parent / "container.py"
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    limits = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}
    sagemaker.create_training_job(**job_request(**{**SPOT, "StoppingCondition": limits}))
    job = ended()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert {"Interrupted", "Training"} <= {step["Status"] for step in job["SecondaryStatusTransitions"]}


def test_without_a_checkpoint_config_nothing_is_kept(account, sagemaker, job_request, ended, log_text):
    sagemaker.create_training_job(**job_request(HyperParameters={**VALUES, "epochs": "1"}))
    assert ended()["TrainingJobStatus"] == "Completed"
    assert "Checkpoint loading and saving are disabled." in log_text("job-1")
    assert account.store.list("asteroids", "checkpoints") == []


def test_another_jobs_checkpoint_fails_the_job_with_the_reason(account, sagemaker, job_request, ended):
    for name, batch in (("one", "20"), ("two", "30")):
        values = {**VALUES, "epochs": "1", "mini_batch_size": batch}
        sagemaker.create_training_job(**job_request(name, HyperParameters=values, CheckpointConfig=CONFIG))
        job = ended(name)
    assert job["FailureReason"].startswith("ClientError: The checkpoint linear-learner.npz belongs to a job with other")
