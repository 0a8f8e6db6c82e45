import subprocess
import sys

import pytest

from asteroid_ll.config import Config, validate
from asteroid_ll.config.algorithm import hyperparameter_problems
from asteroid_ll.errors import ConfigError


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
    assert list(hyperparameter_problems(values)) == [
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
    assert list(hyperparameter_problems(values, is_whole=False)) == []


def test_loading_a_configuration_imports_neither_numpy_nor_pandas_nor_boto3():
    code = (
        "import sys; from asteroid_ll.config import load; load(None);"
        "print(sorted({'numpy', 'pandas', 'boto3', 'botocore', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
