import dataclasses
import subprocess
import sys

import pytest

from asteroid_ll.config import Config, validate
from asteroid_ll.config.algorithm import hyperparameter_problems
from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.records import LossRecord
from asteroid_ll.linear_learner.spec import HYPERPARAMETERS, LOSSES


def test_the_defaults_are_hyperparameters_that_the_algorithm_accepts():
    validate(Config())


@pytest.mark.parametrize(
    ("hyperparameters", "problems"),
    [
        ({"epochs": -1}, ("hyperparameters.epochs: must be a whole number from 1, not -1",)),
        (
            {"optimizer": "adagrad", "wd": "x"},
            (
                "hyperparameters.optimizer: must be auto, adam, sgd or rmsprop, not adagrad",
                "hyperparameters.wd: must be auto or a number in [0, inf), not x",
            ),
        ),
        ({"use_bias": "maybe"}, ("hyperparameters.use_bias: must be true or false, not maybe",)),
    ],
    ids=["one", "two", "flag"],
)
def test_each_value_out_of_its_range_is_named(hyperparameters, problems):
    with pytest.raises(ConfigError) as caught:
        validate(Config(hyperparameters=hyperparameters))
    assert caught.value.context["problems"] == problems
    assert all(problem in caught.value.what for problem in problems)


def test_values_that_do_not_go_together_are_refused_in_the_algorithms_words():
    with pytest.raises(ConfigError, match="loss 'softmax_loss' is not applicable"):
        validate(Config(hyperparameters={"loss": "softmax_loss"}))


def test_every_combination_that_does_not_go_together_is_named_once():
    values = {"predictor_type": "multiclass_classifier", "loss": "logistic", "num_classes": "2"}
    assert list(hyperparameter_problems(values, target="emulator")) == [
        (
            "loss",
            "the loss 'logistic' is not applicable to predictor_type 'multiclass_classifier'; use auto or one of "
            "['softmax_loss']",
        ),
        (
            "num_classes",
            "for predictor_type 'multiclass_classifier', 'num_classes' should be set to a value greater than 2",
        ),
    ]
    assert list(hyperparameter_problems(values, target="emulator", is_whole=False)) == []


def with_a_loss_beyond_aws(monkeypatch):
    loss = dataclasses.replace(HYPERPARAMETERS["loss"], extra_words=("log_cosh",))
    monkeypatch.setitem(HYPERPARAMETERS, "loss", loss)
    monkeypatch.setitem(LOSSES, "log_cosh", LossRecord("log_cosh", "binary_classifier", on_aws=False))
    return {"loss": "log_cosh"}


def test_a_loss_that_aws_does_not_have_is_refused_for_aws(monkeypatch):
    hyperparameters = with_a_loss_beyond_aws(monkeypatch)
    role = "arn:aws:iam::123456789012:role/asteroid-ll"
    with pytest.raises(ConfigError) as caught:
        validate(Config(target="aws", role_arn=role, hyperparameters=hyperparameters))
    assert caught.value.what == "hyperparameters.loss: log_cosh is not available on AWS; the emulator has it."


def test_a_loss_that_aws_does_not_have_is_accepted_by_the_emulator(monkeypatch):
    validate(Config(hyperparameters=with_a_loss_beyond_aws(monkeypatch)))


def test_loading_a_configuration_imports_neither_numpy_nor_pandas_nor_boto3():
    code = (
        "import sys; from asteroid_ll.config import load; load(None);"
        "print(sorted({'numpy', 'pandas', 'boto3', 'botocore', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
