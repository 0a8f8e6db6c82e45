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
from asteroid_ll.errors import AsteroidError, InterruptedRunError

DEFAULT_WORKDIR = Path("asteroid-run")


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
        code = command.main(standalone_mode=False)
        sys.stdout.flush()
    except AsteroidError as error:
        Console(as_json="--json" in sys.argv).error(error, command=_command_name())
        code = error.exit_code
    except click.exceptions.Abort:
        code = InterruptedRunError.exit_code
    except KeyboardInterrupt:
        code = InterruptedRunError.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        # The reader went away: nothing more can be said, and Python must not try at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code if isinstance(code, int) else 0)


def _command_name() -> str:
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "")


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
