"""The options that every command on a run directory shares, and the environment variables of all options."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import click

from asteroid_ll import ENVIRONMENT_PREFIX
from asteroid_ll.cli.console import Console
from asteroid_ll.cli.invocation import FOUND, invoke
from asteroid_ll.cli.invocation import CommonOptions as CommonOptions
from asteroid_ll.pipeline.commands import DEFAULT_WORKDIR

JSON_VARIABLE = f"{ENVIRONMENT_PREFIX}JSON"
"""Environment variable with the effect of ``--json`` in every command."""

GROUPS = ("config", "emulator", "features", "iam", "model", "runs")
"""Commands that have subcommands."""


_CREDENTIALS = {
    "profile": ("NAME", "Profile of your AWS settings."),
    "assume_role": ("ARN", "Role to assume with these credentials."),
    "external_id": ("ID", "External id that the role requires."),
}
"""The keys of the section ``account`` that are options, with the metavar and the help."""

_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_PLAIN = re.compile(r"[A-Za-z][\w./+@:-]*[A-Za-z][\w./+@-]*")


class Choice(click.Choice[str]):
    """A choice of words that suggests one for a misspelt word."""

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """Return the message for another word."""
        from difflib import get_close_matches

        message = super().get_invalid_choice_message(value, ctx)
        near = get_close_matches(str(value), [str(choice) for choice in self.choices], n=1)
        return f"{message} Did you mean {near[0]!r}?" if near else message


class OutputFile(click.Path):
    """The file for an output, None for ``-``, which is stdout."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        return None if value == "-" else super().convert(value, param, ctx)


def common(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--config``, ``--set``, ``--workdir`` and ``--json`` to a command, which gets them as ``options``."""
    return _with_options(function, _common_options())


def on_account(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `common`, and those that choose the credentials, which are keys of the configuration."""
    return _with_options(function, (*_credential_options(), *_common_options()))


def _with_options(
    function: Callable[..., None], added: tuple[Callable[[Callable[..., None]], Callable[..., None]], ...]
) -> Callable[..., None]:
    @functools.wraps(function)
    def command(
        *, config_files: tuple[Path, ...], overrides: tuple[str, ...], workdir: Path, as_json: bool, **rest: Any
    ) -> None:
        chosen = {name: rest.pop(name, None) for name in _CREDENTIALS}
        options = CommonOptions(
            config_files,
            (*overrides, *(f"account.{name}={_quoted(value)}" for name, value in chosen.items() if value is not None)),
            workdir,
            as_json,
            note=functools.cache(Console(as_json=as_json).note),
            option_variables=functools.partial(_variables_of, click.get_current_context().find_root().command),
        )
        invoke(options)
        function(options=options, **rest)

    decorated: Callable[..., None] = command
    for option in added:
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
            help="YAML file; repeatable, a later file overrides an earlier one key by key. Without it, "
            f"{FOUND} in the current folder is read if it exists.",
        ),
    )


def _credential_options() -> tuple[Callable[[Callable[..., None]], Callable[..., None]], ...]:
    """Return the options that choose the credentials."""
    return tuple(
        click.option(f"--{name.replace('_', '-')}", name, metavar=metavar, help=meaning)
        for name, (metavar, meaning) in reversed(_CREDENTIALS.items())
    )


def _quoted(value: str) -> str:
    """Return a text as YAML that is read as this text, as it is if possible."""
    is_plain = _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS
    return value if is_plain else json.dumps(value, ensure_ascii=False)


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


def _variables_of(command: click.Command) -> Collection[str]:
    """Return the environment variables of all options of a command; for a group, this imports all of its commands."""
    variables = {str(option.envvar) for option in command.params if isinstance(option, click.Option)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            variables.update(_variables_of(inner))
    return variables
