"""A model on the account that batch transform jobs can use."""

import numpy as np
import pytest

from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.linear_learner.model import Model

REGION = "us-west-2"
ROLE = "arn:aws:iam::000000000000:role/trainer"


@pytest.fixture(scope="session")
def artifact(tmp_path_factory):
    """The bytes of a binary classifier of two features, whose score is the sigmoid of their sum."""
    path = tmp_path_factory.mktemp("artifact") / "model.tar.gz"
    Model("binary_classifier", "logistic", np.ones((2, 1), np.float32), np.zeros(1, np.float32), 0.5).save(path)
    return path.read_bytes()


@pytest.fixture
def model(emulator, sagemaker, artifact):
    """The name of the model."""
    emulator.store.create_bucket("asteroids", region=REGION)
    emulator.store.put("asteroids", "model.tar.gz", [artifact])
    container = {"Image": image_uri(REGION), "ModelDataUrl": "s3://asteroids/model.tar.gz"}
    sagemaker.create_model(ModelName="rocks", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    return "rocks"


@pytest.fixture
def transform_request():
    """A valid CreateTransformJob request over ``s3://asteroids/in/``; members can be replaced."""

    def build(name="score", *, data=(), source=(), output=(), resources=(), **changes):
        s3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://asteroids/in/"} | dict(source)
        request = {
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
