"""``run-all``, ``plan``, ``status`` and a command for each stage."""

from __future__ import annotations

import click

from asteroid_ll.cli.options import Where, common
from asteroid_ll.cli.outcomes import execute, finish, show_steps
from asteroid_ll.stages.registry import STAGES

STAGE_NAMES = tuple(stage.name for stage in STAGES)


@click.command("run-all", epilog="Example:  asteroid-ll run-all --from train --force train")
@common
@click.option("--from", "start", type=click.Choice(STAGE_NAMES), help="First stage that may run.")
@click.option("--until", type=click.Choice(STAGE_NAMES), help="Last stage that may run; teardown follows all the same.")
@click.option("--only", multiple=True, type=click.Choice(STAGE_NAMES), help="Just this stage; may be repeated.")
@click.option("--force", multiple=True, type=click.Choice((*STAGE_NAMES, "all")), help="Run it even if up to date.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and why, and stop.")
@click.option("--keep", is_flag=True, help="Leave the endpoint running (it bills) instead of tearing it down.")
def run_all(
    where: Where,
    start: str | None,
    until: str | None,
    only: tuple[str, ...],
    force: tuple[str, ...],
    dry_run: bool,
    keep: bool,
) -> None:
    """Run every stage that is not up to date, then tear down whatever bills."""
    from asteroid_ll.pipeline.project import select

    selected = select(start=start, until=until, only=only)
    forced = STAGE_NAMES if "all" in force else force
    if dry_run:
        show_steps("run-all", where, selected=selected, forced=forced)
        return
    result = execute("run-all", where, selected=selected, forced=forced, tear_down=not keep)
    finish("run-all", where, result)


@click.command("plan", epilog="Example:  asteroid-ll plan --json")
@common
def show_plan(where: Where) -> None:
    """Show what would run, what is up to date, and why."""
    show_steps("plan", where, selected=None, forced=())


@click.command("status", epilog="Example:  asteroid-ll status --json")
@common
def status(where: Where) -> None:
    """Show what was done here, and what is open and bills."""
    from asteroid_ll.cli.outcomes import show_status

    show_status(where)


def stage_command(name: str, summary: str) -> click.Command:
    """The command of one stage alone."""

    @click.command(name, help=summary, epilog=f"Example:  asteroid-ll {name} --dry-run")
    @common
    @click.option("--force", is_flag=True, help="Run it even if it is up to date.")
    @click.option("--dry-run", is_flag=True, help="Show whether it would run, and why, and stop.")
    def command(where: Where, force: bool, dry_run: bool) -> None:
        transient = next(stage for stage in STAGES if stage.name == name).transient
        forced = (name,) if force or transient else ()
        if dry_run:
            show_steps(name, where, selected=(name,), forced=forced)
            return
        finish(name, where, execute(name, where, selected=(name,), forced=forced, tear_down=False))

    return command


_COMMANDS = {stage.name: stage_command(stage.name, stage.summary) for stage in STAGES}
fetch = _COMMANDS["fetch"]
clean = _COMMANDS["clean"]
explore = _COMMANDS["explore"]
split = _COMMANDS["split"]
encode = _COMMANDS["encode"]
upload = _COMMANDS["upload"]
train = _COMMANDS["train"]
deploy = _COMMANDS["deploy"]
teardown = _COMMANDS["teardown"]
