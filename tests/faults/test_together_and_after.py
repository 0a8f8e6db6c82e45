"""Two commands in one folder, and the processes that remain after the last one."""

from __future__ import annotations

import os
from pathlib import Path

from asteroid_ll.run.lock import Lock


def test_a_run_in_a_folder_where_another_works_is_told_who_that_is(place):
    with Lock(place.workdir / "lock", command="run-all"):
        ended = place.run("run-all", "--json")
    assert ended.code == 1
    assert f'Another asteroid-ll (PID {os.getpid()}, "run-all"' in ended.json["error"]["what"]
    assert f"kill {os.getpid()}" in ended.json["error"]["hint"]
    assert place.run("run-all").code == 0


def test_reading_commands_do_not_wait_for_a_lock(finished):
    with Lock(finished.workdir / "lock", command="run-all"):
        assert finished.run("plan").code == 0
        assert finished.run("status").code == 0
        assert finished.run("predict", "--input", "asteroids.csv", "--offline").code == 0


def test_of_two_runs_at_once_one_works_and_the_other_is_told(prepared, finished_once):
    with prepared.start("run-all") as first, prepared.start("run-all") as second:
        ended = [process.communicate(timeout=60) for process in (first, second)]
    codes = sorted([first.returncode, second.returncode])
    assert codes in ([0, 0], [0, 1]), ended
    assert "".join(err for _, err in ended).count("is working in") == codes[1]
    assert len(prepared.names("training-job")) == 1
    assert prepared.metrics() == finished_once.metrics()
    assert prepared.open_intervals() == []


def test_a_lock_of_a_killed_command_is_taken_over(prepared):
    assert prepared.run("run-all", faults="s3:PutObject:1:before:kill").code == -9
    assert (prepared.workdir / "lock").read_bytes() != b""
    assert prepared.run("run-all").code == 0
    assert (prepared.workdir / "lock").read_bytes() == b""


def test_teardown_during_a_run_is_told_to_wait(prepared):
    prepared.configure(training_starting_s=60.0)
    with prepared.start("run-all") as command:
        for line in command.stderr:
            if line.startswith("train"):
                break
        ended = prepared.run("teardown")
        command.terminate()
        command.communicate(timeout=60)
    assert ended.code == 1
    assert f"PID {command.pid}" in ended.err
    assert prepared.run("teardown").code == 0
    assert prepared.open_intervals() == []


def test_no_process_outlives_a_run(prepared):
    with prepared.start("run-all") as command:
        _, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    (name,) = prepared.names("training-job")
    with prepared.emulator() as emulator:
        (job,) = emulator.services.resources.find("training-job")
    assert not _is_alive(job.body["worker"]["pid"], name)
    assert not _is_alive(job.body["containers"][0]["pid"], name)
    assert _session(command.pid) == []


def _is_alive(pid, name):
    try:
        return name in Path(f"/proc/{pid}/cmdline").read_text("utf-8")
    except OSError:
        return False


def _session(leader):
    """Numbers of the processes in the session that ``leader`` led."""
    process_ids = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            process_ids.append(int(path.parent.name))
    return process_ids
