"""The README is replayed, its test command on one small file: the whole suite is what is running now."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

README = "README.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the document's commands are typed, one after the other."""
    return tmp_path_factory.mktemp("newcomer")


def test_the_readme_shows_what_its_commands_print(documents: Any, folder: Path) -> None:
    replays = documents.replays(README)
    assert replays, "the README has no console block"
    others = [replay for replay in replays if not replay.command.startswith("scripts/test")]
    differences = [documents.difference(README, replay, folder) for replay in others]
    assert not any(differences), "\n".join(filter(None, differences))


def test_the_readme_shows_what_the_test_command_prints(documents: Any, folder: Path) -> None:
    (replay,) = [found for found in documents.replays(README) if found.command.startswith("scripts/test")]
    printed = documents.normalised(documents.shell(f"{replay.command} -q -n 0 tests/unit/test_errors.py", folder).text)
    for expected in documents.normalised(replay.expected).splitlines()[:-1]:
        assert expected == "..." or expected in printed.splitlines(), printed
    assert re.search(r"N passed in T", printed), printed


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_is_small_complete_and_shows_the_run_of_the_readme(documents: Any, theme: str) -> None:
    text = (documents.root / README).read_text(encoding="utf-8")
    (relative,) = re.findall(rf'"(docs/images/[\w-]+-{theme}\.svg)"', text)
    picture = (documents.root / relative).read_bytes()
    assert len(picture) < 50_000
    root = ET.fromstring(picture)
    named = {"{http://www.w3.org/2000/svg}" + name for name in ("svg", "title", "style", "path", "circle")}
    assert named <= {element.tag for element in root.iter()}
    assert not [name for element in root.iter() for name in element.attrib if name.endswith("href")]
    assert b"url(" not in picture
    title = root.findtext("{http://www.w3.org/2000/svg}title") or ""
    n_rows, n_wrong = re.findall(r"([\d,]+) test rows: (\d+) wrong", text)[0]
    assert re.findall(r"[\d,]+\b", title) == [n_rows, n_wrong]


def test_the_picture_is_the_one_of_a_new_run(documents: Any, finished_folder: Path, tmp_path: Path) -> None:
    """After a change of the model: ``.venv/bin/python scripts/picture.py asteroid-run``."""
    shutil.copytree(documents.root / "scripts", tmp_path / "scripts")
    (tmp_path / "docs").mkdir()
    command = [sys.executable, str(tmp_path / "scripts" / "picture.py"), str(finished_folder / "asteroid-run")]
    subprocess.run(command, check=True, timeout=120)
    for picture in sorted((tmp_path / "docs" / "images").iterdir()):
        assert picture.read_bytes() == (documents.root / "docs" / "images" / picture.name).read_bytes()
