"""The how-to pages: each begins with an example that works, and their programs, files and tables are true."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from asteroid_ll.neo.ranges import RANGES
from asteroid_ll.neo.table import COLUMNS, find

ROOT = Path(__file__).resolve().parents[2]
NAVIGATION = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
HOW_TO = re.findall(r": ([\w-]+\.md)$", NAVIGATION.partition("How to:\n")[2].partition("  - Reference:")[0], re.M)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NO_EXAMPLE_FIRST = {"emulator-recipes.md", "sdk.md"}
"""Guides whose first words name what must exist before an example can work."""


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return [text for found, text in FENCED.findall(text_of(page)) if found == language]


PROGRAMS = [(page, text) for page in ("emulator-limits.md", "library.md") for text in blocks(page, "python")]


def test_every_guide_begins_with_an_example() -> None:
    assert len(HOW_TO) > 10
    assert set(HOW_TO) > NO_EXAMPLE_FIRST
    for page in set(HOW_TO) - NO_EXAMPLE_FIRST:
        assert FENCED.search(text_of(page).partition("\n## ")[0]), page


@pytest.mark.parametrize("page", ["numbers.md", "linear-learner.md"])
def test_every_section_of_a_page_of_claims_names_its_tests(page: str) -> None:
    """That the named tests exist is in ``test_site.py``. Times have a benchmark, other programs a suite."""
    evidence = re.compile(r"`[\w/]+\.py::test_\w+`|`python benchmarks/|`scripts/interop ")
    for section in re.split(r"^## ", text_of(page), flags=re.M)[1:]:
        assert evidence.search(section), section.partition("\n")[0]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("page", "program"), PROGRAMS)
def test_a_program_of_a_guide_runs(page: str, program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_project_of_the_page_about_tests_and_the_test_of_the_readme_pass(tmp_path: Path) -> None:
    files = {text.partition("\n")[0].removeprefix("# "): text for text in blocks("testing.md", "python")}
    assert files.keys() == {"conftest.py", "test_upload.py"}
    readme = FENCED.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (files["test_readme.py"],) = [text for _, text in readme if "def test_" in text]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.fixture
def servers() -> ModuleType:
    """The fake servers of the sources."""
    path = ROOT / "tests" / "unit" / "neo" / "fake_servers" / "servers.py"
    spec = importlib.util.spec_from_file_location("asteroid_ll_fake_servers", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_export_of_the_data_page_has_the_40_columns_and_is_a_source(servers: ModuleType, tmp_path: Path) -> None:
    configuration, commands = blocks("nasa-data.md", "yaml")[0], blocks("nasa-data.md", "sh")
    days = yaml.safe_load(configuration)["source"]
    (tmp_path / "neows.yaml").write_text(configuration, encoding="utf-8")
    fake = servers.FakeNeows()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with servers.serving(fake.answer) as address:
        environment["ASTEROID_LL_SOURCE__BASE_URL"] = address
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", "".join(commands)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert {request.path for request in fake.requests} == {"/feed"}
    assert fake.requests[0].query["start_date"] == str(days["start_date"])
    assert fake.requests[0].headers["x-api-key"] == "DEMO_KEY"
    (header,) = [line.split(",") for line in done.stdout.splitlines() if "equinox" in line]
    assert sorted(header) == sorted(column.tutorial_name for column in COLUMNS if column.header)
    settings = ["--workdir", "again", "--set", "source.kind=csv", "--set", "source.location=nasa_asteroids.csv"]
    again = subprocess.run(
        ["asteroid-ll", "run-all", "--until", "clean", *settings],
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if not name.startswith("ASTEROID_LL_SOURCE")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert "100 rows x 40 columns" in again.stderr


def test_the_columns_of_the_page_about_csv_files_have_their_units_and_ranges() -> None:
    section = text_of("your-csv.md").partition("\n## Columns\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if "`" in line[:4]]
    named = {name: (unit, needed, values) for name, unit, needed, values in rows}
    units = {"deg": "degrees", "JD": "Julian date"}
    for spelled, (unit, needed, values) in named.items():
        column = find(spelled.strip("`"))
        assert unit == units.get(column.unit, column.unit), spelled
        assert (needed != "no") == column.required, spelled
        allowed: Any = RANGES.get(column.name)
        if allowed is not None:
            low, high = re.findall(r"-?[\d,.]*\d", values)[:2]
            assert [float(text.replace(",", "")) for text in (low, high)] == [allowed.low, allowed.high], spelled
            assert ("below" in values) == allowed.is_open, spelled
    assert {column.name for column in COLUMNS if column.required} <= {spelled.strip("`") for spelled in named}
