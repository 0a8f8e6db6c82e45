"""``doctor``: check the configuration and the account, and print the command that fixes what is wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.exits import report
from asteroid_ll.cli.iam import configuration_without_role
from asteroid_ll.cli.invocation import with_commands
from asteroid_ll.cli.layout import WIDTH
from asteroid_ll.cli.options import CommonOptions, on_account
from asteroid_ll.pipeline.doctor import ON_ACCOUNT, diagnose, failure_of, summary

if TYPE_CHECKING:
    from asteroid_ll.aws.checks.check import Check

_STATUS, _NAME = 9, 16
"""Widths of the columns before the fact."""


@click.command("doctor", epilog="Example:  asteroid-ll doctor --json")
@on_account
def doctor(options: CommonOptions) -> None:
    """Check the configuration and the account before a run, free of charge.

    Every check is a read. A failed one is followed by the command that fixes it. The exit code is 0 if none failed,
    else that of the first one that did.
    """
    config, role_arn = configuration_without_role(options)
    console = Console(as_json=options.as_json)
    checks: list[Check] = []
    for check in diagnose(config, options.workdir, has_role=role_arn is not None):
        checks.append(check)
        if not options.as_json:
            _show(console, check)
    members: dict[str, object] = {"checks": [_json(check) for check in checks], "summary": summary(checks)}
    error = failure_of(checks)
    if not options.as_json:
        console.line()
        console.paragraph(_ending(config.target, checks))
    if error is not None:
        raise SystemExit(report(error, console, command="doctor", **members))
    if options.as_json:
        console.envelope("doctor", **members)


def _ending(target: str, checks: Sequence[Check]) -> str:
    """Return the last line."""
    text = f"{summary(checks)[:1].upper()}{summary(checks)[1:]}."
    return text if target == "aws" else f"{text} With target aws it also checks {ON_ACCOUNT}."


def _show(console: Console, check: Check) -> None:
    """Print a check, wrapped into the third column, and its commands unwrapped, so that they can be pasted."""
    width = max(min(WIDTH, get_terminal_size().columns), 40)
    status = "FAILED" if check.status == "failed" else check.status
    head = f"{status:<{_STATUS}}  {check.name:<{_NAME}}  "
    console.line(
        textwrap.fill(
            check.fact,
            width=width,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
    for fix in check.fixes:
        console.line(f"{'':<{_STATUS}}  {with_commands(fix)}")


def _json(check: Check) -> dict[str, object]:
    return {**check.to_json(), "fixes": [with_commands(fix) for fix in check.fixes]}
