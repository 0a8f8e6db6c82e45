"""``sweep``: find and delete what outlived its run, without a run directory."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from math import inf
from typing import TYPE_CHECKING, Any

import click

from asteroid_ll.aws.other_runs import SECONDS, span
from asteroid_ll.aws.session import connect
from asteroid_ll.aws.sweep import Item, Selection, Survey, Swept, failure_of, open_sweeper
from asteroid_ll.cli.console import Console
from asteroid_ll.cli.exits import report
from asteroid_ll.cli.layout import counted
from asteroid_ll.cli.options import CommonOptions, on_account
from asteroid_ll.config.models import AUTO, EMULATOR_ROLE_ARN
from asteroid_ll.errors import ConfigError
from asteroid_ll.pipeline.access import access_of
from asteroid_ll.run import paths

if TYPE_CHECKING:
    from asteroid_ll.config import Config


class Duration(click.ParamType[float]):
    """A number and a unit, such as ``90s``, ``30m``, ``2h`` or ``7d``; converted to seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration such as 30m, 2h or 7d.", param, ctx)
        return float(match[1]) * SECONDS[match[2]]


@click.command("sweep", epilog="Example:  asteroid-ll sweep --expired --dry-run")
@on_account
@click.option("--expired", is_flag=True, help="Select endpoints that were kept longer than hosting.keep_for_h.")
@click.option("--older-than", "older_than_s", type=Duration(), metavar="AGE", help="Select by age: 30m, 2h, 7d.")
@click.option("--all", "everything", is_flag=True, help="Select everything, also of runs at work.")
@click.option("--region", "regions", metavar="REGION", multiple=True, help="Search this region; repeatable.")
@click.option("--all-regions", is_flag=True, help="Search every region that has SageMaker.")
@click.option("--objects", is_flag=True, help="Also objects in the bucket, below the prefix.")
@click.option("--logs", is_flag=True, help="Also logs of jobs and endpoints in CloudWatch Logs.")
@click.option("--dry-run", is_flag=True, help="List what would be deleted, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask before --all.")
def sweep(
    options: CommonOptions,
    *,
    expired: bool,
    older_than_s: float | None,
    everything: bool,
    regions: tuple[str, ...],
    all_regions: bool,
    objects: bool,
    logs: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Find and delete what outlived its run: endpoints, configurations, models, running jobs, multipart uploads.

    Only names that begin with asteroid-ll- and have this program's tag are touched. No run directory is needed. Without
    --region, the region of the configuration is searched.
    """
    selection = _selection(expired=expired, older_than_s=older_than_s, everything=everything)
    if expired and (objects or logs):
        raise ConfigError("Objects and logs have no expiry.", hint="Select them with --older-than AGE or --all.")
    if regions and all_regions:
        raise ConfigError("--all-regions excludes --region.", hint="Give one of them.")
    for region in regions:
        if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+", region):
            raise ConfigError(f"{region!r} is not the name of a region.", hint="Give one such as eu-west-1.")
    config = _config(options)
    asks = everything and config.target == "aws" and not (yes or dry_run)
    if asks and (sys.stdin is None or not sys.stdin.isatty()):
        raise ConfigError("--all deletes the resources of every run.", hint="Confirm it with --yes.")
    console = Console(as_json=options.as_json)
    state = options.workdir / paths.EMULATOR
    if config.target == "emulator" and not (state / "state.sqlite3").exists():
        _finish(console, (), Survey((), ()), swept=Swept((), ()), searched=f"{state}, which does not exist")
        return
    with (
        closing(connect(config.target, region=config.region, emulator_dir=state, access=access_of(config))) as home,
        open_sweeper(
            home,
            regions="all" if all_regions else regions or (config.region,),
            bucket=lambda region, account: _bucket(config, region, account),
            prefix=config.prefix,
            objects=objects,
            logs=logs,
        ) as sweeper,
    ):
        survey = sweeper.search()
        now_s = time.time()
        targets = selection.select(survey, now_s=now_s)
        if not options.as_json and targets:
            rows = _rows(targets, now_s=now_s)
            console.table(rows, left=range(4, len(rows[0])))
            console.line()
        if asks and targets:
            click.confirm(f"Delete these {len(targets)}?", abort=True, err=True)
        swept = None if dry_run else sweeper.delete(targets, survey)
    _finish(console, targets, survey, swept=swept, searched=_place(sweeper.regions))


def _place(regions: Sequence[str]) -> str:
    return ", ".join(regions) if len(regions) <= 5 else f"{len(regions)} regions"


def _selection(*, expired: bool, older_than_s: float | None, everything: bool) -> Selection:
    """Return the selection.

    Raises:
        ConfigError: none or more than one is given. No default, because a wrong guess deletes or bills.
    """
    if [expired, older_than_s is not None, everything].count(True) != 1:
        raise ConfigError(
            "sweep needs one of --expired, --older-than AGE and --all.",
            hint="asteroid-ll sweep --expired --dry-run   lists what was kept too long.",
        )
    return Selection(None if expired else -inf if everything else older_than_s)


def _config(options: CommonOptions) -> Config:
    """Return the configuration. A role is not needed to delete, so none must be given."""
    return replace(options, overrides=(*options.overrides, f"role_arn={EMULATOR_ROLE_ARN}")).config


def _bucket(config: Config, region: str, account_id: str) -> str | None:
    """Return a region's bucket; a bucket with a name of its own is only in the configured region."""
    if config.bucket != AUTO and region != config.region:
        return None
    return config.model_copy(update={"region": region}).bucket_name(account_id)


def _finish(console: Console, targets: Sequence[Item], survey: Survey, *, swept: Swept | None, searched: str) -> None:
    """Print the outcome; exit with the error's code if something is, or may be, left."""
    result = swept or Swept((), ())
    error = failure_of(survey, result)
    deleted = set(result.deleted)
    remaining = [item for item in survey.items if item.is_billed and item not in deleted]
    members = {
        "dry_run": swept is None,
        "resources": [_json(item, targets, result) for item in survey.items],
        "unknown": [
            {"kind": item.kind, "name": item.name, "region": item.region, "reason": item.error.what}
            for item in survey.unreadable
        ],
        "not_enabled": list(survey.not_enabled),
        "billing": {
            "open": None
            if survey.unreadable
            else [{"kind": item.kind, "name": item.name, "region": item.region} for item in remaining]
        },
    }
    if survey.not_enabled:
        console.note(f"Not searched, because the account has not enabled them: {', '.join(survey.not_enabled)}.")
    if not console.as_json:
        console.line(_sentence(targets, survey, swept=swept, searched=searched))
    if error is not None:
        raise SystemExit(report(error, console, command="sweep", **members))
    if console.as_json:
        console.envelope("sweep", status="success", **members)


def _sentence(targets: Sequence[Item], survey: Survey, *, swept: Swept | None, searched: str) -> str:
    """Return the result in one line."""
    n_others = len(survey.items) - len(targets)
    others = f" {counted(n_others, 'resource')} not selected." if n_others else ""
    if not targets:
        return f"Nothing to sweep in {searched}.{others}"
    if swept is None:
        prices = [item.price_usd_per_h for item in targets]
        total = f"{sum(price or 0 for price in prices):.3f} USD an hour"
        return f"{counted(len(targets), 'resource')} to delete, {'at least ' if None in prices else ''}{total}.{others}"
    proof = ", absence proven by listing" if swept.deleted else ""
    return f"{counted(len(swept.deleted), 'resource')} deleted{proof}.{others}"


def _rows(targets: Sequence[Item], *, now_s: float) -> list[tuple[str, ...]]:
    """Return a table of resources, with its heading. The name is last and never cut.

    The region is shown if there are several, and the run if names do not end with it.
    """
    shows_region = len({item.region for item in targets}) > 1
    shows_run = not all(item.name.endswith(item.run.rpartition("-")[2]) for item in targets)
    rows = [
        (
            item.kind,
            span(now_s - item.since_s),
            "" if item.expires_s is None or item.expires_s > now_s else span(now_s - item.expires_s),
            "?" if item.price_usd_per_h is None else f"{item.price_usd_per_h:.3f}" if item.is_billed else "",
            *([item.region] if shows_region else []),
            *([item.run] if shows_run else []),
            item.name,
        )
        for item in targets
    ]
    more = [*(["Region"] if shows_region else []), *(["Run"] if shows_run else [])]
    return [("Kind", "Age", "Expired", "USD/h", *more, "Name"), *rows]


def _json(item: Item, targets: Sequence[Item], result: Swept) -> dict[str, object]:
    """Return a resource as JSON, with its outcome."""
    values = {name: value for name, value in asdict(replace(item, detail=None)).items() if name != "detail"}
    not_deleted = {problem.key for problem, _ in result.problems}
    outcome = "deleted" if item in result.deleted else "left" if item.key in not_deleted else "found"
    return {**values, "selected": item in targets, "outcome": outcome}
