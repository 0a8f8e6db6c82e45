"""The bike-sharing job once more as a customer runs it: recordIO in S3, a training job, its log, an endpoint.

The log is parsed with the expressions that SageMaker itself uses, and by the log's own ``#metrics`` lines.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import numpy as np
import pandas as pd
import pytest

from asteroid_ll.emulator.account import Account as EmulatedAccount
from asteroid_ll.emulator.processes import reap_children
from asteroid_ll.emulator.transport import in_process as transport
from asteroid_ll.formats import recordio
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.linear_learner.log_reader import JobHistory, read_log

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bike-2020"
FEATURES = [
    *("instant", "dteday", "season", "yr", "mnth", "holiday", "weekday", "workingday"),
    *("weathersit", "temp", "atemp", "hum", "windspeed"),
]
REGION, ROLE = "us-west-2", "arn:aws:iam::000000000000:role/trainer"
IMAGE = image_uri(REGION)
OLDER_IMAGE = f"{IMAGE}-2021"
HYPERPARAMETERS = {"feature_dim": "13", "mini_batch_size": "4", "predictor_type": "regressor"}
RECORDIO = "application/x-recordio-protobuf"


class Account:
    """An empty emulated account with boto3's clients in front of it."""

    def __init__(self, directory: Path) -> None:
        session = botocore.session.Session()
        session.set_credentials("emulator", "emulator")
        self.emulator = EmulatedAccount(directory, loader=session.get_component("data_loader"))
        transport.attach(session, self.emulator)
        maker = boto3.session.Session(botocore_session=session)
        self.s3, self.sagemaker, self.runtime, self.logs = (
            maker.client(name, region_name=REGION) for name in ("s3", "sagemaker", "sagemaker-runtime", "logs")
        )

    def train(self) -> dict[str, Any]:
        """Run the job and describe it when it has ended."""
        source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bikes/train", "S3DataDistributionType": "FullyReplicated"}
        self.sagemaker.create_training_job(
            TrainingJobName="bikes",
            RoleArn=ROLE,
            AlgorithmSpecification={"TrainingImage": OLDER_IMAGE, "TrainingInputMode": "File"},
            HyperParameters=HYPERPARAMETERS,
            InputDataConfig=[{"ChannelName": "train", "ContentType": RECORDIO, "DataSource": {"S3DataSource": source}}],
            OutputDataConfig={"S3OutputPath": "s3://bikes/out"},
            ResourceConfig={"InstanceType": "ml.c4.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )
        limit_s = time.monotonic() + 60
        while (job := self.sagemaker.describe_training_job(TrainingJobName="bikes"))[
            "TrainingJobStatus"
        ] == "InProgress":
            assert time.monotonic() < limit_s
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        return dict(job)

    def log(self) -> str:
        """The job's log."""
        lines: list[str] = []
        pages = self.logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="bikes/"):
            lines += [event["message"] for event in page["events"]]
        return "\n".join(lines)

    def host(self, artifact: str) -> None:
        """Put the artifact behind an endpoint."""
        self.sagemaker.create_model(
            ModelName="bikes", PrimaryContainer={"Image": IMAGE, "ModelDataUrl": artifact}, ExecutionRoleArn=ROLE
        )
        variant = {"VariantName": "AllTraffic", "ModelName": "bikes", "InstanceType": "ml.m4.xlarge"}
        variants = [{**variant, "InitialInstanceCount": 1}]
        self.sagemaker.create_endpoint_config(EndpointConfigName="bikes", ProductionVariants=variants)
        self.sagemaker.create_endpoint(EndpointName="bikes", EndpointConfigName="bikes")
        assert self.sagemaker.describe_endpoint(EndpointName="bikes")["EndpointStatus"] == "InService"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    if not DATA.exists():
        pytest.skip(f"the bike-sharing data is not at {DATA}")
    days = pd.read_csv(DATA / "day.csv")
    days["dteday"] = days["dteday"].str.replace("-", "").astype(np.int64)
    return days.sample(frac=1, random_state=1729)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    made = Account(tmp_path_factory.mktemp("account"))
    yield made
    made.emulator.reset()
    made.emulator.close()
    reap_children()


@pytest.fixture(scope="module")
def job(account: Account, table: pd.DataFrame) -> dict[str, Any]:
    rows = table.iloc[: int(0.7 * len(table))]
    body = bytes(recordio.encode(rows[FEATURES].to_numpy(np.float32), rows["cnt"].to_numpy(np.float32)))
    assert len(body) == 49056  # the size in the log of the real job's reader
    account.s3.create_bucket(Bucket="bikes", CreateBucketConfiguration={"LocationConstraint": REGION})
    account.s3.put_object(Bucket="bikes", Key="train/recordio-pb-data", Body=body)
    return account.train()


@pytest.fixture(scope="module")
def history(account: Account, job: dict[str, Any]) -> JobHistory:
    return read_log(account.log())


def test_all_480_losses_are_in_the_log_and_are_the_real_ones(history: JobHistory) -> None:
    logged = np.loadtxt(DATA / "per_model_train_mse_objective.csv", delimiter=",").T
    difference = np.abs(history.train_objective - logged)
    assert difference.max() <= 5e-6
    assert np.median(difference) <= 2e-8
    np.testing.assert_array_equal(history.train_objective.argmin(axis=1), logged.argmin(axis=1))
    assert history.best_index == 0


def test_sagemakers_own_expressions_find_the_metrics_in_the_log(account: Account, job: dict[str, Any]) -> None:
    log = account.log()
    assert "/opt/amazon/lib/python3.7/" in log
    assert job["AlgorithmSpecification"]["TrainingImage"] == OLDER_IMAGE
    found = {
        definition["Name"]: [float(value) for value in re.findall(definition["Regex"], log)]
        for definition in job["AlgorithmSpecification"]["MetricDefinitions"]
    }
    assert {name: len(values) for name, values in found.items() if values} == {
        "train:progress": 15,
        "train:throughput": 15,
        "train:objective_loss": 15,
        "train:objective_loss:final": 1,
        "train:mse": 1,
        "train:absolute_loss": 1,
    }
    assert found["train:objective_loss"][0] == pytest.approx(0.322938, abs=1e-5)
    assert found["train:mse"] == [pytest.approx(803523.4458476028, rel=1e-4)]
    final = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert final == {name: pytest.approx(values[-1], rel=1e-6) for name, values in found.items() if values}


def test_the_220_logged_answers_come_from_the_endpoint(
    account: Account, job: dict[str, Any], table: pd.DataFrame
) -> None:
    account.host(job["ModelArtifacts"]["S3ModelArtifacts"])
    rows = table.iloc[int(0.7 * len(table)) :][FEATURES]
    logged = np.loadtxt(DATA / "test_predictions.csv", delimiter=",", skiprows=1)[:, 0]
    body = bytes(recordio.encode(rows.to_numpy(np.float32)))
    answer = account.runtime.invoke_endpoint(EndpointName="bikes", ContentType=RECORDIO, Accept="text/csv", Body=body)
    assert answer["ContentType"] == "application/json"
    scores = [float(value) for value in re.findall(rb'"score": ([-\d.]+)', answer["Body"].read())]
    difference = np.abs(np.array(scores) - logged)
    assert difference.shape == (220,)
    assert difference.mean() <= 0.3
    csv = rows.to_csv(header=False, index=False).encode()
    again = account.runtime.invoke_endpoint(EndpointName="bikes", ContentType="text/csv", Body=csv)
    assert [float(value) for value in re.findall(rb'"score": ([-\d.]+)', again["Body"].read())] == scores
