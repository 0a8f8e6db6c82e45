"""The package: one version, a citation, links that lead somewhere on PyPI, a reproducible wheel, and its workflow."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import asteroid_ll

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SOURCES = ("LICENSE", "README.md", "pyproject.toml")
URL = "https://git.example/rocks"


@pytest.fixture(scope="module")
def public_links() -> ModuleType:
    """The script that makes a copy ready for PyPI."""
    spec = importlib.util.spec_from_file_location("public_links", ROOT / "scripts" / "public_links.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_version_has_one_source_and_the_citation_repeats_it() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/asteroid_ll/__init__.py"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == asteroid_ll.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_every_python_of_the_classifiers_is_tested() -> None:
    listed = {
        text.rpartition(" ")[2] for text in PROJECT["project"]["classifiers"] if re.search(r"Python :: 3\.\d+$", text)
    }
    tested = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert set(tested["jobs"]["test"]["strategy"]["matrix"]["python"]) == listed
    assert PROJECT["project"]["requires-python"] == f">={min(listed)}"


def test_every_action_of_the_workflows_is_named_by_its_commit_and_version() -> None:
    used = [line for path in WORKFLOWS for line in path.read_text(encoding="utf-8").splitlines() if "uses: " in line]
    assert len(used) > 10
    assert [line for line in used if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


def test_only_the_jobs_that_attest_and_publish_get_an_identity() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["build"]["permissions"] == {
        "attestations": "write",
        "contents": "read",
        "id-token": "write",
    }
    assert workflow["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert workflow["jobs"]["publish"]["environment"] == "pypi"
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")


def test_every_link_of_the_readme_leads_to_the_tag_on_pypi(public_links: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    relative = public_links.LINK.findall(text)
    assert len(relative) > 10
    assert [link for link in relative if not (ROOT / link.partition("#")[0]).exists()] == []
    shown = public_links.absolute(text, URL, "v1")
    assert f"]({URL}/blob/v1/docs/linear-learner.md)" in shown
    assert f'src="{URL}/raw/v1/docs/images/decision-light.svg?sanitize=true"' in shown
    assert public_links.LINK.findall(shown) == public_links.PICTURE.findall(shown) == []


def test_the_metadata_gets_the_addresses_of_the_repository(public_links: ModuleType) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "urls" not in PROJECT["project"]  # the repository has no public address yet
    changed = tomllib.loads(public_links.with_addresses(text, URL, "v1"))
    assert changed["project"].pop("urls")["Changelog"] == f"{URL}/blob/v1/CHANGELOG.md"
    assert changed == PROJECT


def test_the_readme_renders_on_pypi(public_links: ModuleType) -> None:
    markdown = pytest.importorskip("readme_renderer.markdown", reason="readme_renderer is not installed")
    page = markdown.render(public_links.absolute((ROOT / "README.md").read_text(encoding="utf-8"), URL, "v1"))
    if page is None:
        pytest.skip("readme_renderer has no Markdown: install readme_renderer[md]")
    assert "decision-light.svg" in page
    assert "<table>" in page


def wheel_of(folder: Path, *, mtime_s: int) -> str:
    """Copy the project, build its wheel without a network, and return the wheel's digest."""
    folder.mkdir()
    for name in SOURCES:
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*"):
        os.utime(path, (mtime_s, mtime_s))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")],
        cwd=folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = (folder / "dist").iterdir()
    assert f"-{asteroid_ll.__version__}-" in wheel.name
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.mark.interop
def test_a_wheel_that_is_built_again_has_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling is not installed; scripts/interop formats installs it")
    first, again = (wheel_of(tmp_path / name, mtime_s=at) for name, at in (("a", 1_600_000_000), ("b", 1_750_000_000)))
    assert first == again
