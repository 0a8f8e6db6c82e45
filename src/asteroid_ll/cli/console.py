"""The one module that prints: data or one JSON object on stdout, progress on stderr.

On a terminal, progress is a live line and tables fit the window. In a pipe both are plain lines. If stderr is closed or
its reader is gone, progress is discarded and the run continues.
"""

from __future__ import annotations

import io
import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from contextlib import suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TextIO

from asteroid_ll.errors import AsteroidError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import JustifyMethod
    from rich.status import Status

    from asteroid_ll.pipeline.run import StageResult

ENVELOPE_VERSION = 1

_MARKS = {"run": "ran", "skipped": "skip", "adopted": "adopted", "failed": "FAILED"}
_TEXT_WIDTH = 100


class Console:
    """Prints outcomes and progress.

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

    def line(self, text: str = "") -> None:
        """Print a line of data on stdout and flush it."""
        self._out.write(text + "\n")
        self._out.flush()

    def note(self, text: str) -> None:
        """Print a line on stderr."""
        self._stop_status()
        self._write_err(text)

    def envelope(self, command: str, **members: object) -> None:
        """Print the versioned JSON object of a command on stdout."""
        self._stop_status()
        self.line(json.dumps({"asteroid_ll": ENVELOPE_VERSION, "command": command, **members}))

    def error(self, error: AsteroidError, *, command: str, **members: object) -> None:
        """Print an expected failure and the next command; under ``--json`` also an envelope with these members.

        Without the member ``billing``, what is billed is unknown.
        """
        self._stop_status()
        self._write_err(f"Error: {error.what}")
        if error.hint:
            self._write_err(f"Next:  {error.hint}")
        if self.as_json:
            self.envelope(
                command,
                status="failed",
                **{"stages": [], "metrics": {}, "billing": {"open": None}, **members},
                error={"what": error.what, "hint": error.hint, "exit_code": error.exit_code},
            )

    def stage_started(self, name: str, reason: str) -> None:
        """Show on a terminal that a stage has begun."""
        if not self._err.isatty():
            return
        self._stop_status()
        self._status = _rich(self._err).status(f"{name}: {reason}")
        self._status.start()

    def stage_progress(self, name: str, text: str) -> None:
        """Show the progress of a stage."""
        if self._status is not None:
            self._status.update(f"{name}: {text}")
        else:
            self._write_err(f"{name:<9} ...      {text}")

    def stage_ended(self, result: StageResult) -> None:
        """Print the result of a stage in one line."""
        self._stop_status()
        text = result.reason if result.status == "failed" else result.note or result.reason
        self._write_err(f"{result.name:<9} {_MARKS[result.status]:<7} {result.seconds:6.2f} s  {text}")

    def paragraph(self, text: str) -> None:
        """Print a text on stdout in lines of at most 100 characters, or of the terminal's width if that is less."""
        width = min(_TEXT_WIDTH, get_terminal_size().columns) if self._out.isatty() else _TEXT_WIDTH
        self.line(textwrap.fill(text, width=width))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Print a table on stdout: the first row is the heading, the first column is aligned left, others right."""
        if self._out.isatty():
            self._rich_table(rows, justify="right")
            return
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.line("  ".join(cells).rstrip())

    def steps(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Print one row per stage on stdout: its name, a word and a reason."""
        if self._out.isatty():
            self._rich_table([("Stage", "", "Reason"), *rows], justify="left")
            return
        for stage, word, reason in rows:
            self.line(f"{stage:<9} {word:<5} {reason}")

    def _rich_table(self, rows: Sequence[Sequence[str]], *, justify: JustifyMethod) -> None:
        """Print a table that fits the terminal: headings and sentences wrap, numbers and first cells do not."""
        from rich.table import Table

        console = _rich(self._out)
        columns = list(zip(*rows, strict=True))
        words = [[max(map(len, cell.split()), default=0) for cell in column] for column in columns]
        gap = 2 if sum(max(lengths) + 2 for lengths in words[1:]) + max(map(len, columns[0])) <= console.width else 1
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
        table.add_column(columns[0][0], no_wrap=True)
        for column, lengths in zip(columns[1:], words[1:], strict=True):
            table.add_column(column[0], justify=justify, overflow="fold", min_width=max(lengths[1:], default=0))
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)

    def _write_err(self, text: str) -> None:
        try:
            self._err.write(text + "\n")
            self._err.flush()
        except (OSError, ValueError):  # its reader is gone, the terminal was closed, the disk is full
            self._err = _NullStream()

    def _stop_status(self) -> None:
        if self._status is not None:
            with suppress(OSError):  # the terminal was closed
                self._status.stop()
            self._status = None


def _rich(stream: TextIO) -> RichConsole:
    """Return a rich console that prints texts as they are."""
    from rich.console import Console as RichConsole  # only a terminal needs it

    return RichConsole(file=stream, markup=False, emoji=False, highlight=False)


class _NullStream(io.StringIO):
    """A stream that discards everything."""

    def write(self, text: str, /) -> int:
        """Discard a text."""
        return len(text)
