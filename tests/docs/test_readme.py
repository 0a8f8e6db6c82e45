"""The documents are replayed: each command in a ``console`` block prints what the block says.

Times, and the counts of files and tests that grow with the project, are compared as numbers of any value.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLE = (
    (re.compile(r"\d+\.\d\d s\b"), "T s"),
    (re.compile(r"\d+ billable seconds?"), "N billable seconds"),
    (re.compile(r"\d+(?= files already formatted| source files| passed)"), "N"),
    (re.compile(r"in \d+\.\d+s( \(\d:\d\d:\d\d\))?"), "in T"),
    (re.compile(r"=+"), "="),
)


@dataclass(frozen=True)
class Replay:
    """One command of a document, and what it is said to print."""

    command: str
    expected: str


def replays(document: str) -> list[Replay]:
    """Every command of a document's console blocks, in order."""
    found = []
    for block in BLOCK.findall((ROOT / document).read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            found.append(Replay(command, expected.strip()))
    return found


def normalised(text: str) -> str:
    for pattern, replacement in VARIABLE:
        text = pattern.sub(replacement, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def shell(command: str, folder: Path) -> str:
    """Run a command as a newcomer types it, with the project's scripts at hand; both streams as one."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ASTEROID_LL_VENV": sys.prefix,
        "COLUMNS": "100",
    }
    command = command.replace("scripts/", f"{ROOT}/scripts/")
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a document's commands are typed, one after the other."""
    return tmp_path_factory.mktemp("newcomer")


def test_the_readme_shows_what_its_commands_print(folder: Path) -> None:
    found = replays("README.md")
    assert found, "the README has no console block"
    for replay in found:
        if replay.command.startswith("scripts/test"):
            continue
        assert normalised(shell(replay.command, folder)) == normalised(replay.expected), replay.command


def test_the_readme_shows_what_the_test_command_prints(folder: Path) -> None:
    """The command itself, on one small test file: the whole suite is what is running now."""
    (replay,) = [found for found in replays("README.md") if found.command.startswith("scripts/test")]
    printed = shell(f"{replay.command} -q -n 0 tests/unit/test_errors.py", folder)
    lines = normalised(printed).splitlines()
    for expected in normalised(replay.expected).splitlines()[:-1]:
        assert expected in lines, printed
    assert re.search(r"N passed in T", normalised(printed)), printed
