"""A job that has ended is copied from the account whole, as the container has read it."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll.aws.ended_jobs import download_job
from asteroid_ll.aws.session import Aws, connect
from asteroid_ll.errors import AsteroidError
from asteroid_ll.formats import recordio
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.parity.judge import Judge

REGION = "us-east-1"
RECORDIO = "application/x-recordio-protobuf"
SETTINGS = {"predictor_type": "regressor", "mini_batch_size": "10", "epochs": "2", "num_models": "2"}


@pytest.fixture
def aws(tmp_path: Path, loader: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setattr("botocore.loaders.create_loader", lambda _path: loader)
    with connect("emulator", region=REGION, emulator_dir=tmp_path / "state") as made:
        made.s3.create_bucket(Bucket="rows")
        for number, (features, labels) in enumerate(shards()):
            body = bytes(recordio.encode(features, labels))
            made.s3.put_object(Bucket="rows", Key=f"train/part-{number}.pbr", Body=body)
            lines = np.column_stack([labels, features])
            text = "\n".join(",".join(f"{value:.9g}" for value in line) for line in lines.tolist())
            made.s3.put_object(Bucket="rows", Key=f"packed/part-{number}.gz", Body=gzip.compress(text.encode()))
        yield made


def shards() -> list[tuple[Any, Any]]:
    draw = np.random.default_rng(5)
    rows = [draw.normal(size=(40, 3)).astype(np.float32) for _ in range(2)]
    return [(part, (part @ np.array([1, 2, 3], np.float32)).astype(np.float32)) for part in rows]


def channel(prefix: str, *, content_type: str = RECORDIO, kind: str = "S3Prefix", **more: Any) -> dict[str, Any]:
    source = {"S3DataType": kind, "S3Uri": f"s3://rows/{prefix}", "S3DataDistributionType": "ShardedByS3Key"}
    return {"ChannelName": "train", "ContentType": content_type, "DataSource": {"S3DataSource": source}, **more}


def train(aws: Aws, name: str, described: dict[str, Any], *, count: int = 1, **settings: str) -> dict[str, Any]:
    """Run a job to its end."""
    aws.sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn="arn:aws:iam::000000000000:role/learner",
        AlgorithmSpecification={"TrainingImage": image_uri(REGION), "TrainingInputMode": "File"},
        HyperParameters={**SETTINGS, **settings},
        InputDataConfig=[described],
        OutputDataConfig={"S3OutputPath": "s3://rows/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    limit_s = time.monotonic() + 60
    while True:
        job = aws.sagemaker.describe_training_job(TrainingJobName=name)
        if job["TrainingJobStatus"] != "InProgress":
            return dict(job)
        assert time.monotonic() < limit_s


def test_a_job_on_two_hosts_is_downloaded_and_equal_until_its_data_change(aws: Aws, tmp_path: Path) -> None:
    train(aws, "two", channel("train/"), count=2)
    told: list[str] = []
    job = download_job(aws, "two", tmp_path / "first", progress=told.append)
    assert told == ["downloading train: 2 objects"]
    assert (job.name, job.n_hosts, job.doubts) == ("two", 2, ())
    assert job.hyperparameters == SETTINGS
    assert job.channels["train"].is_sharded
    judged = Judge(job, progress=told.append).judge()
    assert (judged.verdict, judged.n_runs) == ("equal", 1)
    assert "weight" in judged.numbers
    features, labels = shards()[0]

    def begin_earlier(parsed: dict[str, Any], **_: Any) -> None:
        """Describe the job as if an hour had passed; S3's times are whole seconds."""
        parsed["TrainingStartTime"] -= timedelta(hours=1)

    aws.sagemaker.meta.events.register("after-call.sagemaker.DescribeTrainingJob", begin_earlier)
    body = bytes(recordio.encode(features[::-1].copy(), labels[::-1].copy()))
    aws.s3.put_object(Bucket="rows", Key="train/part-0.pbr", Body=body)
    job = download_job(aws, "two", tmp_path / "second", progress=told.append)
    assert job.doubts == (
        "s3://rows/train/part-0.pbr and 1 more object were written after the job had started: train has changed.",
    )
    assert Judge(job, progress=told.append).judge().causes[-1].kind == "files"


