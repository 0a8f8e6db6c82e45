"""The command line: parse, call one function, print its outcome. No logic.

A command's module is imported when the command runs, and nothing heavy (numpy, pandas, boto3, pydantic) is imported
before a command needs it.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module

import click

from asteroid_ll import __version__
from asteroid_ll.cli.exits import run_and_exit
from asteroid_ll.cli.options import read_from_environment
from asteroid_ll.cli.verbosity import add_options, options
from asteroid_ll.stages.registry import STAGES

_OWN_MODULE = ("explore", "predict", "report")
"""Stages whose command does more than run the stage."""

COMMANDS: dict[str, tuple[str, str, str]] = {
    "run-all": ("runs", "run_all", "Run every stage that is not up to date, then tear down everything that bills."),
    "doctor": ("doctor", "doctor", "Check the configuration and the account before a run, free of charge."),
    "plan": ("runs", "show_plan", "Show which stages would run, why, and the highest price."),
    "status": ("runs", "status", "Show which stages are done, and which resources are billed now."),
    **{
        name: (name, name, summary) if name in _OWN_MODULE else ("runs", "STAGE_COMMANDS", summary)
        for name, summary in ((stage.name, stage.summary) for stage in STAGES)
    },
    "sweep": ("sweep", "sweep", "Find and delete what outlived its run, from any machine and in any region."),
    "iam": ("iam", "iam", "Print the IAM policies of a configuration, and the commands that create them."),
    "evaluate": ("evaluate", "evaluate", "Cross-validate the model and its baselines, with intervals."),
    "benchmark": ("benchmark", "benchmark", "Score models and baselines on the catalogue, with ceilings and leaks."),
    "parity": ("parity", "parity", "Run a job of AWS again here and judge every number of its log."),
    "features": ("features", "features", "Show the columns that each feature set uses."),
    "model": ("model", "model", "Show or export the trained model."),
    "runs": ("history", "runs", "List the run directories of a folder, or compare two."),
    "config": ("config", "config", "Make, show and check configuration files."),
    "emulator": ("emulator", "emulator", "Serve or empty the AWS emulator, or show its bill."),
    "completion": ("completion", "completion", "Print a completion script for bash, zsh or fish."),
}
"""The module, the attribute and the summary of each command. ``--help`` imports none of the modules."""


_GC_THRESHOLD = 50_000
"""New objects between two runs of Python's garbage collector for cycles; its default is 700."""


_UNWRAPPED = "\b\n"
"""Begins a paragraph that click leaves as it is."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"asteroid_ll.cli.{module}"), attribute)
        if isinstance(command, dict):
            command = command[cmd_name]
        assert isinstance(command, click.Command)
        _keep_examples(command)
        add_options(command)
        read_from_environment(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names; suggest one for a misspelt word."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            if near := get_close_matches(args[0], COMMANDS, n=1):
                ctx.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])


def _keep_examples(command: click.Command) -> None:
    """Keep click from wrapping the examples at the end of the help, which are there to be pasted."""
    if command.epilog and not command.epilog.startswith(_UNWRAPPED):
        command.epilog = _UNWRAPPED + command.epilog
    for inner in getattr(command, "commands", {}).values():
        _keep_examples(inner)


@click.group(
    cls=LazyGroup,
    params=options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example:  asteroid-ll run-all   (in an empty folder; offline, no account)",
)
@click.version_option(__version__, prog_name="asteroid-ll")
def group() -> None:
    """NASA's near-Earth asteroids through SageMaker's Linear Learner, end to end, offline by default.

    Options can also be set in the environment: ASTEROID_LL_CONFIG, ASTEROID_LL_WORKDIR, ASTEROID_LL_JSON,
    ASTEROID_LL_QUIET, ASTEROID_LL_VERBOSE and ASTEROID_LL_DEBUG for every command, ASTEROID_LL_RUN_ALL_KEEP for
    run-all --keep (likewise for every option of a command), and ASTEROID_LL_TRAINING__MAX_RUNTIME_S for the
    configuration's training.max_runtime_s (likewise for every key).
    """


def main() -> None:
    """Run a command and exit with its code; the console script calls this."""
    # More BLAS threads do not help with matrices this small, and one thread gives the same bits on any number of
    # cores. Training jobs inherit the setting.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imports make many objects and no garbage; Python would look at them again and again.
    gc.set_threshold(_GC_THRESHOLD)
    run_and_exit(group)
