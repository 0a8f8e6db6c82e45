"""Whole commands as processes, beside an import of the libraries that they need and an interpreter that does nothing.

    python benchmarks/whole_commands.py [--json]

``run-all`` works in a folder that is empty each time. On a quiet machine the import takes about 0.35 s.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from frame import Case, Side, Times, child, main

PROGRAM = [sys.executable, "-m", "asteroid_ll"]


def run_all() -> Times:
    """Run every stage in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        return child([*PROGRAM, "run-all"], folder=Path(folder))


def cases() -> Iterator[Case]:
    """Yield a first run, one that has nothing to do, and the help."""
    code = "import numpy, pandas, boto3"
    nothing = "python -c pass"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child([*PROGRAM, "run-all"], folder=folder)
        for work, ours, other, least in (
            ("run-all", run_all, code, 1 / 6.5),
            ("run-all, up to date", lambda: child([*PROGRAM, "run-all"], folder=folder), code, 1.0),
            ("--help", lambda: child([*PROGRAM, "--help"], folder=folder), nothing, 0.15),
        ):
            program = [sys.executable, "-c", code if other == code else "pass"]
            side = Side(other, lambda program=program: child(program), at_least=least, is_bound=True)  # type: ignore[misc]
            yield Case(work, ours, (side,), clock="wall", rounds=7)


if __name__ == "__main__":
    sys.exit(main("commands", cases()))
