"""Sweep finds what runs have left on an account, deletes it, and touches nothing else. The ledger is the oracle."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from asteroid_ll import Emulator, LinearLearnerClassifier
from asteroid_ll.linear_learner.images import image_uri

ACCOUNT_ID = "000000000000"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/asteroid-ll"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2")


@pytest.fixture(scope="session")
def artifact(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("artifact") / "model.tar.gz"
    model = LinearLearnerClassifier(epochs=1, num_models=1, mini_batch_size=4).fit([[0.0], [1.0]] * 4, [0, 1] * 4)
    model.to_artifact(path)
    return path


def our_tags(*, expires_s: float | None = None, run: str = "elsewhere-1234") -> list[dict[str, str]]:
    tags = {"asteroid-ll": "owned", "asteroid-ll:fingerprint": "abc", "asteroid-ll:run": run}
    if expires_s is not None:
        tags["asteroid-ll:expires"] = str(int(expires_s))
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Region:
    """An account's region, filled by calls of plain boto3 from elsewhere."""

    def __init__(self, emulator: Emulator, region: str, artifact: Path) -> None:
        session = emulator.session(region)
        self.region = region
        self.s3, self.sagemaker = session.client("s3"), session.client("sagemaker")
        self.bucket = f"asteroid-ll-{ACCOUNT_ID}-{region}"
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.s3.create_bucket(Bucket=self.bucket, **location)
        self.s3.upload_file(str(artifact), self.bucket, "artifact/model.tar.gz")
        self.s3.put_object(Bucket=self.bucket, Key="artifact/rows.csv", Body=b"1,2\n")

    def model(self, name: str, tags: list[dict[str, str]]) -> None:
        container = {"Image": image_uri(self.region), "ModelDataUrl": f"s3://{self.bucket}/artifact/model.tar.gz"}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE_ARN, Tags=tags)

    def config(self, name: str, tags: list[dict[str, str]], *, model: str | None = None) -> None:
        variant = {"VariantName": "a", "ModelName": model or name, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant | {"InitialInstanceCount": 2}], Tags=tags
        )

    def endpoint(self, name: str, tags: list[dict[str, str]]) -> None:
        """Create an endpoint with its configuration and model, all of one name."""
        self.model(name, tags)
        self.config(name, tags)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)
        self.sagemaker.describe_endpoint(EndpointName=name)

    def job(self, name: str, tags: list[dict[str, str]]) -> None:
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/artifact/rows.csv"}
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={"TrainingImage": image_uri(self.region), "TrainingInputMode": "File"},
            RoleArn=ROLE_ARN,
            HyperParameters={"predictor_type": "regressor"},
            InputDataConfig=[
                {"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}
            ],
            OutputDataConfig={"S3OutputPath": f"s3://{self.bucket}/output"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
            Tags=tags,
        )

    def upload(self, key: str) -> None:
        self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)

    def names(self) -> Counter[str]:
        """What is there, as an independent client lists it."""
        jobs = self.sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
        return Counter(
            [f"endpoint {item['EndpointName']}" for item in self.sagemaker.list_endpoints()["Endpoints"]]
            + [f"config {item['EndpointConfigName']}" for item in self._all("list_endpoint_configs", "EndpointConfigs")]
            + [f"model {item['ModelName']}" for item in self._all("list_models", "Models")]
            + [f"job {item['TrainingJobName']}" for item in jobs]
            + [f"upload {x['Key']}" for x in self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ())]
        )

    def _all(self, operation: str, member: str) -> list[dict[str, str]]:
        return [item for page in self.sagemaker.get_paginator(operation).paginate() for item in page[member]]


class Account:
    """The emulated account of an empty run directory, and the command line in front of it."""

    def __init__(self, emulator: Emulator, place, artifact: Path) -> None:
        self.emulator = emulator
        self._place = place
        self._artifact = artifact

    def region(self, name: str = "us-east-1") -> Region:
        return Region(self.emulator, name, self._artifact)

    def sweep(self, *arguments: str, **more):
        return self._place.run("sweep", *arguments, config=None, **more)

    def billed(self) -> list[str]:
        """The names of the jobs and endpoints that are billed now, from the ledger."""
        return sorted(item.arn.rpartition("/")[2] for item in self.emulator.ledger() if item.ended_s is None)


@pytest.fixture
def account(workbench, zygote, tmp_path, artifact):
    place = workbench.Place(tmp_path, zygote)
    with Emulator(place.state) as emulator:
        emulator.configure(training_starting_s=3600.0, stop_grace_s=0.1)
        yield Account(emulator, place, artifact)


def plant_ten(region: Region) -> None:
    for number in range(2):
        region.endpoint(f"asteroid-ll-leak{number}", our_tags())
    region.model("asteroid-ll-orphan", our_tags())
    region.config("asteroid-ll-orphan", our_tags(), model="asteroid-ll-orphan")
    region.job("asteroid-ll-job", our_tags())
    region.upload("asteroid-ll/train/part-0.pbr")


def test_fifty_leaks_in_five_regions_are_found_and_deleted_and_nothing_else(account):
    regions = [account.region(name) for name in REGIONS]
    theirs = [{"Key": "team", "Value": "other"}]
    regions[0].job("asteroid-ll-lookalike", theirs)
    for region in regions:
        region.endpoint("asteroid-ll-lookalike", theirs)
        region.model("my-asteroid-ll-demo", our_tags())
        region.upload("asteroid-ll-other/part-0")
    before = [region.names() for region in regions]
    for region in regions:
        plant_ten(region)
    chosen = [argument for name in REGIONS for argument in ("--region", name)]
    listed = account.sweep("--all", "--dry-run", "--json", *chosen)
    assert listed.code == 0, listed.err
    assert len(listed.json["resources"]) == 50
    assert len(account.billed()) == 5 * (2 + 1) + 6
    ended = account.sweep("--all", "--json", *chosen)
    assert ended.code == 0, ended.err
    assert Counter(item["outcome"] for item in ended.json["resources"]) == {"deleted": 50}
    assert ended.json["billing"] == {"open": []}
    assert [region.names() for region in regions] == before
    assert account.billed() == ["asteroid-ll-lookalike"] * 6
