"""Python code in a process of its own, killed at a chosen call."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

KILL_AT = """
import os, signal, sys
name, at, moment = sys.argv[1], int(sys.argv[2]), sys.argv[3]
real, calls = getattr(os, name), 0
def call(*arguments, **options):
    global calls
    calls += 1
    if calls == at and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if calls == at and moment == "half":
        real(arguments[0], arguments[1][:20])
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*arguments, **options)
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(os, name, call)
"""


@pytest.fixture
def kill_at() -> str:
    """Code that kills its process before, half through or after the n-th call of a function of ``os``."""
    return KILL_AT


@pytest.fixture
def child() -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs Python code in a process of its own and returns the finished process."""

    def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def n_descriptors() -> Callable[[], int]:
    """A function that counts this process's open descriptors."""
    return lambda: len(list(Path("/dev/fd").iterdir()))
