"""Signals that would end the process: the first one interrupts the work, and those after it wait for the teardown.

A signal during the work raises KeyboardInterrupt once. From then on, and from the start of a teardown, signals are only
noted, so nothing cuts the teardown short except a second SIGINT (Ctrl-C). A signal that the parent process had ignored,
as ``nohup`` does with SIGHUP, stays ignored.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

TERMINATING = tuple(
    getattr(signal, name)
    for name in (
        "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU",
        "SIGIO", "SIGPWR", "SIGSTKFLT",
    )
    if hasattr(signal, name)
)  # fmt: skip
"""Signals that end a process by default and can be caught; those that report a crash are not among them."""

CONTINUES = "Interrupted: the teardown continues. Another Ctrl-C leaves it, and what is left is billed."


class Interruptions:
    """The signals of a process from here on.

    Args:
        notice: is called with a sentence when a SIGINT has to wait.

    Attributes:
        is_interrupted: a signal has raised KeyboardInterrupt. Python discards an exception in a finalizer, so check
            this between two steps too.
        n_noted: number of signals that had to wait.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self.is_interrupted = False
        self.n_noted = 0
        self._notice = notice
        self._is_held = False
        self._n_sigint = 0

    def hold(self) -> None:
        """Only note the signals from now on."""
        self._is_held = True

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if not self._is_held:
            self._is_held = self.is_interrupted = True
            raise KeyboardInterrupt
        self.n_noted += 1
        self._n_sigint += number == signal.SIGINT
        if number == signal.SIGINT and self._n_sigint == 1:
            self._notice(CONTINUES)
        if number == signal.SIGINT and self._n_sigint == 2:
            raise KeyboardInterrupt


_installed: list[Interruptions] = []


def catch(notice: Callable[[str], None] = lambda _sentence: None) -> Interruptions:
    """Catch the signals until the process ends; it does nothing in a thread, which gets no signals."""
    interruptions = Interruptions(notice)
    if threading.current_thread() is threading.main_thread():
        _install(interruptions)
        _installed[:] = [interruptions]
        sys.unraisablehook = _report_discarded
    return interruptions


@contextmanager
def caught() -> Iterator[Interruptions]:
    """Catch the signals in a block, unless `catch` has done so for the process."""
    if _installed:
        yield _installed[0]
        return
    interruptions = Interruptions(lambda _sentence: None)
    before = _install(interruptions) if threading.current_thread() is threading.main_thread() else {}
    try:
        yield interruptions
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report_discarded(discarded: sys.UnraisableHookArgs) -> None:
    """Report an exception in a finalizer as Python does, unless it is an interruption."""
    if not isinstance(discarded.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(discarded)


def _install(interruptions: Interruptions) -> dict[Any, Any]:
    """Handle the signals that have their default action; return the handlers before."""
    defaults = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in TERMINATING}
    before = {number: handler for number, handler in before.items() if handler in defaults}
    for number in before:
        signal.signal(number, interruptions.handle)
    return before
