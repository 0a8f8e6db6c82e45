"""The README is replayed, its test command on one small file: the whole suite is what is running now."""

from __future__ import annotations

import re
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
