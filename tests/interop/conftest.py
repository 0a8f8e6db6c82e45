"""What the stories of the SageMaker SDKs share: a served emulator, and a program that has only its address."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from asteroid_ll import Emulator

PAGE = Path(__file__).resolve().parents[2] / "docs/sdk.md"


@contextlib.contextmanager
def served(state: Path) -> Iterator[str]:
    """Serve an account in a process of its own; the value is its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "asteroid_ll", "emulator", "serve", "--port", "0", "--state", str(state)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip().partition("=")[2]
    finally:
        server.terminate()
        server.communicate(timeout=30)


def program_of_the_page(phrase: str) -> str:
    """Return the only program of docs/sdk.md that contains a phrase."""
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (program,) = (text for text in programs if phrase in text)
    return str(program)


def configuration_of_the_page() -> str:
    """Return the SDK's configuration of docs/sdk.md."""
    (text,) = re.findall(r"^```text\n(SchemaVersion.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(text)


def open_intervals(state: Path) -> list[str]:
    """Return what a served account still bills."""
    with Emulator(state) as emulator:
        return [interval.arn for interval in emulator.ledger() if interval.ended_s is None]


def run(program: str, *, url: str, folder: Path) -> str:
    """Run a program in a folder, with the address and dummy credentials; return its output.

    Raises:
        AssertionError: it failed; with its output.
    """
    config = folder / ".config/sagemaker/config.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(configuration_of_the_page())
    variables = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "HOME": str(folder),
        "PYTHONWARNINGS": "ignore",
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=variables,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


@pytest.fixture
def sdk(request: pytest.FixtureRequest) -> SimpleNamespace:
    """These functions, for a module whose ``SDK`` is the major version that it needs."""
    needed = request.module.SDK
    try:
        version = metadata.version("sagemaker")
    except metadata.PackageNotFoundError:
        version = "none"
    if version.partition(".")[0] != str(needed):
        pytest.skip(f"the package sagemaker {needed} is not installed ({version})")
    return SimpleNamespace(
        served=served, run=run, program_of_the_page=program_of_the_page, open_intervals=open_intervals
    )
