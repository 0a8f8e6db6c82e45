"""Fail if the account has anything of a run: the judge of ``scripts/smoke``, which shares no code with the teardown.

It reads the output of ``asteroid-ll sweep --all --dry-run --json``, and the run's name from ``run.json``.
"""

import json
import sys
from pathlib import Path
from typing import Any

LEFT = 6
"""The exit code of asteroid-ll for resources that may be billed."""


def main(workdir: str) -> int:
    """Print what is left; return the exit code."""
    try:
        run = json.loads(Path(workdir, "run.json").read_text())["run"]
        found = json.load(sys.stdin)
    except (OSError, ValueError) as error:
        print(f"Whether anything is left is unknown: {error}.")
        return LEFT
    problems = list(problems_of(found, run))
    print("\n".join(problems) or f"Nothing of run {run} is left.")
    return LEFT if problems else 0


def problems_of(found: dict[str, Any], run: str) -> list[str]:
    """Return a line for each resource of the run, and for each whose owner is unknown."""
    left = [f"Left: {item['kind']} {item['name']}" for item in found.get("resources", ()) if item["run"] == run]
    unknown = [f"Unknown: {item['kind']} {item['name']}: {item['reason']}" for item in found.get("unknown", ())]
    failed = [] if found.get("status") == "success" else [f"The sweep failed: {found.get('error', {}).get('what')}"]
    return [*left, *unknown, *failed]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
