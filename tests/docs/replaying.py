"""Replays documents: each command in a ``console`` block must print the block's output.

Times, names made from content, and counts that grow with the project may differ. A line ``...`` in a block stands for
any lines, and three dots in a line for any text. With ``ASTEROID_LL_REFRESH_DOCS=1`` in the environment, a block with
another output and without such a line is written again from the command's output.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLE = (
    (re.compile(r" *\d+\.\d\d s\b"), " T s"),
    (re.compile(r"\d+ billable seconds?"), "N billable seconds"),
    (re.compile(r"asteroid-ll-[0-9a-f]{16}(-[0-9a-f]{8})?"), "asteroid-ll-NAME"),
    (re.compile(r"\d+(?= files already formatted| source files| passed)"), "N"),
    (re.compile(r"in \d+\.\d+s( \(\d:\d\d:\d\d\))?"), "in T"),
    (re.compile(r"=+"), "="),
)


@dataclass(frozen=True)
class Replay:
    """One command of a document, and what it is said to print."""

    command: str
    expected: str


@dataclass(frozen=True)
class Printed:
    """What a command printed on both streams, and its exit code."""

    text: str
    code: int


class Documents:
    """The project's documents and the shell that replays them."""

    root = ROOT

    def replays(self, document: str) -> list[Replay]:
        """Every command of a document's console blocks, in order."""
        found = []
        for block in BLOCK.findall((ROOT / document).read_text(encoding="utf-8")):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, expected = part.partition("\n")
                found.append(Replay(command, expected.strip()))
        return found

    def normalised(self, text: str) -> str:
        """A text without what differs from run to run."""
        for pattern, replacement in VARIABLE:
            text = pattern.sub(replacement, text)
        return "\n".join(line.rstrip() for line in text.strip().splitlines())

    def agrees(self, printed: Printed, replay: Replay) -> bool:
        """Whether a command did what the document says; one without output there has only to succeed."""
        if ("Error:" in replay.expected) != (printed.code != 0):
            return False
        if not replay.expected:
            return True
        pattern = "".join(map(_pattern, self.normalised(replay.expected).splitlines()))
        return re.fullmatch(pattern, self.normalised(printed.text) + "\n") is not None

    def shell(self, command: str, folder: Path) -> Printed:
        """Run a command as a newcomer types it, with the project's scripts and example files at hand."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("ASTEROID_LL_", "AWS_"))}
        environment = {
            **plain,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ASTEROID_LL_VENV": sys.prefix,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "COLUMNS": "80",
        }
        command = re.sub(r"(?<![\w/.])scripts/(?=[\w.]+)", rf"{ROOT}/scripts/", command)
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return Printed(done.stdout.replace(f"{ROOT}/", ""), done.returncode)

    def difference(self, document: str, replay: Replay, folder: Path) -> str | None:
        """Replay a command; return its output if the document has another one, and refresh the document on request."""
        printed = self.shell(replay.command, folder)
        if self.agrees(printed, replay):
            return None
        if os.environ.get("ASTEROID_LL_REFRESH_DOCS") and "\n...\n" not in f"\n{replay.expected}\n":
            self._refresh(ROOT / document, replay, printed)
        return f"$ {replay.command}\n{printed.text}"

    def _refresh(self, path: Path, replay: Replay, printed: Printed) -> None:
        """Write a block's output again; lines that still agree stay as they are."""
        patterns = [(line, _pattern(self.normalised(line))) for line in replay.expected.splitlines()]
        lines = []
        for line in printed.text.strip().splitlines():
            agreeing = (old for old, pattern in patterns if re.fullmatch(pattern, self.normalised(line) + "\n"))
            lines.append(next(agreeing, line))
        old, new = f"$ {replay.command}\n{replay.expected}\n", "\n".join([f"$ {replay.command}", *lines]) + "\n"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def _pattern(line: str) -> str:
    """Return the regular expression for a line of a block."""
    return r"(?:.*\n)*?" if line.strip() == "..." else ".*?".join(map(re.escape, line.split("..."))) + r"\n"
