"""The container accepts every value that SageMaker's Python SDK 2 accepts for its ``LinearLearner``."""

import inspect
import warnings
from unittest.mock import Mock

import pytest

from asteroid_ll.linear_learner.hyperparameters import HYPERPARAMETERS, LOSSES, parse

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sdk = pytest.importorskip(
        "sagemaker.amazon.linear_learner",
        reason="the package sagemaker 2 is not installed (pip install 'asteroid-ll[sagemaker]')",
    )
pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]

NOT_A_HYPERPARAMETER = {"self", "role", "instance_count", "instance_type", "kwargs"}
ARGUMENTS = [
    name for name in inspect.signature(sdk.LinearLearner.__init__).parameters if name not in NOT_A_HYPERPARAMETER
]
NUMBERS = {
    int: [1, 2, 7, 1000, 1_000_000],
    float: [0, 1, 1e-07, 0.1, 0.5, 1 / 3, 0.999, 1.0, 2.5, 1e5, -1.5, 1e-30],
    bool: [True, False],
    str: ["auto", "balanced", 0.5, 3, 2.5],
}


def values_of(name):
    """Return candidates for an argument: the words that the SDK lists, or numbers of its type."""
    descriptor = vars(sdk.LinearLearner)[name]
    for check in descriptor.validation:
        words = inspect.getclosurevars(check).nonlocals.get("expected")
        if words:
            return words
    return NUMBERS[descriptor.data_type]


def texts_of(**arguments):
    """Return the hyperparameters as the SDK sends them; None if it refuses the arguments."""
    session = Mock(boto_region_name="us-west-2", local_mode=False, sagemaker_config={}, default_bucket_prefix=None)
    try:
        made = sdk.LinearLearner(
            "arn:aws:iam::000000000000:role/trainer",
            1,
            "ml.m5.large",
            sagemaker_session=session,
            data_location="s3://bucket/data",
            **arguments,
        )
    except ValueError:
        return None
    # fit() sets these two from the data.
    made.feature_dim, made.mini_batch_size = 13, 100
    return made.hyperparameters()


def setting(name, value):
    """Return the arguments of a job in which the value makes sense."""
    predictor_type = LOSSES[value].predictor_type if name == "loss" and value in LOSSES else "binary_classifier"
    arguments = {"predictor_type": predictor_type, name: value}
    return {"num_classes": 3, **arguments} if "multiclass_classifier" in arguments.values() else arguments


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_container_accepts_what_the_sdk_accepts(name):
    accepted = 0
    for value in values_of(name):
        texts = texts_of(**setting(name, value))
        if texts is None:
            continue
        accepted += 1
        parse(texts)
        if not isinstance(value, str):
            assert HYPERPARAMETERS[name].parse(texts[name]) == value
    assert accepted >= (1 if name == "predictor_type" else 2)


def test_the_sdk_sends_flags_as_python_writes_them():
    assert texts_of(predictor_type="regressor", use_bias=True, unbias_data=False) == {
        "predictor_type": "regressor",
        "use_bias": "True",
        "unbias_data": "False",
        "feature_dim": "13",
        "mini_batch_size": "100",
    }
