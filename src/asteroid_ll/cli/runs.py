"""``run-all``, ``plan``, ``status`` and a command for each stage."""

from __future__ import annotations

from collections.abc import Callable

import click

from asteroid_ll.cli.options import Choice, CommonOptions, on_account
from asteroid_ll.cli.outcomes import execute, finish, run_stage, show_status, show_steps
from asteroid_ll.errors import ConfigError
from asteroid_ll.pipeline.project import select
from asteroid_ll.stages.registry import STAGES
from asteroid_ll.stages.stage import Stage

_logs = click.option("--logs", is_flag=True, help="Show the job's log while it runs.")

STAGE_NAMES = tuple(stage.name for stage in STAGES)


@click.command("run-all", epilog="Example:  asteroid-ll run-all --from train --force train")
@on_account
@click.option("--from", "start", type=Choice(STAGE_NAMES), metavar="STAGE", help="First stage that may run.")
@click.option(
    "--until", type=Choice(STAGE_NAMES), metavar="STAGE", help="Last stage that may run, except for teardown."
)
@click.option(
    "--only", multiple=True, type=Choice(STAGE_NAMES), metavar="STAGE", help="Run only this stage; repeatable."
)
@click.option(
    "--force",
    multiple=True,
    type=Choice((*STAGE_NAMES, "all")),
    metavar="STAGE|all",
    help="Run this stage even if it is up to date; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Show which stages would run, and why, and stop.")
@click.option("--logs", is_flag=True, help="Show the logs of training and processing jobs while they run.")
@click.option("--keep", is_flag=True, help="Leave the endpoint running (it bills) instead of tearing it down.")
def run_all(
    options: CommonOptions,
    start: str | None,
    until: str | None,
    only: tuple[str, ...],
    force: tuple[str, ...],
    dry_run: bool,
    keep: bool,
    logs: bool,
) -> None:
    """Run every stage that is not up to date, then tear down everything that bills.

    STAGE is the name of a stage, as asteroid-ll plan lists them.
    """
    selected = select(start=start, until=until, only=only)
    forced = STAGE_NAMES if "all" in force else force
    if dry_run:
        show_steps("run-all", options, selected=selected, forced=forced)
        return
    result = execute("run-all", options, selected=selected, forced=forced, tear_down=not keep, shows_log=logs)
    finish("run-all", options, result)


@click.command("plan", epilog="Example:  asteroid-ll plan --json")
@on_account
def show_plan(options: CommonOptions) -> None:
    """Show which stages would run, why, and the highest price."""
    show_steps("plan", options, selected=None, forced=())


@click.command("status", epilog="Example:  asteroid-ll status --json")
@on_account
def status(options: CommonOptions) -> None:
    """Show which stages are done, and which resources are billed now."""
    show_status(options)


def _stage_command(stage: Stage) -> click.Command:
    """Return the command that runs one stage."""
    name = stage.name
    with_logs: Callable[[Callable[..., None]], Callable[..., None]] = _logs if stage.job else lambda function: function

    @click.command(name, help=stage.summary, epilog=f"Example:  asteroid-ll {name} --dry-run")
    @on_account
    @with_logs
    @click.option("--force", is_flag=True, help="Run it even if it is up to date.")
    @click.option("--dry-run", is_flag=True, help="Show whether it would run, and why, and stop.")
    def command(options: CommonOptions, force: bool, dry_run: bool, logs: bool = False) -> None:
        if logs and options.config.stages.where == "local":
            raise ConfigError(
                f"{name} runs on this machine, so there is no job with a log.",
                hint=f"asteroid-ll {name} --logs --set stages.where=processing   runs it as a job.",
            )
        run_stage(name, options, force=force or stage.transient, dry_run=dry_run, shows_log=logs)

    return command


@click.command("train", epilog="Example:  asteroid-ll train --logs")
@on_account
@click.option("--no-wait", is_flag=True, help="Start the job and exit; train again waits for it.")
@_logs
@click.option("--force", is_flag=True, help="Run it even if it is up to date.")
@click.option("--dry-run", is_flag=True, help="Show whether it would run, and why, and stop.")
def train(options: CommonOptions, no_wait: bool, logs: bool, force: bool, dry_run: bool) -> None:
    """Run the Linear Learner training job.

    If the job of this content runs already, the command waits for it.
    """
    if no_wait and logs:
        raise ConfigError("--no-wait excludes --logs.", hint="asteroid-ll train --logs   waits and shows the log.")
    run_stage("train", options, force=force, dry_run=dry_run, waits=not no_wait, shows_log=logs)


STAGE_COMMANDS = {stage.name: _stage_command(stage) for stage in STAGES} | {"train": train}
