"""What every command shares: its options, and the one place that turns an error into an exit code."""

from __future__ import annotations

import codecs
import functools
import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from asteroid_ll import ENVIRONMENT_PREFIX
from asteroid_ll.cli.console import Console
from asteroid_ll.errors import AsteroidError, ConfigError, InterruptedRunError
from asteroid_ll.pipeline.layers import Layers
from asteroid_ll.run.atomic import refused_by_system

DEFAULT_WORKDIR = Path("asteroid-run")

JSON_VARIABLE = f"{ENVIRONMENT_PREFIX}JSON"
"""Asks every command for one JSON object, as ``--json`` does."""

GROUPS = ("config", "emulator", "features", "model")
"""Commands that have commands of their own."""


@dataclass(frozen=True)
class Where:
    """What a command works on and how it answers.

    Attributes:
        config: where its configuration comes from.
        workdir: the run directory.
        as_json: answer with one JSON object.
    """

    config: Layers
    workdir: Path
    as_json: bool


def common(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--config``, ``--set``, ``--workdir`` and ``--json`` to a command, which gets them as its ``where``."""

    @functools.wraps(function)
    def command(
        *, config_files: tuple[Path, ...], overrides: tuple[str, ...], workdir: Path, as_json: bool, **rest: Any
    ) -> None:
        function(where=Where(Layers.of_process(config_files, overrides), workdir, as_json), **rest)

    decorated: Callable[..., None] = command
    for option in _common_options():
        decorated = option(decorated)
    return decorated


def _common_options() -> tuple[Callable[[Callable[..., None]], Callable[..., None]], ...]:
    """The options of every command that works on a run directory, the last one shown first."""
    return (
        click.option("--json", "as_json", envvar=JSON_VARIABLE, is_flag=True, help="Print one JSON object on stdout."),
        click.option(
            "--workdir",
            envvar=f"{ENVIRONMENT_PREFIX}WORKDIR",
            type=click.Path(path_type=Path, file_okay=False),
            default=DEFAULT_WORKDIR,
            show_default=True,
            help="The run directory: outputs, journal and the emulator's state.",
        ),
        click.option(
            "--set",
            "overrides",
            metavar="KEY=VALUE",
            multiple=True,
            allow_from_autoenv=False,
            shell_complete=complete_key,
            help="Set one key over files and environment, such as training.max_runtime_s=600; may be repeated. "
            f"In the environment the key is {ENVIRONMENT_PREFIX}TRAINING__MAX_RUNTIME_S.",
        ),
        click.option(
            "-c",
            "--config",
            "config_files",
            envvar=f"{ENVIRONMENT_PREFIX}CONFIG",
            type=click.Path(path_type=Path),
            multiple=True,
            help="YAML file; may be repeated, a later one wins key by key. Without it the defaults "
            "(config/local.yaml).",
        ),
    )


def complete_key(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    """The configuration's keys that begin with what was typed, each with its equals sign."""
    from asteroid_ll.config.describe import keys

    return [f"{key}=" for key in keys() if key.startswith(incomplete)]


def read_from_environment(command: click.Command, *names: str) -> None:
    """Let every option of a command be set by a variable that its help names, ``ASTEROID_LL_RUN_ALL_KEEP``.

    Args:
        command: the command or group; the commands of a group are done too.
        names: words by which it is called, without the program's.
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.allow_from_autoenv:
            flag = max(option.opts, key=len)
            words = "_".join((*names, flag.lstrip("-")))
            option.envvar = option.envvar or ENVIRONMENT_PREFIX + words.upper().replace("-", "_")
            option.show_envvar = True
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            read_from_environment(inner, *names, name)


def guarded(command: click.Command) -> NoReturn:
    """Run a command; an expected failure is one sentence and its exit code, a bug keeps its traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    _make_encodable()
    stdout = sys.stdout
    try:
        code = _told(command)
        if sys.stdout is not None:  # it is None where it was closed before the start
            sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as ended:
        # click answers a broken pipe by another stdout, which it wraps around this one, and exit code 1.
        if isinstance(ended, SystemExit) and sys.stdout is stdout:
            raise
        # The reader went away: nothing more can be said, and Python must not try at exit either.
        _drop_stdout()
        code = 141
    except OSError as error:  # stdout itself is a file on a disk that is full
        refused = refused_by_system(error)
        if refused is None:
            raise
        _drop_stdout()
        Console().error(refused, command=_command_name())
        code = refused.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _drop_stdout() -> None:
    """Let whatever is still to be written to stdout go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _make_encodable() -> None:
    """Let every text be printed: as UTF-8 where the locale knows ASCII alone, else with ``?`` for what it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if codecs.lookup(stream.encoding).name == "ascii":
                stream.reconfigure(encoding="utf-8")
            else:
                stream.reconfigure(errors="replace")


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
    except OSError as error:
        refused = refused_by_system(error)
        if refused is None:
            raise
        failure = refused
    except click.ClickException as error:
        if not _wants_json():
            error.show()
            return error.exit_code
        failure = ConfigError(error.format_message(), hint=f"asteroid-ll {_command_name()} --help".replace("  ", " "))
    Console(as_json=_wants_json()).error(failure, command=_command_name())
    return failure.exit_code


def _wants_json() -> bool:
    if "--json" in sys.argv:
        return True
    try:
        return click.BOOL.convert(os.environ.get(JSON_VARIABLE) or "false", None, None)
    except click.BadParameter:
        return False


def _command_name() -> str:
    """The command as its envelope names it: ``run-all``, ``config validate``."""
    words = [word for word in sys.argv[1:3] if not word.startswith("-")]
    return " ".join(words if words and words[0] in GROUPS else words[:1])


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
