"""A command that waits for its figures is interrupted or killed, or loses the process that draws them."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LIMIT_S = 60
EXPLORE = ("run-all", "--until", "explore", "--set", "report.figures=true")
FIGURES = ["class-balance.png", "correlation.png", "distributions.png", "magnitude-moid.png"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("what", ["ctrl-c", "kill-9", "the other is killed"])
def test_the_next_run_draws_them_and_no_process_is_left(prepared, what):
    with _waiting_for_figures(prepared) as (command, other, has_ended):
        if what == "ctrl-c":
            command.send_signal(signal.SIGINT)
        elif what == "kill-9":
            command.kill()
            os.kill(other, signal.SIGCONT)  # the test has stopped it, and it has the same stderr
        else:
            os.kill(other, signal.SIGKILL)
        _, err = command.communicate(timeout=LIMIT_S)
        assert has_ended()
    assert command.returncode == {"ctrl-c": 130, "kill-9": -signal.SIGKILL}.get(what, 1)
    assert "Traceback" not in err
    if what == "ctrl-c":
        assert "Interrupted" in err
    elif what != "kill-9":
        assert "explore   FAILED" in err
        assert "The process that draws the figures has ended with exit code -9." in err
    assert not list((prepared.workdir / "explore").glob("*.png"))
    again = prepared.run(*EXPLORE, "--json")
    assert again.code == 0, again.err
    assert [again.status_of(stage) for stage in ("clean", "explore")] == ["skipped", "run"]
    assert sorted(path.name for path in (prepared.workdir / "explore").glob("*.png")) == FIGURES


@contextmanager
def _waiting_for_figures(place) -> Iterator[tuple[object, int, Callable[[], bool]]]:
    """Give a command that waits for its figures, the process that draws, and a function that waits for its end."""
    summary = place.workdir / "explore" / "summary.json"
    before = summary.stat().st_mtime_ns
    with place.start(*EXPLORE) as command:
        other = int(_soon(lambda: _drawing_children(command.pid))[0])
        descriptor = os.pidfd_open(other)
        os.kill(other, signal.SIGSTOP)
        _soon(lambda: summary.stat().st_mtime_ns != before)  # the last work before the wait
        yield command, other, lambda: bool(select.select([descriptor], [], [], LIMIT_S)[0])
        os.close(descriptor)


def _drawing_children(pid: int) -> list[str]:
    numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [number for number in numbers if b"report.drawing" in Path(f"/proc/{number}/cmdline").read_bytes()]


def _soon(value):
    """Return a function's value as soon as it is true."""
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        if result := value():
            return result
        os.sched_yield()
    raise AssertionError(f"nothing in {LIMIT_S} s")
