"""Write the table in docs/reliability.md from the results of the fault suites.

    .venv/bin/python scripts/reliability.py              run every case (about two hours on two cores), then write
    .venv/bin/python scripts/reliability.py RESULTS...   write from the JUnit files of earlier runs

A case is one test: a command, or a sequence of commands, with at least one fault. It survives if every check of its
test holds. It is lost if a result differs from that of an undisturbed run, and leaked if the emulator's ledger still
bills something after the end. Any other failed check counts as "failed otherwise".
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
SUITES = (*sorted((ROOT / "tests" / "faults").glob("test_*.py")), ROOT / "tests" / "cli" / "test_sweep.py")
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def run_suites(results: Path) -> None:
    """Run every case of the suites; the results are a JUnit file."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", f"--junitxml={results}", *map(str, SUITES)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "ASTEROID_LL_EXHAUSTIVE": "1"}, check=False)


def counts(results: Path) -> Counter[tuple[str, str]]:
    """Return the number of cases by suite and outcome: ``survived``, ``lost``, ``leaked`` or ``failed``."""
    cases: Counter[tuple[str, str]] = Counter()
    for case in ET.parse(results).getroot().iter("testcase"):
        suite = case.get("classname", "").rpartition(".")[2]
        if case.find("skipped") is not None:
            continue
        failures = [*case.iter("failure"), *case.iter("error")]
        cases[suite, _outcome(failures[0].text or "") if failures else "survived"] += 1
    return cases


def _outcome(traceback: str) -> str:
    """Return what a failure means, by the assertion that failed: pytest marks its line with ``>``."""
    failed = [line for line in traceback.splitlines() if line.startswith(">")][-1:]
    if any(name in line for line in failed for name in ("open_intervals()", "still_open")):
        return "leaked"
    is_result = any(name in line for line in failed for name in ("metrics()", "outputs()", "bytes_of("))
    return "lost" if is_result else "failed"


def table(cases: Counter[tuple[str, str]]) -> str:
    """Return the table in Markdown, one row per suite, and the sums."""
    outcomes = ("survived", "lost", "leaked", "failed")
    rows = ["| suite | injected | survived | lost | leaked | failed otherwise |", "|---|--:|--:|--:|--:|--:|"]
    total: Counter[str] = Counter()
    for suite in SUITES:
        numbers = {outcome: cases[suite.stem, outcome] for outcome in outcomes}
        total.update(numbers)
        rows.append(_row(f"{_summary(suite)} `{suite.relative_to(ROOT)}`", numbers))
    return "\n".join([*rows, _row("all", total)])


def _row(title: str, numbers: dict[str, int] | Counter[str]) -> str:
    cells = [sum(numbers.values()), *(numbers[outcome] for outcome in ("survived", "lost", "leaked", "failed"))]
    return f"| {title} | {' | '.join(f'{number:,}' for number in cells)} |"


def _summary(suite: Path) -> str:
    """Return the first line of a suite's docstring."""
    return (ast.get_docstring(ast.parse(suite.read_text("utf-8"))) or "").partition("\n")[0]


def main(arguments: list[str]) -> None:
    """Write the page."""
    results = [Path(argument) for argument in arguments]
    if not results:
        results = [ROOT / "build" / "reliability.xml"]
        results[0].parent.mkdir(exist_ok=True)
        run_suites(results[0])
    cases = sum((counts(path) for path in results), Counter())
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    day = datetime.now(UTC).date()
    PAGE.write_text(f"{before}{BEGIN}\n\nLast run on {day}:\n\n{table(cases)}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
