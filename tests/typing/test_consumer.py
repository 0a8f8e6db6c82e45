"""The types that the public API shows to other projects (``py.typed``)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import asteroid_ll

HERE = Path(__file__).resolve().parent
CONSUMER = HERE / "consumer.py"


def test_a_strict_consumer_sees_precise_types() -> None:
    cache = HERE.parents[1] / ".mypy_cache" / "consumer"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(cache), str(CONSUMER)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.stdout == "Success: no issues found in 1 source file\n", ended.stdout + ended.stderr


def test_the_consumer_uses_every_public_name() -> None:
    names = {node.id for node in ast.walk(ast.parse(CONSUMER.read_text("utf-8"))) if isinstance(node, ast.Name)}
    assert set(asteroid_ll.__all__) - names <= {"__version__"}
