from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from asteroid_ll.run import usage
from asteroid_ll.run.usage import measured


def _fill(n_mb: int) -> int:
    return int(np.ones(n_mb * 125_000).size)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux resets the record of the peak")
def test_the_peak_is_that_of_the_work_and_not_of_earlier_work():
    _fill(120)
    before = measured(lambda: None)[1]["peak_mb"]
    size, seen = measured(lambda: _fill(60))
    assert size == 60 * 125_000
    assert not seen["is_upper_bound"]
    assert 50 < seen["peak_mb"] - before < 75


def test_without_a_reset_the_peak_of_the_process_is_an_upper_bound(monkeypatch, tmp_path):
    monkeypatch.setattr(usage, "_CLEAR", tmp_path / "absent" / "clear_refs")
    seen = measured(lambda: _fill(60))[1]
    assert seen["is_upper_bound"]
    assert seen["peak_mb"] > 60


def test_waiting_takes_time_and_no_cpu_and_work_takes_both():
    waited = measured(lambda: time.sleep(0.05))[1]
    assert waited["wall_s"] >= 0.05
    assert waited["cpu_s"] < waited["wall_s"]
    assert measured(lambda: sum(range(300_000)))[1]["cpu_s"] > 0


def test_a_failure_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        measured(lambda: 1 / 0)
