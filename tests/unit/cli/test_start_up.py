"""A command imports only what it needs: each is run or imported in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"boto3", "botocore", "matplotlib", "numpy", "pandas", "pydantic", "rich", "scipy", "sklearn", "urllib3"}

RUN = """
import sys
from asteroid_ll.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def heavy_modules(*line: str, folder: Path) -> set[str]:
    done = subprocess.run([sys.executable, *line], cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return HEAVY & set(done.stderr.split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run up to its training."""
    folder: Path = tmp_path_factory.mktemp("trained")
    (folder / "small.yaml").write_text("hyperparameters: {epochs: 1, num_models: 1}\nreport: {html: false}\n")
    command = [sys.executable, "-m", "asteroid_ll", "run-all", "-c", "small.yaml", "--until", "train"]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=True)
    return folder


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("--help", set()),
        ("--version", set()),
        ("plan -c small.yaml", {"pydantic", "numpy"}),
        ("train --dry-run -c small.yaml", {"pydantic", "numpy"}),
        ("status -c small.yaml", {"pydantic", "numpy", "botocore", "urllib3"}),
    ],
)
def test_a_command_that_only_shows_something_imports_nothing_heavy(trained: Path, line: str, needed: set[str]) -> None:
    assert heavy_modules("-c", RUN, *line.split(), folder=trained) <= needed


@pytest.mark.parametrize(
    ("stages", "needed"),
    [
        ("fetch upload train deploy teardown", {"botocore", "numpy", "urllib3"}),
        ("clean split encode", {"numpy", "pandas"}),
        ("predict", {"botocore", "urllib3", "numpy", "pandas", "pydantic"}),
    ],
)
def test_a_stage_does_not_import_what_only_others_need(tmp_path: Path, stages: str, needed: set[str]) -> None:
    imports = "; ".join(f"import asteroid_ll.stages.{stage}" for stage in stages.split())
    assert (
        heavy_modules("-c", f"{imports}; import sys; print(*sys.modules, file=sys.stderr)", folder=tmp_path) <= needed
    )


def test_stored_scores_are_shown_without_numpy(tmp_path: Path) -> None:
    imports = "import asteroid_ll.cli.outcomes, asteroid_ll.evaluation.scoreboard, asteroid_ll.report.tables"
    program = f"{imports}; import sys; print(*sys.modules, file=sys.stderr)"
    assert heavy_modules("-c", program, folder=tmp_path) <= {"pydantic"}


CLOSED = """
import os, sys
from asteroid_ll.cli import group, main
group.main = lambda **_: print(*(os.readlink(f"/proc/self/fd/{number}") for number in (0, 2)))
main()
"""


def test_no_file_gets_the_place_of_a_closed_stream() -> None:
    """A notice of a signal would be written into it."""
    command = ["sh", "-c", 'exec "$0" -c "$1" <&- 2>&-', sys.executable, CLOSED]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout.split() == [os.devnull] * 2


LEAVING = """
import atexit, sys
from asteroid_ll.cli import group, main

class Kept:
    def __del__(self):
        print("freed")

def run(*arguments, **options):
    atexit.register(print, "handled")
    return original(*arguments, **options)

kept, original, group.main = Kept(), group.main, run
main()
"""


@pytest.mark.parametrize(("line", "code"), [("--version", 0), ("no-such-command", 2)])
def test_a_command_ends_with_its_code_after_exit_handlers_and_frees_nothing(line: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", LEAVING, line], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert done.stdout.splitlines()[-1] == "handled"
