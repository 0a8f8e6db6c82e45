"""The recipes for pytest and GitHub Actions: the workflow's commands run in a real shell with the page's files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import yaml

from asteroid_ll import Emulator

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "emulator-recipes.md").read_text(encoding="utf-8")
USES_THE_SERVER = """
import boto3


def test_the_served_account_is_used():
    boto3.client("s3").create_bucket(Bucket="of-the-workflow")
"""


def blocks(language: str) -> list[str]:
    """The page's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def files() -> dict[str, str]:
    """The page's files by name: Python blocks whose first line is a comment with a name."""
    named = [re.match(r"# (\w+\.py)\n", text) for text in blocks("python")]
    return {match[1]: text for match, text in zip(named, blocks("python"), strict=True) if match}


def job() -> dict[str, Any]:
    """The job of the page's workflow."""
    (text,) = blocks("yml")
    (only,) = yaml.safe_load(text)["jobs"].values()
    return dict(only)


def commands() -> list[str]:
    """The commands of the job's steps."""
    return [step["run"] for step in job()["steps"] if "run" in step]


def kill(process: subprocess.Popen[str]) -> None:
    """End what a step has left in the background, as GitHub's runner does at the end of a job."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def test_the_page_has_a_workflow_and_the_files_of_the_recipe_for_pytest() -> None:
    assert {"conftest.py", "test_moons.py"} == files().keys()
    for text in files().values():
        compile(text, "recipe", "exec")
    assert commands()[0] == "pip install asteroid-ll pytest"


def test_the_workflow_starts_the_emulator_runs_the_tests_and_lists_the_cost(tmp_path: Path) -> None:
    for name, text in {**files(), "test_served.py": USES_THE_SERVER}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    runner = tmp_path / "runner"
    runner.mkdir()
    exported = runner / "github-env"
    exported.touch()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST", "COV"))}
    environment = {
        **plain,
        **job()["env"],
        "GITHUB_ENV": str(exported),
        "RUNNER_TEMP": str(runner),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    printed = []
    with ExitStack() as stack:
        for command in commands()[1:]:
            variables = dict(line.split("=", 1) for line in exported.read_text(encoding="utf-8").splitlines())
            with (tmp_path / "output").open("w+") as output:  # a pipe would stay open with the emulator
                step = subprocess.Popen(
                    ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
                    cwd=tmp_path,
                    env=environment | variables,
                    stdout=output,
                    stderr=output,
                    text=True,
                    start_new_session=True,
                )
                stack.callback(kill, step)
                code = step.wait(timeout=120)
                output.seek(0)
                printed.append(output.read())
            assert code == 0, printed[-1]
        started, tested, cost = printed
        assert started == ""
        assert "2 passed" in tested
        assert "Resource" in cost
        (url,) = exported.read_text(encoding="utf-8").splitlines()
        assert re.fullmatch(r"AWS_ENDPOINT_URL=http://127\.0\.0\.1:\d+", url)
        with Emulator(runner / "aws") as account:
            names = [bucket["Name"] for bucket in account.session().client("s3").list_buckets()["Buckets"]]
        assert names == ["of-the-workflow"]
