"""The pages for people who program with the package: their examples run, their files and names exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import asteroid_ll

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "asteroid_ll"
FENCED = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
README_EXAMPLES = FENCED.findall((ROOT / "README.md").read_text(encoding="utf-8"))
FILES = {text.partition("\n")[0].removeprefix("# "): text for text in FENCED.findall(API) if text.startswith("# ")}
PROGRAMS = [text for text in FENCED.findall(API) if not text.startswith("# ")]


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error::DeprecationWarning:asteroid_ll", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.splitlines()[0])
def test_an_example_of_the_api_page_runs(program: str, tmp_path: Path) -> None:
    done = run(["-c", program], tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_project_of_the_api_page_passes_its_test(tmp_path: Path) -> None:
    assert FILES.keys() == {"conftest.py", "stars.py", "test_stars.py"}
    assert len(FILES["test_stars.py"].splitlines()) <= 10
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = run(["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"], tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_example_of_the_readme_is_short_and_scores_through_an_endpoint(tmp_path: Path) -> None:
    program, _ = README_EXAMPLES
    assert len(program.splitlines()) <= 12
    done = run(["-c", program], tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"\{\"predictions\": ?\[\{\"score\": ?0\.\d+, ?\"predicted_label\": ?[01](\.0)?\}\]\}\n", done.stdout
    )


def test_every_public_name_has_an_example_and_a_reference() -> None:
    errors = {name for name in asteroid_ll.__all__ if name.endswith("Error")}
    names = set(asteroid_ll.__all__) - errors - {"__version__"}
    examples = "".join(PROGRAMS)
    assert {name for name in names if f"::: asteroid_ll.{name}\n" not in API} == set()
    assert {name for name in names - {"RunResult"} if not re.search(rf"\b{name}\b", examples)} == set()


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:[a-z_0-9]+/)*(?:[a-z_0-9]+\.py|[a-z_0-9]+/))`", text))
    assert len(paths) > 5
    assert [path for path in sorted(paths) if not (SOURCE / path).exists() and not (ROOT / path).exists()] == []


def test_each_room_is_in_the_diagram_of_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    diagram = text.partition("```text\n")[2].partition("```")[0]
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert {room for room in rooms if f"{room}/" not in diagram} == set()
