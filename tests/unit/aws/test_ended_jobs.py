"""A job that has ended is copied from the account whole, as the container has read it."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll.aws.ended_jobs import download_job
from asteroid_ll.aws.session import Aws, connect
from asteroid_ll.errors import AsteroidError
from asteroid_ll.formats import recordio
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.parity.job import files_of
from asteroid_ll.parity.judge import Judge

REGION = "us-east-1"
RECORDIO = "application/x-recordio-protobuf"
SETTINGS = {"predictor_type": "regressor", "mini_batch_size": "10", "epochs": "2", "num_models": "2"}


def shards() -> list[tuple[Any, Any]]:
    draw = np.random.default_rng(5)
    rows = [draw.normal(size=(40, 3)).astype(np.float32) for _ in range(2)]
    return [(part, (part @ np.array([1, 2, 3], np.float32)).astype(np.float32)) for part in rows]


def channel(prefix: str, *, content_type: str = RECORDIO, kind: str = "S3Prefix", **more: Any) -> dict[str, Any]:
    source = {"S3DataType": kind, "S3Uri": f"s3://rows/{prefix}", "S3DataDistributionType": "ShardedByS3Key"}
    return {"ChannelName": "train", "ContentType": content_type, "DataSource": {"S3DataSource": source}, **more}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An account with a completed job on two hosts, which share the two objects of its channel."""
    with connect("emulator", region=REGION, emulator_dir=tmp_path_factory.mktemp("account")) as aws:
        aws.s3.create_bucket(Bucket="rows")
        for number, (features, labels) in enumerate(shards()):
            body = bytes(recordio.encode(features, labels))
            aws.s3.put_object(Bucket="rows", Key=f"train/part-{number}.pbr", Body=body)
            lines = np.column_stack([labels, features]).tolist()
            text = "".join(",".join(f"{value:.9g}" for value in line) + "\n" for line in lines)
            aws.s3.put_object(Bucket="rows", Key=f"packed/part-{number}.gz", Body=gzip.compress(text.encode()))
        aws.sagemaker.create_training_job(
            TrainingJobName="job",
            RoleArn="arn:aws:iam::000000000000:role/learner",
            AlgorithmSpecification={"TrainingImage": image_uri(REGION), "TrainingInputMode": "File"},
            HyperParameters=SETTINGS,
            InputDataConfig=[channel("train/")],
            OutputDataConfig={"S3OutputPath": "s3://rows/out"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 5},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )
        limit_s = time.monotonic() + 60
        while aws.sagemaker.describe_training_job(TrainingJobName="job")["TrainingJobStatus"] == "InProgress":
            assert time.monotonic() < limit_s
        yield aws


@pytest.fixture
def described(account: Aws) -> Iterator[Callable[..., None]]:
    """Changes AWS's description of the job: the emulator has no such jobs, or they would take time."""
    events = account.sagemaker.meta.events
    changes: dict[str, Any] = {}

    def describe(parsed: dict[str, Any], **_: Any) -> None:
        parsed.update(changes)

    events.register("after-call.sagemaker.DescribeTrainingJob", describe, unique_id="described")
    yield changes.update
    events.unregister("after-call.sagemaker.DescribeTrainingJob", unique_id="described")


def test_a_job_on_two_hosts_is_downloaded_whole_and_equal(account: Aws, tmp_path: Path) -> None:
    told: list[str] = []
    job = download_job(account, "job", tmp_path, progress=told.append)
    assert told == ["downloading train: 2 objects"]
    assert (job.name, job.n_hosts, job.doubts, job.hyperparameters) == ("job", 2, (), SETTINGS)
    assert job.channels["train"].is_sharded
    judged = Judge(job, progress=told.append).judge()
    assert (judged.verdict, judged.n_runs) == ("equal", 1)
    assert "weight" in judged.numbers


def test_objects_that_were_written_after_the_start_are_named(
    account: Aws, described: Callable[..., None], tmp_path: Path
) -> None:
    described(TrainingStartTime=datetime(2020, 1, 1, tzinfo=UTC))
    job = download_job(account, "job", tmp_path, progress=lambda _: None)
    assert job.doubts == (
        "s3://rows/train/part-0.pbr and 1 more object were written after the job had started: train has changed.",
    )
    changed = replace(job, log=job.log.replace("'epochs': '2'", "'epochs': '3'"))
    assert [cause.kind for cause in Judge(changed, progress=lambda _: None).judge().causes] == [
        "hyperparameter",
        "files",
    ]


@pytest.mark.parametrize("kind", ["gzip", "manifest"])
def test_gzip_is_unpacked_and_a_manifest_lists_the_objects(
    account: Aws, described: Callable[..., None], tmp_path: Path, kind: str
) -> None:
    manifest = json.dumps([{"prefix": "s3://rows/train/"}, "part-0.pbr", "part-1.pbr"])
    account.s3.put_object(Bucket="rows", Key="lists/train.manifest", Body=manifest.encode())
    packed = channel("packed/", content_type="text/csv", CompressionType="Gzip")
    channels = {"gzip": packed, "manifest": channel("lists/train.manifest", kind="ManifestFile")}
    described(InputDataConfig=[channels[kind]])
    job = download_job(account, "job", tmp_path, progress=lambda _: None)
    assert len(files_of(job.channels["train"].folder)) == 2
    assert Judge(job, progress=lambda _: None).judge().verdict == "equal"


def test_a_failed_job_has_its_reason_and_no_artifact(
    account: Aws, described: Callable[..., None], tmp_path: Path
) -> None:
    described(TrainingJobStatus="Failed", FailureReason="ClientError: Unable to parse csv")
    job = download_job(account, "job", tmp_path, progress=lambda _: None)
    assert (job.failure, job.artifact) == ("ClientError: Unable to parse csv", None)


@pytest.mark.parametrize(
    ("change", "says", "code"),
    [
        ({"TrainingJobStatus": "InProgress"}, "has not ended: it is InProgress", 4),
        ({"AlgorithmSpecification": {"TrainingImage": "1.dkr.ecr/xgboost:1"}}, "its image is 1.dkr.ecr/xgboost:1", 3),
        ({"InputDataConfig": [channel("train/", kind="AugmentedManifestFile")]}, "but AugmentedManifestFile", 3),
        ({"InputDataConfig": [channel("nothing/")]}, "has no objects in s3://rows/nothing/ any more", 3),
        ({"InputDataConfig": [channel("train/part-0.pbr", kind="ManifestFile")]}, "manifest .* is damaged", 3),
        ({"InputDataConfig": [channel("train/", CompressionType="Gzip")]}, "part-0.pbr is not gzip", 3),
    ],
    ids=["runs", "other-algorithm", "other-input", "gone", "no-manifest", "no-gzip"],
)
def test_a_job_that_cannot_be_judged_is_refused_in_one_sentence(
    account: Aws, described: Callable[..., None], tmp_path: Path, change: dict[str, Any], says: str, code: int
) -> None:
    described(**change)
    with pytest.raises(AsteroidError, match=says) as refused:
        download_job(account, "job", tmp_path, progress=lambda _: None)
    assert refused.value.exit_code == code


def test_a_job_that_does_not_exist_is_refused(account: Aws, tmp_path: Path) -> None:
    with pytest.raises(AsteroidError, match="There is no training job nowhere in us-east-1") as refused:
        download_job(account, "nowhere", tmp_path, progress=lambda _: None)
    assert refused.value.exit_code == 4
    assert refused.value.hint == "asteroid-ll emulator ledger"
