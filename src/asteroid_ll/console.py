"""The one room that prints: stdout is data or one JSON object, stderr is progress.

Progress is a live line where stderr is a terminal, and one plain line a stage where it is not.
"""

from __future__ import annotations

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
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._status: Status | None = None

    def line(self, text: str = "") -> None:
        """A line of data on stdout."""
        self._out.write(text + "\n")

    def note(self, text: str) -> None:
        """A line for the person, on stderr."""
        self._stop_status()
        self._err.write(text + "\n")
        self._err.flush()

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
        self._err.write(f"Error: {error.what}\n")
        if error.hint:
            self._err.write(f"Next:  {error.hint}\n")

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
            self._err.write(f"{name:<9} ...      {text}\n")
            self._err.flush()

    def stage_ended(self, result: StageResult) -> None:
        """A stage is done: one line."""
        self._stop_status()
        text = result.reason if result.status == "failed" else result.note or result.reason
        self._err.write(f"{result.name:<9} {_MARKS[result.status]:<7} {result.seconds:6.2f} s  {text}\n")
        self._err.flush()

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """A table on stdout, its first row the heading: the first column to the left, the others to the right."""
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.line("  ".join(cells).rstrip())

    def _stop_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
