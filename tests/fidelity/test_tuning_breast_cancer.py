"""Tuning jobs of 12 real training jobs on the breast cancer data find at least as good a model as their first one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from asteroid_ll import Emulator
from asteroid_ll.linear_learner.images import image_uri

pytestmark = pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="30 training jobs; ASTEROID_LL_EXHAUSTIVE=1 runs them"
)

METRIC = "validation:objective_loss"
NUMBERS = {
    "ContinuousParameterRanges": [
        {"Name": "learning_rate", "MinValue": "1e-5", "MaxValue": "1"},
        {"Name": "wd", "MinValue": "1e-7", "MaxValue": "1"},
    ],
    "IntegerParameterRanges": [{"Name": "mini_batch_size", "MinValue": "50", "MaxValue": "400"}],
}
BIAS = {"Name": "use_bias", "Values": ["true", "false"]}
GRID = {
    "CategoricalParameterRanges": [
        BIAS,
        {"Name": "learning_rate", "Values": ["0.001", "0.01", "0.1"]},
        {"Name": "mini_batch_size", "Values": ["100"]},
    ]
}
SEARCHES = {
    "Bayesian": (NUMBERS | {"CategoricalParameterRanges": [BIAS]}, 12),
    "Random": (NUMBERS | {"CategoricalParameterRanges": [BIAS]}, 12),
    "Grid": (GRID, 6),
}


@pytest.fixture(scope="module")
def account() -> Iterator[Any]:
    """An account with the data in the channels train and validation, 80 to 20."""
    features, benign = load_breast_cancer(return_X_y=True)
    part = np.random.default_rng(0).random(len(benign))
    with Emulator() as emulator:
        s3 = emulator.session().client("s3")
        s3.create_bucket(Bucket="cells")
        for channel, rows in (("train", part < 0.8), ("validation", part >= 0.8)):
            table = np.column_stack([1 - benign[rows], features[rows]])
            text = "\n".join(",".join(map(repr, row)) for row in table.tolist())
            s3.put_object(Bucket="cells", Key=f"{channel}/rows.csv", Body=text.encode())
        yield emulator


@pytest.fixture
def tune(account: Any) -> Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Run a tuning job; return its description and those of its training jobs in order."""

    def run(name: str, strategy: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        sagemaker = account.session().client("sagemaker")
        ranges, n_jobs = SEARCHES[strategy]
        channels = [
            {
                "ChannelName": channel,
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://cells/{channel}/"}},
            }
            for channel in ("train", "validation")
        ]
        sagemaker.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": strategy,
                "RandomSeed": 1,
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": METRIC},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": n_jobs, "MaxParallelTrainingJobs": 2},
                "ParameterRanges": ranges,
            },
            TrainingJobDefinition={
                "StaticHyperParameters": {"predictor_type": "binary_classifier", "epochs": "10"},
                "AlgorithmSpecification": {"TrainingImage": image_uri("us-east-1"), "TrainingInputMode": "File"},
                "RoleArn": "arn:aws:iam::000000000000:role/asteroid-ll",
                "InputDataConfig": channels,
                "OutputDataConfig": {"S3OutputPath": "s3://cells/out"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            },
        )
        limit_s = time.monotonic() + 300
        while (job := sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name))[
            "HyperParameterTuningJobStatus"
        ] == "InProgress":
            assert time.monotonic() < limit_s
            time.sleep(0.1)
        rows = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, MaxResults=100
        )["TrainingJobSummaries"]
        return job, [sagemaker.describe_training_job(TrainingJobName=row["TrainingJobName"]) for row in rows]

    return run


def objective(job: dict[str, Any]) -> float:
    """Return the value of the metric in a training job's own description."""
    return next(one["Value"] for one in job["FinalMetricDataList"] if one["MetricName"] == METRIC)


@pytest.mark.parametrize("strategy", SEARCHES)
def test_the_best_training_job_is_at_least_as_good_as_the_first(account: Any, tune: Any, strategy: str) -> None:
    job, children = tune(strategy.lower(), strategy)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert len(children) == SEARCHES[strategy][1]
    values = [objective(child) for child in children]
    best = job["BestTrainingJob"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == min(values) <= values[0]
    arns = [child["TrainingJobArn"] for child in children]
    billed = [interval for interval in account.ledger() if interval.arn in arns]
    assert sorted(interval.arn for interval in billed) == sorted(arns)
    assert all(interval.ended_s is not None for interval in billed)
    s3 = account.session().client("s3")
    for child in children:
        bucket, _, key = child["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] > 0
