import sys

import numpy as np
import pytest

from asteroid_ll.errors import ConfigError
from asteroid_ll.export.named import named
from asteroid_ll.export.onnx_file import to_onnx
from asteroid_ll.linear_learner.model import Model


def test_without_the_package_the_next_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    model = Model("regressor", "squared_loss", np.ones((2, 1), np.float32), np.zeros(1, np.float32))
    with pytest.raises(ConfigError, match="ONNX needs the package onnx") as caught:
        to_onnx(named(model))
    assert "asteroid-ll[onnx]" in caught.value.hint
