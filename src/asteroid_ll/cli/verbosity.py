"""How much a command prints: ``--quiet``, ``--verbose`` and ``--debug``, after the command or before it."""

from __future__ import annotations

from enum import Enum, auto

import click

from asteroid_ll import ENVIRONMENT_PREFIX

_KEY = "asteroid_ll.verbosity"
_DEBUG_KEY = "asteroid_ll.debug"


class Verbosity(Enum):
    """How much is printed on stderr; stdout has the same result at every level."""

    QUIET = auto()
    NORMAL = auto()
    VERBOSE = auto()


def chosen() -> Verbosity:
    """Return the level of the command that runs now."""
    context = click.get_current_context(silent=True)
    level = None if context is None else context.meta.get(_KEY)
    return level if isinstance(level, Verbosity) else Verbosity.NORMAL


def add_options(command: click.Command) -> None:
    """Add the options to a command, or to each command of a group; a second call adds nothing."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            add_options(inner)
    elif not any(parameter.name == "is_quiet" for parameter in command.params):
        command.params += options()


def options() -> list[click.Parameter]:
    """Return the options."""
    return [
        click.Option(
            ["-q", "--quiet", "is_quiet"],
            is_flag=True,
            expose_value=False,
            envvar=f"{ENVIRONMENT_PREFIX}QUIET",
            callback=_set_quiet,
            help="Print only results and errors.",
        ),
        click.Option(
            ["-v", "--verbose", "is_verbose"],
            is_flag=True,
            expose_value=False,
            envvar=f"{ENVIRONMENT_PREFIX}VERBOSE",
            callback=_set_verbose,
            help="Print also why each stage runs, and keep each line of progress.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            envvar=f"{ENVIRONMENT_PREFIX}DEBUG",
            callback=_set_debug,
            help="Print also botocore's log of all requests to AWS, without secrets. Implies --verbose.",
        ),
    ]


def _set_quiet(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's
    if value:
        _set(context, Verbosity.QUIET)


def _set_verbose(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's
    if value:
        _set(context, Verbosity.VERBOSE)


def _set_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's
    if value and not context.resilient_parsing and not context.meta.get(_DEBUG_KEY):
        from asteroid_ll.aws.debug_log import write_to_stderr

        _set(context, Verbosity.VERBOSE)
        context.meta[_DEBUG_KEY] = True
        context.call_on_close(write_to_stderr())


def _set(context: click.Context, level: Verbosity) -> None:
    if context.meta.setdefault(_KEY, level) is not level:
        raise click.UsageError("--quiet excludes --verbose and --debug.", ctx=context)
