"""``ASTEROID_LL_ENGINE``: a model of another engine is another result, and the report names the engine."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

FAST = {"ASTEROID_LL_ENGINE": "fast"}


def _train_step(place, **environment):
    steps = {step["name"]: step for step in place.run("plan", "--json", **environment).json["stages"]}
    return steps["train"]["status"], steps["train"].get("reason")


def test_a_model_of_numpy_is_not_up_to_date_for_another_engine(finished):
    assert _train_step(finished, ASTEROID_LL_ENGINE="numpy")[0] == "skipped"
    assert _train_step(finished, **FAST) == ("run", "engine is 'fast', was None")


def test_a_model_of_another_engine_says_so_and_is_not_up_to_date_for_numpy(finished):
    pytest.importorskip("numba", reason="the extra 'fast' is not installed")
    assert finished.run("run-all", "--set", "report.html=true", **FAST).code == 0
    engine = f"fast (numba {version('numba')})"
    assert json.loads(finished.bytes_of("train/job.json"))["engine"] == engine
    facts = json.loads(finished.bytes_of("report/report.json"))["run"]
    assert facts["Engine"] == engine
    assert facts["Command"].startswith("ASTEROID_LL_ENGINE=fast asteroid-ll run-all ")
    assert _train_step(finished, **FAST)[0] == "skipped"
    assert _train_step(finished) == ("run", "engine no longer set")
