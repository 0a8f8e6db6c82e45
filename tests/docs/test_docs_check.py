"""``scripts/docs-check``, without the minutes that it takes: it finds every command, and leaves out none silently."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def docs_check() -> ModuleType:
    """The program."""
    name = "asteroid_ll_docs_check"
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / "docs_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_of_a_block_is_found(docs_check: ModuleType) -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        prompts = re.findall(r"^\$ ", "".join(re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S)), re.M)
        commands = list(docs_check.commands_of(page))
        assert sum(command.replay is not None for command in commands) == len(prompts), page
        n_blocks = len(re.findall(r"^```sh$", text, re.M))
        assert sum(command.replay is None for command in commands) >= n_blocks, page


def test_every_reason_for_leaving_out_is_about_a_command_of_its_page(docs_check: ModuleType) -> None:
    for page, pattern, *_ in (*docs_check.NOT_HERE, *docs_check.BEFORE):
        texts = [command.text for command in docs_check.commands_of(page)]
        assert any(re.match(pattern, text) for text in texts), (page, pattern)


def test_most_commands_run(docs_check: ModuleType) -> None:
    commands = [(page, command) for page in PAGES for command in docs_check.commands_of(page)]
    n_run = sum(not docs_check.reason_against(page, command) for page, command in commands)
    assert n_run > 100
    assert [
        command.text for page, command in commands if command.replay and docs_check.reason_against(page, command)
    ] == [next(command.text for _, command in commands if command.text.startswith("scripts/test"))]


def test_a_wide_line_and_a_command_that_is_not_found_are_problems(docs_check: ModuleType, tmp_path: Path) -> None:
    terminal = docs_check.Reader(tmp_path, tmp_path, width=80)
    narrow, wide = docs_check.replaying.Printed("x " * 40, 0), docs_check.replaying.Printed("x " * 50, 0)
    command = docs_check.Command("asteroid-ll plan")
    assert docs_check.problem_of(terminal, command, narrow) == ""
    assert docs_check.problem_of(terminal, command, wide).startswith("wider than 80 columns")
    printed = terminal.type("no-such-command")
    assert printed.code == 127
    assert docs_check.problem_of(terminal, command, printed) == "exit code 127"
    assert docs_check.Reader(tmp_path, tmp_path, width=None).type("echo $COLUMNS").text == "80\n"
