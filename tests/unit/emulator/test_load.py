"""The load of ``benchmarks/emulator_load.py``, for some seconds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "emulator_load.py"


@pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1",
    reason="keeps all processors busy; ASTEROID_LL_EXHAUSTIVE=1 runs it",
)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the benchmark reads /proc")
def test_parallel_clients_get_no_error_while_jobs_train():
    command = [sys.executable, BENCHMARK, "--seconds", "5"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.stderr == ""
    assert "0 errors" in done.stdout, done.stdout
    assert re.search(r"^ +[1-9]\d*  create_training_job$", done.stdout, re.MULTILINE), done.stdout
