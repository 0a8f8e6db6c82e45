"""Completion in real shells: the scripts that ``completion`` prints, and what they offer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHELLS = ("bash", "zsh", "fish")

OFFER = """
eval "$(asteroid-ll completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_asteroid_ll_completion asteroid-ll
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does at the tab key, with the words of the command line as arguments."""


@pytest.fixture
def run_shell(tmp_path):
    """Runs a program with our command on the path and gives what it prints."""

    def run_shell(*line):
        done = subprocess.run(
            line,
            cwd=tmp_path,
            env={"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return run_shell


@pytest.fixture
def offered(run_shell):
    """What bash offers after these words."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    return lambda *words: run_shell("bash", "--norc", "-c", OFFER, "bash", "asteroid-ll", *words).split()


def test_bash_offers_the_commands(offered):
    assert offered("pl") == ["plan"]
    assert {"run-all", "fetch", "predict", "config", "emulator", "completion"} <= set(offered(""))


def test_bash_offers_the_commands_of_a_group(offered):
    assert sorted(offered("config", "")) == ["init", "schema", "show", "validate"]


def test_bash_offers_options_and_their_choices(offered):
    assert offered("run-all", "--ke") == ["--keep"]
    assert offered("run-all", "--until", "tra") == ["train"]
    assert offered("completion", "") == list(SHELLS)


def test_bash_offers_the_keys_of_the_configuration(offered):
    assert offered("plan", "--set", "training.max_r") == ["training.max_runtime_s="]
    assert offered("plan", "--set", "hyperparameters.ep") == ["hyperparameters.epochs="]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_sound_in_its_shell(run_shell, tmp_path, shell):
    script = run_shell("asteroid-ll", "completion", shell)
    assert "_ASTEROID_LL_COMPLETE" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script, "utf-8")
    run_shell(shell, "-n", "script")


def test_fish_offers_the_commands(run_shell):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    line = 'asteroid-ll completion fish | source; complete --do-complete "asteroid-ll pl"'
    assert run_shell("fish", "--no-config", "-c", line).split()[0] == "plan"


def test_a_script_for_another_shell_needs_none_here(run_shell):
    here = shutil.which("asteroid-ll", path=Path(sys.executable).parent)
    assert here is not None
    script = run_shell("env", "PATH=/nonexistent", here, "completion", "bash")
    assert "complete -o nosort -F" in script


def test_an_unknown_shell_exits_2(place):
    ended = place.run("completion", "tcsh", config=None)
    assert ended.code == 2
    assert "'tcsh' is not one of" in ended.err
