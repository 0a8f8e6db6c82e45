"""The recipe of docs/sdk.md: a run's model, deployed with SageMaker's Python SDK 2."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from asteroid_ll import Emulator, load_config, run_all

SDK = 2
pytestmark = pytest.mark.interop


def test_the_sdk_serves_the_model_of_a_run_with_the_same_scores(sdk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_all(load_config(report={"figures": False}), workdir="asteroid-run", hyperparameters={"epochs": 2})
    program = sdk.program_of_the_page("asteroid-run")
    with Emulator("asteroid-run/emulator") as emulator, emulator.serve() as url:
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not [interval for interval in emulator.ledger() if interval.ended_s is None]
    printed = re.findall(r"[01]\.0 (\S+)$", done.stdout, re.MULTILINE)
    with Path("asteroid-run/predict/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))[:5]
    assert list(map(float, printed)) == pytest.approx([float(row["score"]) for row in rows], abs=1e-6)
