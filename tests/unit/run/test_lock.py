import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import pytest

from asteroid_ll.errors import AsteroidError, DataError
from asteroid_ll.run import lock as lock_module
from asteroid_ll.run.lock import Holder, Lock

HOLD = """
import sys
from pathlib import Path
from asteroid_ll.run.lock import Lock
with Lock(Path(sys.argv[1]), command=sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start():
    """Starts processes that hold a lock until their input is closed, and ends those that are left."""
    running = []

    def start(path, command):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_the_lock_file_names_the_holder_and_is_empty_afterwards(tmp_path):
    path = tmp_path / "new" / "deep" / "lock"
    with Lock(path, command="run-all"):
        holder = json.loads(path.read_text())
        assert (holder["pid"], holder["host"], holder["command"]) == (os.getpid(), os.uname().nodename, "run-all")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", holder["since"])
    assert path.read_text() == ""
    with Lock(path, command="again"):
        pass


def test_a_second_holder_sees_who_works_there_since_when_and_what_to_do(tmp_path, start):
    process = start(tmp_path / "lock", "run-all -c mine.yaml")
    with pytest.raises(AsteroidError) as caught, Lock(tmp_path / "lock", command="teardown"):
        pass
    expected = (
        rf'Another asteroid-ll \(PID {process.pid}, "run-all -c mine\.yaml", since (\S+ )?\d\d:\d\d:\d\d\) '
        rf"is working in {re.escape(str(tmp_path))}\."
    )
    assert re.fullmatch(expected, caught.value.what)
    assert caught.value.hint == (
        f"Wait for it or stop it with: kill {process.pid}, or choose another directory with --workdir."
    )
    assert caught.value.exit_code == 1
    assert caught.value.context["holder"]["pid"] == process.pid
    process.communicate()
    assert process.returncode == 0  # looking whether it lives has not disturbed it


def test_a_refused_holder_leaves_the_first_ones_name_in_the_file(tmp_path, start):
    process = start(tmp_path / "lock", "run-all")
    for _ in range(2):
        with pytest.raises(AsteroidError, match=f"PID {process.pid}"), Lock(tmp_path / "lock", command="teardown"):
            pass


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None], ids=["kill -9", "kill", "normal"])
def test_the_lock_of_an_ended_process_is_free_whatever_ended_it(tmp_path, start, end):
    process = start(tmp_path / "lock", "run-all")
    if end is None:
        process.communicate()
    else:
        process.send_signal(end)
        process.wait()
    with Lock(tmp_path / "lock", command="next"):
        assert json.loads((tmp_path / "lock").read_text())["command"] == "next"


def test_a_lock_is_not_reentrant(tmp_path):
    lock = Lock(tmp_path / "lock", command="run-all")
    with lock:
        with pytest.raises(AsteroidError, match=f"PID {os.getpid()}"), lock:
            pass
        with pytest.raises(AsteroidError, match=f"PID {os.getpid()}"), Lock(tmp_path / "lock", command="x"):
            pass
    with lock:
        pass


def test_a_lock_is_released_when_its_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), Lock(tmp_path / "lock", command="x"):
        raise ZeroDivisionError
    with Lock(tmp_path / "lock", command="x"):
        pass


def test_two_directories_are_two_locks(tmp_path):
    with Lock(tmp_path / "a" / "lock", command="x"), Lock(tmp_path / "b" / "lock", command="y"):
        pass


@pytest.mark.parametrize("content", ["", "garbage", '{"pid": 1}', "[]"])
def test_a_holder_without_a_name_in_the_file_is_reported_without_one(tmp_path, start, monkeypatch, content):
    start(tmp_path / "lock", "run-all")
    (tmp_path / "lock").write_text(content)
    now_s = [0.0]
    monkeypatch.setattr(lock_module.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(lock_module.time, "sleep", lambda seconds: now_s.__setitem__(0, now_s[0] + seconds))
    with pytest.raises(AsteroidError) as caught, Lock(tmp_path / "lock", command="x"):
        pass
    assert caught.value.what == f"Another asteroid-ll is working in {tmp_path}."
    assert caught.value.hint == "Wait for it, or choose another directory with --workdir."
    assert caught.value.context == {"holder": None}
    assert 0.5 <= now_s[0] < 0.6


def test_a_dead_predecessors_name_is_not_given_for_the_holders(tmp_path, start, monkeypatch):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    process = start(tmp_path / "lock", "run-all")
    right = (tmp_path / "lock").read_text()
    (tmp_path / "lock").write_text(right.replace(f'"pid": {process.pid}', f'"pid": {dead.pid}'))
    monkeypatch.setattr(lock_module.time, "sleep", lambda _: (tmp_path / "lock").write_text(right))
    with pytest.raises(AsteroidError, match=f"PID {process.pid}"), Lock(tmp_path / "lock", command="x"):
        pass


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        ("2020-01-02T03:04:05+00:00", "03:04:05"),
        ("2020-01-02T03:04:05+10:00", "2020-01-02 03:04:05"),
        ("2020-01-01T23:59:59+00:00", "2020-01-01 23:59:59"),
    ],
)
def test_a_holder_on_another_machine_or_day_is_named_with_it(monkeypatch, since, shown):
    class Clock(datetime):
        """Late on the second of January 2020."""

        @classmethod
        def now(cls, tz=None):
            return datetime(2020, 1, 2, 23, 0, 0, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr(lock_module, "datetime", Clock)
    holder = Holder(pid=7, host="elsewhere", since=since, command="train")
    assert str(holder) == f'PID 7 on elsewhere, "train", since {shown}'


def test_a_holder_on_another_machine_cannot_be_stopped_from_this_one(tmp_path, start):
    start(tmp_path / "lock", "run-all")
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    elsewhere = {"pid": dead.pid, "host": "elsewhere", "since": "2020-01-02T03:04:05+00:00", "command": "run-all"}
    (tmp_path / "lock").write_text(json.dumps(elsewhere))
    with (
        pytest.raises(AsteroidError, match=f"PID {dead.pid} on elsewhere") as caught,
        Lock(tmp_path / "lock", command="x"),
    ):
        pass
    assert caught.value.hint == "Wait for it, or choose another directory with --workdir."


def test_a_holder_of_another_user_is_alive(tmp_path, start, monkeypatch):
    process = start(tmp_path / "lock", "run-all")

    def refuse(*arguments):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(lock_module.os, "kill", refuse)
        with pytest.raises(AsteroidError, match=f"PID {process.pid}"), Lock(tmp_path / "lock", command="x"):
            pass


def test_everybody_can_read_who_works_there_and_no_descriptor_stays_open(tmp_path, n_descriptors):
    before, umask = n_descriptors(), os.umask(0)
    try:
        with Lock(tmp_path / "lock", command="x") as lock:
            with pytest.raises(AsteroidError), lock:
                pass
            assert n_descriptors() == before + 1
    finally:
        os.umask(umask)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o644
    assert n_descriptors() == before


def test_a_directory_that_cannot_be_made_is_a_data_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as caught, Lock(tmp_path / "file" / "lock", command="x"):
        pass
    assert caught.value.what == f"{tmp_path / 'file'} cannot be used as a run directory: File exists."
    assert caught.value.hint == "Choose another directory with --workdir."
    assert caught.value.context == {"path": str(tmp_path / "file" / "lock")}


def test_a_file_system_without_locks_is_a_data_error(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock_module.fcntl, "flock", refuse)
    with (
        pytest.raises(DataError, match="cannot be used as a run directory: No locks available"),
        Lock(tmp_path / "lock", command="x"),
    ):
        pass


def test_processes_that_try_again_work_one_at_a_time(tmp_path):
    code = """
        import sys
        from pathlib import Path
        from asteroid_ll.errors import AsteroidError
        from asteroid_ll.run import lock
        lock._HOLDER_PATIENCE_S = 0.0
        counter = Path(sys.argv[1]) / "counter"
        n_counted = 0
        while n_counted < 20:
            try:
                with lock.Lock(Path(sys.argv[1]) / "lock", command="count"):
                    counter.write_text(str(int(counter.read_text()) + 1))
            except AsteroidError:
                continue
            n_counted += 1
    """
    (tmp_path / "counter").write_text("0")
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "counter").read_text() == "60"


def test_a_program_started_by_the_holder_does_not_keep_the_lock(tmp_path):
    with Lock(tmp_path / "lock", command="train"):
        worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with Lock(tmp_path / "lock", command="next"):
        pass
    worker.communicate(b"\n")
