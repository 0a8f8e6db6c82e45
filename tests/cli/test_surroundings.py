"""Terminals, pipes, locales, homes and directories: what surrounds the process."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys

import pytest


def _bytes_from(descriptor):
    """Everything that a terminal shows until its other side is closed."""
    shown = b""
    while True:
        try:
            chunk = os.read(descriptor, 65_536)
        except OSError:
            return shown
        if not chunk:
            return shown
        shown += chunk


def test_without_a_terminal_progress_is_plain_lines(prepared):
    ended = prepared.run("run-all")
    assert "\x1b" not in ended.err + ended.out
    assert "\r" not in ended.err + ended.out
    assert [line.split()[0] for line in ended.err.splitlines() if " skip " in line] == [
        "fetch",
        "clean",
        "explore",
        "split",
        "encode",
    ]
    assert "train     ...      Starting: Preparing the instances for training" in ended.err


def test_on_a_terminal_progress_is_a_live_line(prepared, workbench):
    ours, theirs = pty.openpty()
    environment = workbench.environment(TERM="xterm-256color", COLUMNS="200")
    with prepared.start("run-all", stderr=theirs, env=environment, text=False) as command:
        os.close(theirs)
        shown = _bytes_from(ours)
        out = command.stdout.read()
    os.close(ours)
    assert command.returncode == 0
    assert b"\x1b[?25l" in shown, "the cursor is hidden while the line lives"
    assert shown.rstrip().count(b"\x1b[?25h") >= 1, "and shown again"
    assert b"train: Downloading input data" in shown or b"train: Starting" in shown or b"train: never ran" in shown
    assert b"train     ran" in shown
    assert b"train     ..." not in shown
    assert b"\x1b" not in out


def test_a_dumb_terminal_works_too(prepared, workbench):
    ours, theirs = pty.openpty()
    with prepared.start("run-all", stderr=theirs, env=workbench.environment(TERM="dumb"), text=False) as command:
        os.close(theirs)
        shown = _bytes_from(ours)
        command.stdout.read()
    os.close(ours)
    assert command.returncode == 0
    assert b"train     ran" in shown


@pytest.mark.parametrize("arguments", [["plan"], ["config", "schema"], ["run-all", "--json"]], ids=" ".join)
def test_a_reader_that_goes_away_exits_141_without_a_word(finished, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    config = None if arguments == ["config", "schema"] else "small.yaml"
    with finished.start(*arguments, config=config, stdout=writing) as command:
        os.close(writing)
        _, err = command.communicate(timeout=60)
    assert command.returncode == 141
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


@pytest.mark.one_in(4)
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"], ids=["stdin", "stdout", "stderr", "all"])
def test_a_stream_that_was_closed_from_the_start_harms_nothing(prepared, finished_once, closed, workbench):
    line = f'exec "$0" -m asteroid_ll run-all -c small.yaml {closed}'
    ended = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable],
        cwd=prepared.folder,
        env=workbench.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert prepared.metrics() == finished_once.metrics()
    with prepared.emulator() as emulator:
        assert emulator.state.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.parametrize(
    "settings",
    [{"LANG": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LANG": "de_DE.ISO-8859-1"}],
    ids=["c", "posix-without-utf-8", "latin-1"],
)
def test_a_locale_without_utf_8_harms_nothing(finished, settings, workbench):
    environment = {**workbench.environment(), **settings}
    with finished.start("run-all", env=environment, text=False) as command:
        out, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    assert b"Traceback" not in err
    assert b"Bill: nothing is open." in out


def test_names_beyond_ascii_pass_through_a_c_locale(place, workbench):
    table = place.folder / "asteroids.csv"
    table.write_text(table.read_text("utf-8").replace(",A2000", ",Čapek Ω 2000"), "utf-8")
    environment = {**workbench.environment(), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with place.start("run-all", env=environment, text=False) as command:
        _, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    assert "Čapek Ω".encode() in place.bytes_of("predict/predictions.csv")


def test_no_home_is_needed(prepared, workbench):
    environment = workbench.environment()
    del environment["HOME"]
    with prepared.start("run-all", env=environment) as command:
        _, err = command.communicate(timeout=60)
    assert command.returncode == 0, err


def test_a_users_aws_settings_do_not_touch_the_emulator(prepared, workbench):
    (prepared.folder / "aws").write_text("[profile x]\nregion = mars\n[default]\nendpoint_url = http://x\n", "utf-8")
    environment = workbench.environment(
        AWS_CONFIG_FILE=str(prepared.folder / "aws"),
        AWS_PROFILE="missing",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_DEFAULT_REGION="mars-1",
        AWS_CA_BUNDLE="/nonexistent",
        HTTPS_PROXY="http://127.0.0.1:9",
    )
    with prepared.start("run-all", env=environment) as command:
        _, err = command.communicate(timeout=60)
    assert command.returncode == 0, err


def test_a_workdir_below_a_file_is_one_sentence(place):
    ended = place.run("run-all", "--workdir", "asteroids.csv/deeper")
    assert ended.code == 3
    assert ended.err.startswith(
        "Error: asteroids.csv/deeper cannot be used as a run directory: Not a directory.\nNext:"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only directories")
def test_a_read_only_directory_exits_3_and_is_left_as_it_was(finished):
    before = finished.outputs()
    folders = [finished.folder, *(path for path in finished.folder.rglob("*") if path.is_dir())]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folders}
    try:
        for path in folders:
            path.chmod(0o555)
        ended = finished.run("run-all", "--force", "clean", "--json")
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert ended.code == 3, ended.err
    assert "--workdir" in ended.json["error"]["hint"]
    assert finished.outputs() == before
