"""The one module that prints: data or one JSON object on stdout, progress on stderr.

On a terminal, progress is one line that is updated, and tables and messages fit the window. In a pipe, a row, a stage
and a message are one line each. Paragraphs have at most 80 characters per line in both. If stderr is closed or its
reader is gone, progress is discarded and the run continues.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TextIO

from asteroid_ll.cli.invocation import with_commands
from asteroid_ll.cli.layout import WIDTH, laid_out, wrapped
from asteroid_ll.cli.verbosity import Verbosity, chosen
from asteroid_ll.errors import AsteroidError

if TYPE_CHECKING:
    from rich.status import Status

    from asteroid_ll.pipeline.results import StageResult

ENVELOPE_VERSION = 1

_MARKS = {"run": "ran", "skipped": "skip", "adopted": "adopted", "started": "started", "failed": "FAILED"}
_REASON_AT = 27
"""Characters of a stage's line before its result."""


class Console:
    """Prints outcomes and progress, as much of it as ``-q`` and ``-v`` ask for.

    Args:
        as_json: print one JSON object on stdout and no table.
        out: receives data; stdout by default.
        err: receives progress; stderr by default.
    """

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        # A stream that was closed before the interpreter started is None.
        self._out: TextIO = out or sys.stdout or _NullStream()
        self._err: TextIO = err or sys.stderr or _NullStream()
        self._status: Status | None = None
        self._verbosity = chosen()

    def line(self, text: str = "") -> None:
        """Print a line of data on stdout and flush it."""
        self._out.write(text + "\n")
        self._out.flush()

    def note(self, text: str) -> None:
        """Print a line on stderr, except under ``--quiet``."""
        self._stop_status()
        if self._verbosity is not Verbosity.QUIET:
            self._write_err(text)

    def failure(self, text: str) -> None:
        """Print on stderr a failure that is not the command's error."""
        self._stop_status()
        self._write_err(text, indent=2)

    def envelope(self, command: str, **members: object) -> None:
        """Print the versioned JSON object of a command on stdout; its status is ``success`` unless given."""
        self._stop_status()
        head = {"asteroid_ll": ENVELOPE_VERSION, "command": command, "status": "success"}
        self.line(json.dumps(head | members))

    def error(self, error: AsteroidError, *, command: str, **members: object) -> None:
        """Print an expected failure and the next command; under ``--json`` also an envelope with these members.

        Without the member ``billing``, what is billed is unknown.
        """
        self._stop_status()
        self._write_err(f"Error: {error.what}", indent=7)
        if error.hint:
            self._write_err(f"Next:  {error.hint}", indent=7)
        if self.as_json:
            self.envelope(
                command,
                status="failed",
                **{"stages": [], "metrics": {}, "billing": {"open": None}, **members},
                error={
                    "what": with_commands(error.what),
                    "hint": with_commands(error.hint),
                    "exit_code": error.exit_code,
                },
            )

    def stage_started(self, name: str, reason: str) -> None:
        """Show on a terminal that a stage has begun; under ``--verbose`` print why it runs."""
        if self._verbosity is Verbosity.VERBOSE:
            self._write_err(f"{name:<9} start    {reason}", indent=19)
        elif self._verbosity is Verbosity.NORMAL and self._err.isatty():
            from rich.console import Console as RichConsole  # few outputs need it

            self._stop_status()
            console = RichConsole(file=self._err, markup=False, emoji=False, highlight=False)
            self._status = console.status(f"{name}: running")
            self._status.start()

    def stage_progress(self, name: str, text: str) -> None:
        """Show the progress of a stage."""
        if self._status is not None:
            self._status.update(f"{name}: {text}")
        elif self._verbosity is not Verbosity.QUIET:
            self._write_err(f"{name:<9} ...      {text}", indent=19)

    def log_line(self, text: str) -> None:
        """Print a line of a job's log on stderr, above the progress of the stage."""
        if self._status is not None:
            self._status.console.out(text, highlight=False)
        else:
            self._write_err(text, is_whole=True)

    def stage_ended(self, result: StageResult) -> None:
        """Print the result of a stage in one line. The reason of a failure follows as the command's error."""
        self._stop_status()
        if self._verbosity is not Verbosity.QUIET:
            text = "" if result.status == "failed" else result.note or result.reason
            line = f"{result.name:<9} {_MARKS[result.status]:<7} {result.seconds:6.2f} s  {text}"
            self._write_err(line.rstrip(), indent=_REASON_AT)

    def paragraph(self, text: str) -> None:
        """Print a text on stdout in lines of at most 80 characters, fewer if the terminal is narrower."""
        self.line(wrapped(text, width=_columns() if self._out.isatty() else WIDTH))

    def table(self, rows: Sequence[Sequence[str]], *, width: int | None = None, left: Sequence[int] = ()) -> None:
        """Print a table on stdout: the first row is the heading, the first column is aligned left, others right.

        No word of a cell is cut, so a name can be pasted, even if its line is too long.

        Args:
            rows: texts, all rows of one length.
            width: characters per line in a pipe; None for no limit.
            left: the numbers of more columns that are aligned left.
        """
        for line in laid_out(rows, width=get_terminal_size().columns if self._out.isatty() else width, left={0, *left}):
            self.line(line)

    def records(self, rows: Sequence[Sequence[str]], *, heading: Sequence[str]) -> None:
        """Print a table on stdout whose last column is a sentence; in a pipe it has no heading."""
        is_terminal = self._out.isatty()
        shown = [heading, *rows] if is_terminal else rows
        width = _columns() if is_terminal else None
        for line in laid_out(shown, width=width, left=range(len(heading)), has_text=True):
            self.line(line)

    def _write_err(self, text: str, *, indent: int = 0, is_whole: bool = False) -> None:
        """Write a message; on a terminal its lines are wrapped, and the commands in it stay whole."""
        text = with_commands(text)
        try:
            if not is_whole and self._err.isatty():
                text = "\n".join(wrapped(line, width=_columns(), indent=indent) for line in text.split("\n"))
            self._err.write(text + "\n")
            self._err.flush()
        except (OSError, ValueError):  # its reader is gone, the terminal was closed, the disk is full
            self._err = _NullStream()

    def _stop_status(self) -> None:
        if self._status is not None:
            with suppress(OSError):  # the terminal was closed
                self._status.stop()
            self._status = None


def _columns() -> int:
    """Return the characters per line of a text on a terminal."""
    return min(WIDTH, get_terminal_size().columns)


class _NullStream(io.StringIO):
    """A stream that discards everything."""

    def write(self, text: str, /) -> int:
        """Discard a text."""
        return len(text)
