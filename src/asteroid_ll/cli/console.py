"""The one room that prints: stdout is data or one JSON object, stderr is progress.

Progress is a live line where stderr is a terminal, and one plain line a stage where it is not. Nobody needs to read
it: a stderr that is closed, or whose reader went away, stops no run and above all no teardown.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from asteroid_ll.errors import AsteroidError

if TYPE_CHECKING:
    from rich.status import Status

    from asteroid_ll.pipeline.run import StageResult

ENVELOPE_VERSION = 1

_MARKS = {"run": "ran", "skipped": "skip", "adopted": "adopted", "failed": "FAILED"}


class Console:
    """Prints outcomes and progress.

    Args:
        as_json: print one JSON object on stdout and no human table.
        out: where data goes; stdout unless told.
        err: where progress goes; stderr unless told.
    """

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        # A stream that was closed before the interpreter started is None.
        self._out: TextIO = out or sys.stdout or _Nowhere()
        self._err: TextIO = err or sys.stderr or _Nowhere()
        self._status: Status | None = None

    def line(self, text: str = "") -> None:
        """A line of data on stdout, where a reader at the other end of a pipe gets it at once."""
        self._out.write(text + "\n")
        self._out.flush()

    def note(self, text: str) -> None:
        """A line for the person, on stderr."""
        self._stop_status()
        self._tell(text)

    def envelope(self, command: str, **members: object) -> None:
        """The versioned JSON object of a command, on stdout."""
        self._stop_status()
        self.line(json.dumps({"asteroid_ll": ENVELOPE_VERSION, "command": command, **members}))

    def error(self, error: AsteroidError, *, command: str) -> None:
        """An expected failure: one sentence and the next command; under ``--json`` an envelope as well."""
        self._stop_status()
        if self.as_json:
            self.envelope(
                command,
                status="failed",
                stages=[],
                metrics={},
                billing={"open": []},
                error={"what": error.what, "hint": error.hint, "exit_code": error.exit_code},
            )
        self._tell(f"Error: {error.what}")
        if error.hint:
            self._tell(f"Next:  {error.hint}")

    def stage_started(self, name: str, reason: str) -> None:
        """A stage begins."""
        if not self._err.isatty():
            return
        from rich.console import Console as RichConsole  # late: a pipe never needs it

        self._stop_status()
        self._status = RichConsole(file=self._err).status(f"{name}: {reason}")
        self._status.start()

    def stage_progress(self, name: str, text: str) -> None:
        """Something happened inside a stage."""
        if self._status is not None:
            self._status.update(f"{name}: {text}")
        else:
            self._tell(f"{name:<9} ...      {text}")

    def stage_ended(self, result: StageResult) -> None:
        """A stage is done: one line."""
        self._stop_status()
        text = result.reason if result.status == "failed" else result.note or result.reason
        self._tell(f"{result.name:<9} {_MARKS[result.status]:<7} {result.seconds:6.2f} s  {text}")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """A table on stdout, its first row the heading: the first column to the left, the others to the right."""
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.line("  ".join(cells).rstrip())

    def _tell(self, text: str) -> None:
        try:
            self._err.write(text + "\n")
            self._err.flush()
        except BrokenPipeError:
            self._err = _Nowhere()

    def _stop_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


class _Nowhere(io.StringIO):
    """A stream that nobody reads."""

    def write(self, text: str, /) -> int:
        """Drop a text."""
        return len(text)
