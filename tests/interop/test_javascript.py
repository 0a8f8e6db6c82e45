"""The AWS SDK for JavaScript 3 against the served emulator: a whole story, other protocols, the recipe of the guide."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "javascript"
GUIDE = Path(__file__).resolve().parents[2] / "docs/emulator-recipes.md"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="scripts/interop runs it"),
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not (FOLDER / "node_modules").is_dir(), reason=f"npm ci has not run in {FOLDER}"),
]


@pytest.fixture
def served(tmp_path):
    """The address of a served emulator, and its directory."""
    state = tmp_path / "state"
    server = subprocess.Popen(
        [sys.executable, "-m", "asteroid_ll", "emulator", "serve", "--port", "0", "--state", str(state)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield server.stdout.readline().strip().partition("=")[2], state
    finally:
        server.terminate()
        server.communicate(timeout=30)


@pytest.fixture
def node(served, tmp_path):
    """Run a JavaScript module next to the installed packages; its standard output comes back."""
    variables = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": served[0],
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "NODE_NO_WARNINGS": "1",
    }

    def run(*arguments):
        command = [NODE, *arguments]
        done = subprocess.run(
            command, cwd=FOLDER, env=variables, check=False, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def n_open_intervals(state):
    command = [sys.executable, "-m", "asteroid_ll", "emulator", "ledger", "--json", "--state", str(state)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    ledger = json.loads(done.stdout)
    assert ledger["intervals"]
    return len(ledger["billing"]["open"])


def test_a_job_is_trained_hosted_and_deleted(node, served):
    story = json.loads(node("story.mjs"))
    assert story["status"] == "Completed"
    assert story["keys"] == ["a", "b", "models/story/output/model.tar.gz", "train/rows é+.csv"]
    assert [prediction["predicted_label"] for prediction in story["predictions"]] == [0, 1]
    refused = {name: (error["name"], error["status"]) for name, error in story["refused"].items()}
    assert refused == {
        "missing": ("NoSuchKey", 404),
        "wrongType": ("SerializationException", 400),
        "invalid": ("ValidationException", 400),
        "badRow": ("ModelError", 424),
        "unknown": ("UnknownOperationException", 501),
        "unknownRuntime": ("UnknownOperationException", 501),
        "gone": ("ValidationException", 400),
    }
    assert {error["attempts"] for error in story["refused"].values()} == {1}
    assert story["refused"]["wrongType"]["message"] == "NUMBER_VALUE can not be converted to a String"
    assert n_open_intervals(served[1]) == 0


def test_services_of_other_protocols_are_refused_by_name(node):
    names = {
        "cloudwatch": "monitoring operation 'ListDashboards'",
        "route53": "route53 operation 'GET /2013-04-01/hostedzone'",
        "sns": "sns operation 'ListTopics'",
    }
    assert json.loads(node("others.mjs")) == {
        service: ["UnknownOperationException", f"The emulator has no {name}.", 501, 1]
        for service, name in names.items()
    }


def test_the_recipe_of_the_guide_runs(node, served):
    (program,) = re.findall(r"^```js\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    printed = node("--input-type=module", "--eval", program)
    (prediction,) = json.loads(printed)["predictions"]
    assert prediction["predicted_label"] == 1
    assert n_open_intervals(served[1]) == 0
