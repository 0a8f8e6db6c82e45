"""Measure the claims of the documentation and write their tables; called by ``scripts/bench``.

Each claim is a program of this folder. Its result goes into ``results.json``, and from there into the block of that
name in the pages of ``docs/``, between ``<!-- bench NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import scale
from frame import markdown

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
DOCS = HERE.parent / "docs"

PROGRAMS = {
    "commands": "whole_commands.py",
    "import": "import_time.py",
    "new-rows": "predict_rows.py",
    "recordio": "recordio.py",
    "training": "training_rivals.py",
    "s3": "s3_rivals.py",
    "bodies": "bodies.py",
    "lists": "listings.py",
    "journal": "journal.py",
    "serving": "serving.py",
    "equal-orbits": "equal_orbits.py",
    "data-card": "data_card.py",
    "stages": "stages.py",
}
"""The program of each claim."""

BLOCK = re.compile(r"(<!-- bench ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def measured(name: str) -> dict[str, Any]:
    """Run a claim's program and return its result."""
    done = subprocess.run(
        [sys.executable, HERE / PROGRAMS[name], "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"{name}: {PROGRAMS[name]} ended with {done.returncode} and printed no result.") from None
    return result


def block(name: str, result: dict[str, Any]) -> str:
    """Return a claim's table with the sentence under it."""
    where = result["machine"]
    skipped = f" Not installed: {', '.join(result['skipped'])}." if result["skipped"] else ""
    broken = "".join(f"\nDoes not hold: {line}.\n" for line in result["violated"])
    return (
        f"\n{markdown(result['rows'])}\n`scripts/bench --only {name}`: {where['processor']}, {where['cores']} cores, "
        f"load {where['load']}, Python {where['python']}, numpy {where['numpy']}, pandas {where['pandas']}.{skipped}\n"
        f"{broken}\n"
    )


def filled(text: str, results: dict[str, dict[str, Any]]) -> str:
    """Return a page with its blocks written from the results; a block without one stays."""
    blocks = {name: block(name, result) for name, result in results.items()}
    if "stages" in results:
        blocks["scale"] = f"\n{scale.markdown(results['stages'])}\n"
    return BLOCK.sub(lambda match: f"{match[1]}{blocks.get(match[2], match[3])}{match[4]}", text)


def main() -> int:
    """Measure; return 1 if something that must hold does not."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure the claims of docs/performance.md.")
    parser.add_argument("--list", action="store_true", help="print the names of the claims and measure nothing")
    parser.add_argument("--only", action="append", choices=PROGRAMS, metavar="NAME", help="measure only this claim")
    parser.add_argument("--write", action="store_true", help="write the pages from results.json and measure nothing")
    options = parser.parse_args()
    if options.list:
        for name, program in PROGRAMS.items():
            print(f"{name:14} benchmarks/{program}")
        return 0
    results: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    violated: list[str] = []
    for name in () if options.write else options.only or PROGRAMS:
        results[name] = measured(name)
        violated += results[name]["violated"]
        print(f"{markdown(results[name]['rows'])}", flush=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for page in DOCS.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        if (new := filled(text, results)) != text:
            page.write_text(new, encoding="utf-8")
    for line in violated:
        print(f"Does not hold: {line}.")
    return int(bool(violated))


if __name__ == "__main__":
    sys.exit(main())
