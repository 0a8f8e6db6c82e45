from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from asteroid_ll.errors import AsteroidError, DataError
from asteroid_ll.report.drawing import Drawing
from asteroid_ll.report.style import drawn
from asteroid_ll.report.summary import TableSummary
from asteroid_ll.report.table_plots import draw_correlation

NAMES = ("absolute_magnitude_mag", "moid_au")
SUMMARY = TableSummary(9, (), (), 1, (), NAMES, np.array([[1.0, -0.4], [-0.4, 1.0]]))
LIMIT_S = 30

CALLER = """
from asteroid_ll.report.drawing import Drawing
drawing = Drawing()
drawing.start()
print(drawing._process.pid, flush=True)
drawing.ask("table_plots.figures_of_summary", None)()
"""


@pytest.fixture(scope="module")
def drawing() -> Iterator[Drawing]:
    one = Drawing()
    one.start()
    yield one
    one.close()


def test_another_process_draws_the_same_figures_in_the_order_of_the_requests(drawing):
    other = replace(SUMMARY, correlated_columns=NAMES[::-1])
    answers = [drawing.ask("table_plots.figures_of_summary", summary) for summary in (SUMMARY, other)]
    assert [answer() for answer in answers] == [
        {"correlation": drawn(draw_correlation(summary))} for summary in (SUMMARY, other)
    ]


def test_an_answer_that_nobody_has_waited_for_is_not_that_to_the_next_request(drawing):
    drawing.ask("table_plots.figures_of_summary", replace(SUMMARY, correlated_columns=NAMES[::-1]))
    answer = drawing.ask("table_plots.figures_of_summary", SUMMARY)
    assert answer() == {"correlation": drawn(draw_correlation(SUMMARY))}


def test_an_expected_failure_comes_back_as_it_is_and_the_process_goes_on(drawing, tmp_path):
    failing = drawing.ask("table_plots.figures_of_columns", tmp_path / "absent.npz", "hazardous")
    following = drawing.ask("table_plots.figures_of_summary", SUMMARY)
    with pytest.raises(DataError, match=r"absent\.npz cannot be read") as failure:
        failing()
    assert failure.value.hint
    assert list(following()) == ["correlation"]


def test_a_bug_comes_back_with_the_traceback_of_the_other_process(drawing):
    with pytest.raises(TypeError) as failure:
        drawing.ask("table_plots.figures_of_summary", 1, 2)()
    assert "Traceback" in failure.value.__notes__[0]
    assert "_respond" in failure.value.__notes__[0]


def test_a_killed_process_is_an_error_with_its_exit_code_and_the_next_request_starts_another():
    drawing = Drawing()
    answer = drawing.ask("table_plots.figures_of_summary", SUMMARY)
    first = _pid_of(drawing)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(AsteroidError, match="has ended with exit code -9") as failure:
        answer()
    assert "--set report.figures=false" in failure.value.hint
    drawing.start()
    assert _pid_of(drawing) != first
    drawing.close()


def test_close_ends_a_process_that_does_not_listen_and_does_nothing_the_second_time():
    drawing = Drawing()
    drawing.start()
    with _watched(_pid_of(drawing)) as has_ended:
        os.kill(_pid_of(drawing), signal.SIGSTOP)
        drawing.close()
        assert has_ended()
    drawing.close()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("end", [Drawing.close, lambda drawing: drawing._connection.close()], ids=["close", "caller"])
def test_the_cache_that_matplotlib_makes_without_a_home_is_removed(monkeypatch, tmp_path, end):
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    drawing = Drawing()
    with pytest.raises(AttributeError):
        drawing.ask("style.no_such_function")()
    assert [path.name[:11] for path in tmp_path.iterdir()] == ["matplotlib-"]
    with _watched(_pid_of(drawing)) as has_ended:
        end(drawing)
        assert has_ended()
    assert list(tmp_path.iterdir()) == []
    drawing.close()


def test_a_process_that_cannot_be_started_is_an_error_with_the_next_command(monkeypatch, tmp_path):
    drawing = Drawing()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    drawing.start()
    with pytest.raises(
        AsteroidError, match="The process that draws the figures can't be started: No such file"
    ) as failure:
        drawing.ask("table_plots.figures_of_summary", SUMMARY)
    assert "--set report.figures=false" in failure.value.hint


def test_the_process_is_out_of_reach_of_ctrl_c_and_ends_if_its_caller_is_killed():
    with subprocess.Popen([sys.executable, "-c", CALLER], stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        pid = int(caller.stdout.readline())
        with _watched(pid) as has_ended:
            assert os.getsid(pid) == pid
            caller.kill()
            assert has_ended()


def _pid_of(drawing: Drawing) -> int:
    assert drawing._process is not None
    return drawing._process.pid


@contextmanager
def _watched(pid: int) -> Iterator[Callable[[], bool]]:
    """Give a function that waits for the end of a process, which may be nobody's child."""
    descriptor = os.pidfd_open(pid)
    yield lambda: bool(select.select([descriptor], [], [], LIMIT_S)[0])
    os.close(descriptor)
