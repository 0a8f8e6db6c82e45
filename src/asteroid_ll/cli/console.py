"""The one module that prints: data or one JSON object on stdout, progress on stderr.

On a terminal, progress is one line that is updated, and tables fit the window. In a pipe both are plain lines. If
stderr is closed or its reader is gone, progress is discarded and the run continues.
"""

from __future__ import annotations

import io
import json
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TextIO

from asteroid_ll.cli.invocation import with_commands
from asteroid_ll.errors import AsteroidError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import JustifyMethod
    from rich.status import Status

    from asteroid_ll.pipeline.results import StageResult

ENVELOPE_VERSION = 1

_MARKS = {"run": "ran", "skipped": "skip", "adopted": "adopted", "started": "started", "failed": "FAILED"}
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
        """Print the versioned JSON object of a command on stdout; its status is ``success`` unless given."""
        self._stop_status()
        head = {"asteroid_ll": ENVELOPE_VERSION, "command": command, "status": "success"}
        self.line(json.dumps(head | members))

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
                error={
                    "what": with_commands(error.what),
                    "hint": with_commands(error.hint),
                    "exit_code": error.exit_code,
                },
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

    def log_line(self, text: str) -> None:
        """Print a line of a training job's log on stderr, above the progress of the stage."""
        if self._status is not None:
            self._status.console.out(text, highlight=False)
        else:
            self._write_err(text)

    def stage_ended(self, result: StageResult) -> None:
        """Print the result of a stage in one line."""
        self._stop_status()
        text = result.reason if result.status == "failed" else result.note or result.reason
        self._write_err(f"{result.name:<9} {_MARKS[result.status]:<7} {result.seconds:6.2f} s  {text}")

    def paragraph(self, text: str, *, width: int = _TEXT_WIDTH) -> None:
        """Print a text on stdout in lines of at most ``width`` characters, fewer if the terminal is narrower."""
        width = min(width, get_terminal_size().columns) if self._out.isatty() else width
        self.line(textwrap.fill(text, width=width, break_on_hyphens=False))

    def table(self, rows: Sequence[Sequence[str]], *, width: int | None = None) -> None:
        """Print a table on stdout: the first row is the heading, the first column is aligned left, others right.

        Args:
            rows: texts, all rows of one length.
            width: characters per line in a pipe; None for no limit.
        """
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        if self._out.isatty() or (width is not None and sum(widths) + 2 * (len(widths) - 1) > width):
            self._rich_table(rows, justify="right", width=None if self._out.isatty() else width)
            return
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.line("  ".join(cells).rstrip())

    def records(self, rows: Sequence[Sequence[str]], *, heading: Sequence[str]) -> None:
        """Print a table on stdout whose last column is a sentence; in a pipe it has no heading."""
        if self._out.isatty():
            self._rich_table([heading, *rows], justify="left")
            return
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            self.line("  ".join([*cells, row[-1]]).rstrip())

    def _rich_table(self, rows: Sequence[Sequence[str]], *, justify: JustifyMethod, width: int | None = None) -> None:
        """Print a table that fits a width, by default the terminal's.

        Under ``left``, the last column is a sentence, which wraps first.
        """
        from rich.table import Table

        console = _rich(self._out, width=width)
        columns = list(zip(*rows, strict=True))
        widths, gap = _column_widths(columns[:-1] if justify == "left" else columns, available=console.width)
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
        table.add_column(columns[0][0], width=widths[0], no_wrap=True)
        for column, width in zip(columns[1:], [*widths[1:], None], strict=False):
            table.add_column(column[0], width=width, justify=justify, overflow="fold")
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)

    def _write_err(self, text: str) -> None:
        try:
            self._err.write(with_commands(text) + "\n")
            self._err.flush()
        except (OSError, ValueError):  # its reader is gone, the terminal was closed, the disk is full
            self._err = _NullStream()

    def _stop_status(self) -> None:
        if self._status is not None:
            with suppress(OSError):  # the terminal was closed
                self._status.stop()
            self._status = None


def _column_widths(columns: Sequence[Sequence[str]], *, available: int) -> tuple[list[int], int]:
    """Return the width of each column, and of the gap between two, with as few wrapped cells as fit the terminal.

    Headings wrap first, then cells, and then the words of headings break. The first column never wraps.
    """
    words = [[max(map(len, cell.split()), default=0) for cell in column] for column in columns]
    natural = [max(map(len, column)) for column in columns]
    choices = (
        natural,
        [max(lengths[0], *map(len, column[1:])) for column, lengths in zip(columns, words, strict=True)],
        [max(lengths) for lengths in words],
        [max(lengths[1:]) for lengths in words],
    )
    for widths in ([natural[0], *choice[1:]] for choice in choices):
        for gap in (2, 1):
            if sum(widths) + gap * (len(widths) - 1) <= available:
                return widths, gap
    return widths, gap


def _rich(stream: TextIO, *, width: int | None = None) -> RichConsole:
    """Return a rich console that prints texts as they are, by default in the terminal's width."""
    from rich.console import Console as RichConsole  # few outputs need it

    return RichConsole(file=stream, width=width, markup=False, emoji=False, highlight=False)


class _NullStream(io.StringIO):
    """A stream that discards everything."""

    def write(self, text: str, /) -> int:
        """Discard a text."""
        return len(text)
