"""A model on the account that batch transform jobs can use, and requests for transform, processing and tuning jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from asteroid_ll import own_wheel
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.processing_container import CODE, ENTRYPOINT, RUN, SETTINGS, SETTINGS_FOLDER, local_path

REGION = "us-west-2"
ROLE = "arn:aws:iam::000000000000:role/asteroid-ll"


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a binary classifier of two features, whose score is the sigmoid of their sum."""
    path = tmp_path_factory.mktemp("artifact") / "model.tar.gz"
    Model("binary_classifier", "logistic", np.ones((2, 1), np.float32), np.zeros(1, np.float32), 0.5).save(path)
    return path.read_bytes()


@pytest.fixture
def model(emulator: Any, sagemaker: Any, artifact: bytes) -> str:
    """The name of the model."""
    emulator.store.create_bucket("asteroids", region=REGION)
    emulator.store.put("asteroids", "model.tar.gz", [artifact])
    container = {"Image": image_uri(REGION), "ModelDataUrl": "s3://asteroids/model.tar.gz"}
    sagemaker.create_model(ModelName="rocks", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    return "rocks"


@pytest.fixture
def transform_request() -> Callable[..., dict[str, Any]]:
    """A valid CreateTransformJob request over ``s3://asteroids/in/``; members can be replaced."""

    def build(
        name: str = "score",
        *,
        data: Mapping[str, Any] = {},
        source: Mapping[str, Any] = {},
        output: Mapping[str, Any] = {},
        resources: Mapping[str, Any] = {},
        **changes: Any,
    ) -> dict[str, Any]:
        s3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://asteroids/in/"} | dict(source)
        request: dict[str, Any] = {
            "TransformJobName": name,
            "ModelName": "rocks",
            "TransformInput": {"ContentType": "text/csv", "SplitType": "Line", "DataSource": {"S3DataSource": s3}}
            | dict(data),
            "TransformOutput": {"S3OutputPath": "s3://asteroids/out", "AssembleWith": "Line"}
            | {"Accept": "application/jsonlines"}
            | dict(output),
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1} | dict(resources),
        }
        return request | changes

    return build


@pytest.fixture(scope="session")
def wheel() -> bytes:
    """This package's own wheel."""
    return own_wheel.build()


@pytest.fixture
def processing_bucket(emulator: Any, wheel: bytes) -> str:
    """A bucket with the objects that `processing_request` names."""
    if not emulator.store.has("asteroids", REGION):
        emulator.store.create_bucket("asteroids", region=REGION)
    emulator.store.put("asteroids", f"job/code/{own_wheel.file_name()}", [wheel])
    emulator.store.put("asteroids", f"job/settings/{SETTINGS.rpartition('/')[2]}", [b"{}"])
    emulator.store.put("asteroids", "job/fetch/rows.csv", [b"1,2\n"])
    return "asteroids"


@pytest.fixture
def processing_request() -> Callable[..., dict[str, Any]]:
    """A valid CreateProcessingJob request; members of its parts can be replaced, or left out with None."""

    def without_none(members: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if value is not None}

    def folder(name: str, place: str, **changes: Any) -> dict[str, Any]:
        source = {"S3Uri": f"s3://asteroids/job/{name}/", "LocalPath": local_path(place), "S3DataType": "S3Prefix"}
        return {"InputName": name, "S3Input": without_none(source | {"S3InputMode": "File"} | changes)}

    def build(
        name: str = "clean",
        *,
        application: Mapping[str, Any] = {},
        fetch: Mapping[str, Any] = {},
        more_inputs: Sequence[Mapping[str, Any]] = (),
        output: Mapping[str, Any] = {},
        instances: Mapping[str, Any] = {},
        **changes: Any,
    ) -> dict[str, Any]:
        inputs = [folder("code", CODE), folder("settings", SETTINGS_FOLDER), folder("fetch", f"{RUN}/fetch", **fetch)]
        target = {"S3Uri": "s3://asteroids/out", "LocalPath": local_path(f"{RUN}/clean"), "S3UploadMode": "EndOfJob"}
        outputs = [{"OutputName": "clean", "S3Output": without_none(target | dict(output))}]
        image = f"763104351884.dkr.ecr.{REGION}.amazonaws.com/pytorch-training:2.8.0-cpu-py312-ubuntu22.04-sagemaker"
        machines = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30} | dict(instances)
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": image, "ContainerEntrypoint": list(ENTRYPOINT)} | dict(application),
            "ProcessingInputs": [*inputs, *more_inputs],
            "ProcessingOutputConfig": {"Outputs": outputs},
            "ProcessingResources": {"ClusterConfig": without_none(machines)},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        return without_none(request | changes)

    return build


@pytest.fixture
def tuning_request(job_request: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A valid CreateHyperParameterTuningJob request; members of its parts can be replaced, or left out with None."""

    def without_none(members: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if value is not None}

    def build(
        name: str = "tune",
        *,
        config: Mapping[str, Any] = {},
        limits: Mapping[str, Any] = {},
        ranges: Mapping[str, Any] = {},
        definition: Mapping[str, Any] = {},
        **changes: Any,
    ) -> dict[str, Any]:
        job = job_request(TrainingJobName=None, HyperParameters=None)
        job["StaticHyperParameters"] = {"predictor_type": "regressor"}
        weight_decay = {"Name": "wd", "MinValue": "1e-7", "MaxValue": "1"}
        request: dict[str, Any] = {
            "HyperParameterTuningJobName": name,
            "HyperParameterTuningJobConfig": without_none(
                {
                    "Strategy": "Random",
                    "RandomSeed": 1,
                    "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:objective_loss"},
                    "ResourceLimits": without_none(
                        {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 1} | dict(limits)
                    ),
                    "ParameterRanges": {"ContinuousParameterRanges": [weight_decay]} | dict(ranges),
                }
                | dict(config)
            ),
            "TrainingJobDefinition": without_none(
                job | {"StaticHyperParameters": {"predictor_type": "regressor"}} | dict(definition)
            ),
        }
        return without_none(request | changes)

    return build
