"""The choice of the engine."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from asteroid_ll.linear_learner import train
from asteroid_ll.linear_learner.engine import VARIABLE, chosen
from asteroid_ll.linear_learner.errors import ClientError


def test_the_default_is_numpy_and_a_keyword_beats_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert chosen(None) == "numpy"
    monkeypatch.setenv(VARIABLE, "")
    assert chosen(None) == "numpy"
    monkeypatch.setenv(VARIABLE, "turbo")
    assert chosen("numpy") == "numpy"


def test_an_unknown_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "turbo")
    with pytest.raises(ClientError, match="The engine 'turbo' is unknown") as caught:
        train(np.ones((4, 1)), np.ones(4), {"predictor_type": "regressor", "mini_batch_size": "2"})
    assert caught.value.hint == "Set ASTEROID_LL_ENGINE to numpy or fast, or unset it."


def test_an_engine_that_is_not_installed_is_an_error_with_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(ClientError, match="needs numba") as caught:
        chosen(None)
    assert caught.value.hint == "Run: pip install 'asteroid-ll[fast]'"
