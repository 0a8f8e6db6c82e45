import sys

import numpy as np
import pytest

from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.onnx_export import to_onnx


def test_without_the_package_the_next_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    model = Model("regressor", "squared_loss", np.ones((2, 1), np.float32), np.zeros(1, np.float32))
    with pytest.raises(ConfigError, match="ONNX needs the package onnx") as caught:
        to_onnx(model)
    assert "asteroid-ll[onnx]" in caught.value.hint
