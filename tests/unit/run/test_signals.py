"""Signals, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from asteroid_ll.run import signals

SCRIPT = """
import os, signal, sys
from asteroid_ll.run import signals

interruptions = signals.catch(notice=print)
numbers = [getattr(signal, name) for name in sys.argv[1:]]
try:
    os.kill(os.getpid(), numbers[0])
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted")
try:
    for number in numbers[1:]:
        os.kill(os.getpid(), number)
    print("held", interruptions.n_noted)
except KeyboardInterrupt:
    print("left")
"""


def _run(*names: str, ignored: str = "") -> list[str]:
    """Return the lines of a process that sends itself these signals."""
    prefix = ["sh", "-c", f"trap '' {ignored}; exec \"$@\"", "sh"] if ignored else []
    command = [*prefix, sys.executable, "-c", SCRIPT, *names]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


@pytest.mark.parametrize("number", signals.TERMINATING)
def test_the_first_signal_interrupts_whichever_it_is_and_the_next_waits(number):
    lines = _run(number.name, number.name)
    assert lines[0] == "interrupted"
    assert lines[-1] == "held 1"


def test_of_the_signals_that_wait_only_a_second_ctrl_c_interrupts():
    assert _run("SIGTERM", "SIGHUP", "SIGTERM", "SIGINT", "SIGQUIT") == ["interrupted", signals.CONTINUES, "held 4"]
    assert _run("SIGTERM", "SIGINT", "SIGINT") == ["interrupted", signals.CONTINUES, "left"]


def test_a_signal_that_the_parent_ignores_stays_ignored():
    assert _run("SIGHUP", ignored="HUP")[0] == "not interrupted"


def test_handlers_are_put_back_after_a_block_and_a_thread_has_none():
    before = {number: signal.getsignal(number) for number in signals.TERMINATING}
    with signals.caught() as interruptions:
        interruptions.hold()
        signal.raise_signal(signal.SIGHUP)
        assert interruptions.n_noted == 1
    assert {number: signal.getsignal(number) for number in signals.TERMINATING} == before

    def in_thread() -> None:
        with signals.caught():
            seen.append({number: signal.getsignal(number) for number in signals.TERMINATING})

    seen: list[object] = []
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert seen == [before]
