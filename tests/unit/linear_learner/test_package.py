"""The names of the package, and the cost of importing it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import asteroid_ll.linear_learner as package


def test_train_its_result_and_model_are_offered_by_the_package() -> None:
    assert callable(package.train)
    assert package.TrainingResult.__name__ == "TrainingResult"
    assert package.Model.__name__ == "Model"
    with pytest.raises(AttributeError, match="has no attribute 'Modell'"):
        package.Modell  # noqa: B018


def test_checking_hyperparameters_loads_no_numpy() -> None:
    code = "import sys, asteroid_ll.linear_learner.hyperparameters; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
