"""An up-to-date run-all whose journal is long, beside the same command with a short one.

    python benchmarks/journal.py [lines] [--json]

A run directory is made by ``run-all``. Its journal's lines are then repeated, as if every stage had run again and
again. The first command compacts the journal, and the next ones read what remains. The least work with the long journal
is to parse its lines.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from frame import Case, Side, Times, child, main, numbers

COMMAND = [sys.executable, "-m", "asteroid_ll", "run-all"]


def parse(path: Path) -> None:
    """Parse every line."""
    with path.open("rb") as file:
        for line in file:
            json.loads(line)


def cases(n_lines: int = 88_000) -> Iterator[Case]:
    """Yield the first command with a long journal, and one after it."""
    with tempfile.TemporaryDirectory() as name:
        short, long = Path(name, "short"), Path(name, "long")
        short.mkdir()
        child(COMMAND, folder=short)
        shutil.copytree(short, long)
        journal = long / "asteroid-run" / "journal.jsonl"
        lines = journal.read_bytes().splitlines(keepends=True)
        uncompacted = Path(name, "journal.jsonl")
        uncompacted.write_bytes(b"".join(lines * (n_lines // len(lines))))

        def first() -> Times:
            shutil.copyfile(uncompacted, journal)
            return child(COMMAND, folder=long)

        usual = Side(f"the same with {len(lines)} lines", lambda: child(COMMAND, folder=short))
        work = f"run-all, up to date, {n_lines // len(lines) * len(lines):,} lines"
        yield Case(
            f"{work}, first time",
            first,
            (usual, Side("json.loads of the lines", lambda: parse(uncompacted), is_bound=True)),
        )
        first()
        yield Case(f"{work}, then", lambda: child(COMMAND, folder=long), (usual,))


if __name__ == "__main__":
    sys.exit(main("journal", cases(*numbers())))
