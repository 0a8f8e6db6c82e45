"""Figures, drawn by another process while this one works on.

matplotlib takes longer to import than most stages take. The process has no state and writes no file. It answers one
request after the other, and ends with its caller, however the caller ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from asteroid_ll.errors import AsteroidError

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.connection import Connection

    from asteroid_ll.report.picture import ReportFigure

    Figures = dict[str, ReportFigure]
    Request = tuple[int, str, tuple[object, ...]]
    Answer = tuple[int, Figures, Exception | None]

_BOOT = (
    "import gc, sys; gc.set_threshold(50_000); number, *sys.path[:] = sys.argv[1:]; "
    "from asteroid_ll.report.drawing import serve; serve(int(number))"
)
"""Python would look for garbage during the imports. Modules are found only where the caller finds them."""

_NEEDED = ("table_plots", "figures")
"""What the process imports before it is asked, in the order of the stages."""

_PATIENCE_S = 0.2
"""How long it waits for a request before the next import, which takes as long."""

_GRACE_S = 1.0
"""How long it may take to remove the folder that matplotlib makes if it cannot write to the home directory."""

_HINT = "asteroid-ll run-all   continues the run;   --set report.figures=false   draws no figures."


class Drawing:
    """The other process and the connection to it, for one thread. It is started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Request, Answer] | None = None
        self._n_asked = 0

    def start(self) -> None:
        """Start the process, which then prepares itself for a request. If it runs already, do nothing."""
        with suppress(OSError):  # the first request meets it again
            self._connect()

    def _connect(self) -> Connection[Request, Answer]:
        if self._connection is None:
            import subprocess  # commands that draw nothing do without these two
            from multiprocessing.connection import Pipe

            connection, theirs = Pipe()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-c", _BOOT, str(theirs.fileno()), *sys.path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for the caller, which then ends this process
                )
            self._connection = connection
        return self._connection

    def ask(self, function: str, *arguments: object) -> Callable[[], Figures]:
        """Ask for figures.

        Args:
            function: dotted name, below ``asteroid_ll.report``, of a function that returns figures by name.
            arguments: its arguments, which must be picklable.

        Returns:
            A function that waits for the figures. Call it once, and not after that of a later request. It raises the
            error of the drawing, or `AsteroidError` if the process has died.

        Raises:
            AsteroidError: the process cannot be started.
        """
        self._n_asked = number = self._n_asked + 1
        try:
            connection = self._connect()
        except OSError as error:
            what = f"The process that draws the figures can't be started: {error.strerror}."
            raise AsteroidError(what, hint=_HINT) from error
        with suppress(ConnectionError):  # then there is no answer, either
            connection.send((number, function, arguments))
        return lambda: self._answer(number)

    def close(self) -> None:
        """End the process, whatever it is doing. A second call does nothing."""
        if self._process is not None:
            import signal
            import subprocess

            for number in (signal.SIGTERM, signal.SIGCONT):  # a process that was stopped ends, too
                self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_S)
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    def _answer(self, number: int) -> Figures:
        answered = 0
        try:
            while answered < number:  # nobody has waited for the earlier ones
                answered, figures, error = self._connect().recv()
        except (EOFError, ConnectionError):
            code = None if self._process is None else self._process.wait()
            self.close()
            raise AsteroidError(
                f"The process that draws the figures has ended with exit code {code}.", hint=_HINT
            ) from None
        except BaseException:
            self.close()  # a part of an answer may be left
            raise
        if error is not None:
            raise error
        return figures


def serve(number: int) -> None:
    """Answer requests until the caller ends, or asks for the end with SIGTERM.

    Args:
        number: descriptor of the connection.
    """
    import atexit
    import signal
    from multiprocessing.connection import Connection

    # Runs last: all objects need not be freed one by one.
    atexit.register(os._exit, 128 + signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    connection: Connection[Answer, Request] = Connection(number)
    with suppress(EOFError, ConnectionError):
        for module in _NEEDED:
            with suppress(Exception):  # the request that needs it meets the same error
                import_module(f"asteroid_ll.report.{module}")
            while connection.poll(_PATIENCE_S):
                _respond(connection)
        while True:
            _respond(connection)


def _respond(connection: Connection[Answer, Request]) -> None:
    number, name, arguments = connection.recv()
    module, _, function = name.rpartition(".")
    try:
        answer: Answer = number, getattr(import_module(f"asteroid_ll.report.{module}"), function)(*arguments), None
    except Exception as error:
        if not isinstance(error, AsteroidError):
            import traceback

            error.add_note("".join(traceback.format_exception(error)))
        answer = number, {}, error
    connection.send(answer)
