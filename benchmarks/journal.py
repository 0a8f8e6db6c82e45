"""An up-to-date run-all whose journal is long, beside the same command with a short one.

    python benchmarks/journal.py [lines]

A run directory is made by ``run-all``. Its journal's lines are then repeated, as if every stage had run again and
again, and ``run-all`` is measured three times. The first one compacts the journal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "asteroid_ll", "run-all"]


def measured(folder: Path) -> str:
    """Run the command; return its times and its peak memory as text."""
    started = time.perf_counter()
    process = subprocess.Popen(COMMAND, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    wall_s = time.perf_counter() - started
    return f"{usage.ru_utime + usage.ru_stime:6.2f} s CPU {wall_s:6.2f} s wall {usage.ru_maxrss / 1024:6.0f} MB"


def main() -> None:
    """Print one line per run."""
    n_lines = int(sys.argv[1]) if len(sys.argv) > 1 else 88_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured(folder)
        journal = folder / "asteroid-run" / "journal.jsonl"
        lines = journal.read_bytes().splitlines(keepends=True)
        print(f"{len(lines):8,} lines {journal.stat().st_size / 1e6:6.2f} MB: {measured(folder)}", flush=True)
        journal.write_bytes(b"".join(lines * (n_lines // len(lines))))
        for _ in range(3):
            content = journal.read_bytes()
            n_bytes, n_lines = len(content), content.count(b"\n")
            print(f"{n_lines:8,} lines {n_bytes / 1e6:6.2f} MB: {measured(folder)}", flush=True)


if __name__ == "__main__":
    main()
