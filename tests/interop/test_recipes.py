"""The recipes of docs/emulator-recipes.md for pandas, pyarrow and the AWS command line, as the page has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asteroid_ll import Emulator

PAGE = Path(__file__).resolve().parents[2] / "docs/emulator-recipes.md"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="scripts/interop runs it"),
]


def block(heading, language):
    """The first code block of a section."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (text,) = re.findall(rf"\A\n```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return text


@pytest.fixture
def run(tmp_path):
    """Run a command with the variables of the page, in front of an empty served account that has one bucket."""
    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:
        emulator.session().client("s3").create_bucket(Bucket="comets-table")
        variables = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")} | {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
        }

        def call(*command):
            done = subprocess.run(
                command, cwd=tmp_path, env=variables, check=False, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        yield call


@pytest.mark.parametrize(("heading", "packages"), [("pandas", ["s3fs", "pyarrow"]), ("Other S3 clients", ["pyarrow"])])
def test_a_program_of_the_page_runs(run, heading, packages):
    for package in packages:
        pytest.importorskip(package, reason=f"the package {package} is not installed")
    run(sys.executable, "-c", block(heading, "python"))


def test_the_commands_of_the_page_train_a_model(run):
    if shutil.which("aws") is None:
        pytest.skip("the AWS CLI is not installed")
    printed = run("sh", "-ec", block("AWS command line", "sh"))
    assert "\nCompleted\n" in printed
    assert re.search(r"models/high-water/output/model\.tar\.gz$", printed, re.MULTILINE)
    assert re.search(r"#quality_metric: host=algo-1, train binary_log_loss <score>=\d\.\d+$", printed.strip())
