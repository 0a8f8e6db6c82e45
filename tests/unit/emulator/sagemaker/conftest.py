"""A model on the account that batch transform jobs can use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.linear_learner.model import Model

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
