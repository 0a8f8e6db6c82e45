"""Runs a command and exits with its code: the one place that maps errors to exit codes."""

from __future__ import annotations

import atexit
import codecs
import io
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import GROUPS, JSON_VARIABLE
from asteroid_ll.errors import AsteroidError, ConfigError, InterruptedRunError
from asteroid_ll.run import signals
from asteroid_ll.run.atomic import refused_by_system


class _Departure:
    """Ends the process after its other exit handlers, without freeing its memory object by object.

    After a run, that takes Python 0.1 s.

    Attributes:
        code: the exit code; None lets Python end the process, for a bug's traceback.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        atexit.register(self)  # exit handlers run in reverse order

    def __call__(self) -> None:
        """Exit if the code is known; everything that was printed is flushed before."""
        if self.code is not None:
            _flush_or_discard()
            os._exit(self.code)


def run_and_exit(command: click.Command) -> NoReturn:
    """Run a command and exit; an expected failure prints one sentence, a bug prints its traceback."""
    departure = _Departure()
    _keep_places_of_closed_streams()
    signals.catch(notice=_write_notice)
    _make_encodable()
    stdout = sys.stdout
    try:
        code = _run(command)
        if sys.stdout is not None:  # it is None if it was closed before the start
            sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        # On a broken pipe, click replaces stdout with a wrapper and exits with code 1.
        if isinstance(error, SystemExit) and sys.stdout is stdout:
            _flush_or_discard()
            departure.code = error.code if isinstance(error.code, int) else None
            raise
        discard_stdout()
        code = 141
    except OSError as error:  # stdout is a file on a full disk
        discard_stdout()
        code = report(error, Console(as_json=_wants_json()), command=_command_name())
    departure.code = code if isinstance(code, int) else 0
    sys.exit(departure.code)


def _run(command: click.Command) -> object:
    """Run a command; return its exit code, or the command's return value."""
    try:
        return command.main(standalone_mode=False)
    except click.ClickException as error:
        if not _wants_json():
            error.show()
            return error.exit_code
        failure: BaseException = error
    except (AsteroidError, click.exceptions.Abort, KeyboardInterrupt, OSError) as error:
        failure = error
    return report(failure, Console(as_json=_wants_json()), command=_command_name())


def report(error: BaseException, console: Console, *, command: str, **members: object) -> int:
    """Print an expected failure and return its exit code; raise anything else.

    Args:
        error: the failure.
        console: prints it.
        command: the command's name.
        members: further members of the JSON envelope.
    """
    failure: AsteroidError | None = None
    if isinstance(error, AsteroidError):
        failure = error
    elif isinstance(error, click.ClickException):
        failure = ConfigError(error.format_message(), hint=f"asteroid-ll {command} --help".replace("  ", " "))
    elif isinstance(error, OSError):
        failure = refused_by_system(error)
    else:
        failure = InterruptedRunError(
            "Interrupted.", hint="asteroid-ll status   shows what is open;   asteroid-ll run-all   continues."
        )
    if failure is None:
        raise error
    try:
        console.error(failure, command=command, **members)
    except OSError:  # stdout is gone; the exit code still names the failure
        discard_stdout()
    return failure.exit_code


def discard_stdout() -> None:
    """Discard everything that is still written to stdout, also by Python at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _flush_or_discard() -> None:
    """Flush the streams; discard what a closed one still holds, so that Python keeps the exit code."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _keep_places_of_closed_streams() -> None:
    """Take the descriptors of closed streams: a file that got one would get our notices, or be read as stdin."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number else os.O_WRONLY)  # any use of the stream still fails


def _make_encodable() -> None:
    """Make every text printable: as UTF-8 if the locale is ASCII, else with ``?`` for characters that it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if codecs.lookup(stream.encoding).name == "ascii":
                stream.reconfigure(encoding="utf-8")
            else:
                stream.reconfigure(errors="replace")


def _wants_json() -> bool:
    if "--json" in sys.argv:
        return True
    try:
        return click.BOOL.convert(os.environ.get(JSON_VARIABLE) or "false", None, None)
    except click.BadParameter:
        return False


def _command_name() -> str:
    """Return the command's name in its envelope: ``run-all``, ``config validate``."""
    words = [word for word in sys.argv[1:3] if not word.startswith("-")]
    return " ".join(words if words and words[0] in GROUPS else words[:1])


def _write_notice(sentence: str) -> None:
    """Write a sentence to stderr from a signal handler, which may interrupt a write through `sys.stderr`."""
    with suppress(OSError):
        os.write(2, f"{sentence}\n".encode())
