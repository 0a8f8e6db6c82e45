"""pytest fixtures for tests of code that uses SageMaker's Linear Learner.

Enable them in the top-level ``conftest.py`` of your tests with ``pytest_plugins = ["asteroid_ll.testing"]``. A test
with the fixture ``sagemaker_emulator`` passes ``sagemaker_emulator.session()`` to the code that it tests. For code that
calls ``boto3.client`` itself, use ``sagemaker_emulator_url``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import numpy as np
import pytest
from botocore.client import BaseClient

from asteroid_ll.emulator.account import DEFAULT_REGION
from asteroid_ll.emulator.local import Emulator
from asteroid_ll.emulator.sessions import CREDENTIAL, poll_quickly
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.training import train


@pytest.fixture
def sagemaker_emulator() -> Iterator[Emulator]:
    """An empty emulated AWS account for one test. ``sagemaker_emulator.session()`` is a boto3 session for it."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def sagemaker_emulator_url(sagemaker_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL at which `sagemaker_emulator` answers over HTTP during one test.

    The environment points every AWS client of the test and of its child processes at the URL, with dummy
    credentials and region us-east-1. Waiters in the test's process poll every 0.05 s; those of child processes keep
    their delays (120 s for a training job).
    """
    get_waiter = BaseClient.get_waiter
    with sagemaker_emulator.serve() as url:
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": CREDENTIAL,
            "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
            "AWS_DEFAULT_REGION": DEFAULT_REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        monkeypatch.setattr(BaseClient, "get_waiter", lambda *arguments: poll_quickly(get_waiter(*arguments)))
        yield url


@pytest.fixture(scope="session")
def linear_learner_model() -> Model:
    """A small binary classifier, trained in this process: two features, label 1 if the first is positive."""
    features = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    labels = (features[:, 0] > 0).astype(np.float32)
    values = {"predictor_type": "binary_classifier", "mini_batch_size": "20", "epochs": "5", "num_models": "2"}
    return train(features, labels, values).model
