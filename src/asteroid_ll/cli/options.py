"""The options that every command on a run directory shares, and the environment variables of all options."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asteroid_ll import ENVIRONMENT_PREFIX
from asteroid_ll.errors import AsteroidError
from asteroid_ll.pipeline.commands import DEFAULT_WORKDIR, pasteable
from asteroid_ll.redaction import redacted
from asteroid_ll.run.identity import read_identity

if TYPE_CHECKING:
    from asteroid_ll.config import Config

JSON_VARIABLE = f"{ENVIRONMENT_PREFIX}JSON"
"""Environment variable with the effect of ``--json`` in every command."""

_invocation: ContextVar[CommonOptions | None] = ContextVar("_invocation", default=None)
"""The options of the command that runs now."""

GROUPS = ("config", "emulator", "features", "iam", "model", "runs")
"""Commands that have subcommands."""


@dataclass(frozen=True)
class CommonOptions:
    """The values of the shared options.

    Attributes:
        config_files: YAML files, a later one over an earlier one.
        overrides: ``KEY=VALUE`` each.
        workdir: the run directory.
        as_json: print one JSON object.
    """

    config_files: tuple[Path, ...]
    overrides: tuple[str, ...]
    workdir: Path
    as_json: bool

    @cached_property
    def config(self) -> Config:
        """The configuration, read when first used.

        The files are the base, or without files the run directory's own configuration; the environment and the
        overrides are laid over it.

        Raises:
            ConfigError: a file is missing or a value is wrong; the message names every problem.
            DataError: the run directory's configuration is damaged.
        """
        from asteroid_ll.config import load

        identity = None if self.config_files else read_identity(self.workdir)
        return load(
            self.config_files,
            overrides=self.overrides,
            environment=os.environ,
            base=identity.config if identity else None,
        )

    def configuration_options(self) -> list[tuple[str, str]]:
        """Return the options that give another command this configuration; none if the run directory has it."""
        from asteroid_ll.config.document import dotted
        from asteroid_ll.config.loading import environment_overrides

        try:
            identity = read_identity(self.workdir)
            if identity is not None and identity.config == redacted(self.config.model_dump(mode="json")):
                return []
        except AsteroidError:  # the message is about just that
            pass
        return [
            *(("-c", str(file)) for file in self.config_files),
            *(("--set", f"{dotted(key)}={redacted(text)}") for _, key, text in environment_overrides(os.environ)),
            *(("--set", redacted(override)) for override in self.overrides),
        ]


def with_commands(text: str) -> str:
    """Return a message in which each command has the options that it needs after the command that runs now."""
    options = _invocation.get()
    if options is None:
        return text
    return pasteable(text, workdir=options.workdir, configuration=options.configuration_options)


def common(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--config``, ``--set``, ``--workdir`` and ``--json`` to a command, which gets them as ``options``."""

    @functools.wraps(function)
    def command(
        *, config_files: tuple[Path, ...], overrides: tuple[str, ...], workdir: Path, as_json: bool, **rest: Any
    ) -> None:
        options = CommonOptions(config_files, overrides, workdir, as_json)
        _invocation.set(options)
        function(options=options, **rest)

    decorated: Callable[..., None] = command
    for option in _common_options():
        decorated = option(decorated)
    return decorated


def _common_options() -> tuple[Callable[[Callable[..., None]], Callable[..., None]], ...]:
    """Return the shared options; help shows the last one first."""
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
            help="Set one key, such as training.max_runtime_s=600; repeatable, overrides files and environment.",
        ),
        click.option(
            "-c",
            "--config",
            "config_files",
            envvar=f"{ENVIRONMENT_PREFIX}CONFIG",
            type=click.Path(path_type=Path),
            multiple=True,
            help="YAML file; repeatable, a later file overrides an earlier one key by key. The defaults are those of "
            "config/local.yaml.",
        ),
    )


def complete_key(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    """Return the configuration keys that begin with the typed text, each with its equals sign."""
    from asteroid_ll.config.describe import keys

    return [f"{key}=" for key in keys() if key.startswith(incomplete)]


def read_from_environment(command: click.Command, *names: str) -> None:
    """Give every option of a command an environment variable, such as ``ASTEROID_LL_RUN_ALL_KEEP``.

    Args:
        command: the command, or a group with its commands.
        names: the words that call it, without the program's name.
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.allow_from_autoenv:
            flag = max(option.opts, key=len)
            words = "_".join((*names, flag.lstrip("-")))
            option.envvar = option.envvar or ENVIRONMENT_PREFIX + words.upper().replace("-", "_")
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            read_from_environment(inner, *names, name)