def test_gzip_is_unpacked_and_a_failed_job_has_its_reason(aws: Aws, tmp_path: Path) -> None:
    packed = channel("packed/", content_type="text/csv", CompressionType="Gzip")
    train(aws, "packed", packed, mini_batch_size="1000")
    job = download_job(aws, "packed", tmp_path / "job", progress=lambda _: None)
    assert job.failure.startswith("ClientError: The channel 'train' has 80 records, fewer than mini_batch_size 1000")
    assert job.artifact is None
    assert Judge(job, progress=lambda _: None).judge().verdict == "equal"
    assert (tmp_path / "job" / "train" / "part-0.gz").read_bytes().count(b"\n") == 39


def test_a_manifest_lists_the_objects(aws: Aws, tmp_path: Path) -> None:
    train(aws, "listed", channel("train/"))
    manifest = json.dumps([{"prefix": "s3://rows/train/"}, "part-0.pbr", "part-1.pbr"])
    aws.s3.put_object(Bucket="rows", Key="lists/train.manifest", Body=manifest.encode())

    def describe(parsed: dict[str, Any], **_: Any) -> None:
        """Describe the job as AWS does one that the SDK has started; the emulator takes no manifests."""
        parsed["InputDataConfig"] = [channel("lists/train.manifest", kind="ManifestFile")]

    aws.sagemaker.meta.events.register("after-call.sagemaker.DescribeTrainingJob", describe)
    job = download_job(aws, "listed", tmp_path / "job", progress=lambda _: None)
    assert Judge(job, progress=lambda _: None).judge().verdict == "equal"
    aws.s3.delete_object(Bucket="rows", Key="train/part-1.pbr")
    with pytest.raises(AsteroidError, match=r"s3://rows/train/part-1.pbr, an object of the manifest .* does not exist"):
        download_job(aws, "listed", tmp_path / "again", progress=lambda _: None)


@pytest.mark.parametrize(
    ("change", "says", "code"),
    [
        ({"TrainingJobStatus": "InProgress"}, "has not ended: it is InProgress", 4),
        ({"AlgorithmSpecification": {"TrainingImage": "1.dkr.ecr/xgboost:1"}}, "its image is 1.dkr.ecr/xgboost:1", 3),
        ({"InputDataConfig": [channel("train/", kind="AugmentedManifestFile")]}, "but AugmentedManifestFile", 3),
        ({"InputDataConfig": [channel("nothing/")]}, "has no objects in s3://rows/nothing/ any more", 3),
        ({"TrainingJobName": None}, "There is no training job nowhere", 4),
    ],
    ids=["runs", "other-algorithm", "other-input", "gone", "absent"],
)
def test_a_job_that_cannot_be_judged_is_refused_in_one_sentence(
    finished_job: Aws, tmp_path: Path, change: dict[str, Any], says: str, code: int
) -> None:
    def describe(parsed: dict[str, Any], **_: Any) -> None:
        parsed.update(change)

    name = "nowhere" if "TrainingJobName" in change else "job"
    events = finished_job.sagemaker.meta.events
    events.register("after-call.sagemaker.DescribeTrainingJob", describe, unique_id="change")
    try:
        with pytest.raises(AsteroidError, match=says) as refused:
            download_job(finished_job, name, tmp_path, progress=lambda _: None)
    finally:
        events.unregister("after-call.sagemaker.DescribeTrainingJob", unique_id="change")
    assert refused.value.exit_code == code


@pytest.fixture(scope="module")
def finished_job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An account with one job, which the tests do not change."""
    with connect("emulator", region=REGION, emulator_dir=tmp_path_factory.mktemp("account")) as made:
        made.s3.create_bucket(Bucket="rows")
        body = bytes(recordio.encode(*shards()[0]))
        made.s3.put_object(Bucket="rows", Key="train/part", Body=body)
        train(made, "job", channel("train/"))
        yield made
