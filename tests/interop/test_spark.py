"""The recipe of docs/scale.md: Spark writes shards that equal our own features, and two hosts train on them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
import pytest

import asteroid_ll
from asteroid_ll import Emulator
from asteroid_ll.formats import recordio
from asteroid_ll.neo.features import fit

PAGE = Path(__file__).resolve().parents[2] / "docs/scale.md"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="scripts/interop runs it"),
]


def program(name):
    """The page's program whose first line names it."""
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (text,) = (text for text in programs if text.startswith(f"# {name}"))
    return text


@pytest.fixture
def account(tmp_path, monkeypatch):
    """A served emulator with a bucket, and the environment of a program that uses it."""
    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:
        emulator.session().client("s3").create_bucket(Bucket="survey")
        variables = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield emulator


def run(text, *arguments, folder):
    done = subprocess.run(
        [sys.executable, "-c", text, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_spark_writes_the_features_of_a_small_run_and_two_hosts_train_on_them(account, tmp_path):
    pytest.importorskip("pyspark", reason="the package pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("java is not on the PATH")
    table = pd.read_csv(Path(asteroid_ll.__file__).parent / "data" / "catalogue.csv.gz").iloc[::8]
    table.to_csv(tmp_path / "survey.csv", index=False)
    fitted = fit("spline", table)
    (tmp_path / "asteroid-run" / "encode").mkdir(parents=True)
    (tmp_path / "asteroid-run" / "encode" / "features.json").write_text(json.dumps(fitted.to_json()))

    printed = run(program("to_recordio.py"), tmp_path / "survey.csv", "survey", "train", folder=tmp_path)
    s3 = boto3.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="survey")["Contents"]]
    assert keys == [f"train/part-{number:05}.pbr" for number in range(8)]
    assert all(key in printed for key in keys)
    shards = [recordio.decode(s3.get_object(Bucket="survey", Key=key)["Body"].read()) for key in keys]
    assert all(300 < len(labels) < 1_200 for _, labels in shards)
    ours = np.column_stack([fitted.transform(table), table["hazardous"].astype("float32")])
    theirs = np.vstack([np.column_stack(shard) for shard in shards])
    assert not np.array_equal(ours, theirs)  # in another order
    for rows in (ours, theirs):
        rows[:] = rows[np.lexsort(rows.T)]
    np.testing.assert_array_equal(ours, theirs)

    role = "arn:aws:iam::000000000000:role/sagemaker"
    assert run(program("train.py"), "survey", role, folder=tmp_path) == "Completed\n"
    streams = boto3.client("logs").describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    assert len(streams) == 2
