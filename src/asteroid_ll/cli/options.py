"""What every command shares: its options, and the one place that turns an error into an exit code."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from asteroid_ll.console import Console
from asteroid_ll.errors import AsteroidError, ConfigError, InterruptedRunError

DEFAULT_WORKDIR = Path("asteroid-run")

GROUPS = ("config", "emulator")
"""Commands that have commands of their own."""


@dataclass(frozen=True)
class Where:
    """What a command works on and how it answers.

    Attributes:
        config_file: YAML file, ``None`` for the defaults.
        workdir: the run directory.
        as_json: answer with one JSON object.
    """

    config_file: Path | None
    workdir: Path
    as_json: bool


def common(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--config``, ``--workdir`` and ``--json`` to a command, which gets them as its ``where``."""

    @functools.wraps(function)
    def command(*, config_file: Path | None, workdir: Path, as_json: bool, **rest: Any) -> None:
        function(where=Where(config_file, workdir, as_json), **rest)

    decorated: Callable[..., None] = command
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
        click.option(
            "--workdir",
            type=click.Path(path_type=Path, file_okay=False),
            default=DEFAULT_WORKDIR,
            show_default=True,
            help="The run directory: outputs, journal and the emulator's state.",
        ),
        click.option(
            "-c",
            "--config",
            "config_file",
            type=click.Path(path_type=Path),
            default=None,
            help="YAML file; without it the defaults (config/local.yaml).",
        ),
    ):
        decorated = option(decorated)
    return decorated


def guarded(command: click.Command) -> NoReturn:
    """Run a command; an expected failure is one sentence and its exit code, a bug keeps its traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = _told(command)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away: nothing more can be said, and Python must not try at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code if isinstance(code, int) else 0)


def _told(command: click.Command) -> object:
    """Run a command and say what failed, where that is expected; its exit code, or what click gives back."""
    try:
        return command.main(standalone_mode=False)
    except AsteroidError as error:
        failure = error
    except (click.exceptions.Abort, KeyboardInterrupt):
        failure = InterruptedRunError(
            "Interrupted.", hint="asteroid-ll status   shows what is open;   asteroid-ll run-all   goes on."
        )
    except click.ClickException as error:
        if not _wants_json():
            error.show()
            return error.exit_code
        failure = ConfigError(error.format_message(), hint=f"asteroid-ll {_command_name()} --help".replace("  ", " "))
    Console(as_json=_wants_json()).error(failure, command=_command_name())
    return failure.exit_code


def _wants_json() -> bool:
    return "--json" in sys.argv


def _command_name() -> str:
    """The command as its envelope names it: ``run-all``, ``config validate``."""
    words = [word for word in sys.argv[1:3] if not word.startswith("-")]
    return " ".join(words if words and words[0] in GROUPS else words[:1])


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
