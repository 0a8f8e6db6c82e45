"""A client of IAM in front of an empty account on a virtual clock, and documents for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Document = dict[str, Any]


@pytest.fixture
def iam(virtual: Any, client_of: Callable[..., Any]) -> Any:
    return client_of("iam")


@pytest.fixture
def trust() -> Document:
    """SageMaker may assume the role."""
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def read() -> Document:
    """One may read objects whose names need encoding."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::rocks/100% a+b/é*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def role(iam: Any, trust: Document) -> Any:
    return iam.create_role(RoleName="learner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]


@pytest.fixture
def policy(iam: Any, read: Document) -> Any:
    return iam.create_policy(PolicyName="readers", PolicyDocument=json.dumps(read))["Policy"]


@pytest.fixture
def user(iam: Any) -> Any:
    return iam.create_user(UserName="ada")["User"]
