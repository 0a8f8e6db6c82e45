"""The command line: parse, call one function, print its outcome. No logic.

Start-up is a feature: a group of commands is imported when one of its commands runs, and nothing heavy
(numpy, pandas, boto3, pydantic) is imported before a command needs it.
"""

from __future__ import annotations

import os
from importlib import import_module

import click

from asteroid_ll import __version__
from asteroid_ll.cli.options import guarded, read_from_environment

LAZY: dict[str, tuple[str, str, str]] = {
    "run-all": (
        "runs",
        "run_all",
        "Everything, offline in seconds: every stage that is not up to date, then teardown.",
    ),
    "plan": ("runs", "show_plan", "What would run, what is up to date, and why."),
    "status": ("runs", "status", "What was done here, and what is open and bills."),
    "fetch": ("runs", "fetch", "Get the asteroids from the source."),
    "clean": ("runs", "clean", "Check the source's rows and give them names and units."),
    "explore": ("runs", "explore", "Numbers and figures of the cleaned table."),
    "split": ("runs", "split", "Divide the asteroids into train, validation and test."),
    "encode": ("runs", "encode", "Make features and write them as recordIO-protobuf."),
    "upload": ("runs", "upload", "Put the encoded parts into S3."),
    "train": ("runs", "train", "Run the Linear Learner training job."),
    "deploy": ("runs", "deploy", "Put the model behind an endpoint."),
    "predict": ("predict", "predict", "Score the test part, or the rows of a file."),
    "report": ("report", "report", "Write everything that was found as one HTML file."),
    "teardown": ("runs", "teardown", "Delete whatever bills, and prove that it is gone."),
    "evaluate": ("evaluate", "evaluate", "Grouped k-fold: the model beside its baselines, with intervals."),
    "features": ("features", "features", "What each feature set takes of a table, and why not the rest."),
    "model": ("model", "model", "The trained model: its weights, and what the grid's other models did."),
    "config": ("config", "config", "Make, show and check configuration files."),
    "emulator": ("emulator", "emulator", "The embedded AWS: serve it, reset it, read its bill."),
    "completion": ("completion", "completion", "The script that makes bash, zsh or fish complete commands."),
}
"""Each command's module, function and line of help, so that ``--help`` imports none of them."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands, in the order of the work."""
        return list(LAZY)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in LAZY:
            return None
        module, function, _ = LAZY[cmd_name]
        command = getattr(import_module(f"asteroid_ll.cli.{module}"), function)
        assert isinstance(command, click.Command)
        read_from_environment(command, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in LAZY.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example:  asteroid-ll run-all   (in an empty folder: offline, no account needed)",
)
@click.version_option(__version__, prog_name="asteroid-ll")
def group() -> None:
    """NASA's near-Earth asteroids through SageMaker's Linear Learner, end to end, offline by default."""


def main() -> None:
    """The console script: run a command and exit with its code."""
    # The matrices are small: BLAS threads would only spin beside each other, and one thread gives the same bits
    # whatever the number of cores. Jobs inherit it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    guarded(group)
