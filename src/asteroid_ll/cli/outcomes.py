"""Runs the pipeline for a command and prints the outcome, for people or as JSON."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws.other_runs import sentences
from asteroid_ll.aws.pricing import refusal_of
from asteroid_ll.cli.console import Console
from asteroid_ll.cli.exits import discard_stdout, report
from asteroid_ll.cli.invocation import CommonOptions, with_commands
from asteroid_ll.cli.layout import counted
from asteroid_ll.errors import AsteroidError, DataError
from asteroid_ll.pipeline.ownership import leaving_open
from asteroid_ll.pipeline.project import open_pipeline
from asteroid_ll.pipeline.results import Listener, RunResult, StageResult
from asteroid_ll.pipeline.run import Pipeline
from asteroid_ll.pipeline.tracking import tracked
from asteroid_ll.redaction import redacted
from asteroid_ll.run.journal import Journal
from asteroid_ll.run.paths import JOURNAL

if TYPE_CHECKING:
    from asteroid_ll.aws.billing import OpenResource
    from asteroid_ll.pipeline.plan import Step

_ABOUT_THE_RUN = ("status", "teardown")
"""Commands that look at what a run has left, whatever its configuration would be now."""


def open_run(
    options: CommonOptions,
    *,
    command: str,
    listener: Listener | None = None,
    exclusive: bool = True,
    in_batch: bool = False,
) -> AbstractContextManager[Pipeline]:
    """Open the run directory, and print on stderr the differences from its stored configuration."""
    listener = replace(listener or Listener(), note=Console(as_json=options.as_json).note)
    try:
        config = options.config_of_run if command in _ABOUT_THE_RUN else options.config
    except DataError as error:
        raise leaving_open(error, Journal(options.workdir / JOURNAL)) if command == "teardown" else error from None
    return open_pipeline(
        config,
        options.workdir,
        command=command,
        listener=listener,
        exclusive=exclusive,
        in_batch=in_batch,
        configuration_file=options.found,
    )


def execute(
    command: str,
    options: CommonOptions,
    *,
    selected: Collection[str] | None,
    forced: Collection[str],
    tear_down: bool,
    waits: bool = True,
    shows_log: bool = False,
    in_batch: bool = False,
) -> RunResult:
    """Run stages, with progress on stderr, and with the logs of jobs if asked for."""
    console = Console(as_json=options.as_json)

    def ended(result: StageResult) -> None:
        # Teardown follows every selection; it gets a line if it did something.
        if selected is None or result.name in selected or result.status != "skipped":
            console.stage_ended(result)

    listener = Listener(
        started=console.stage_started,
        progress=console.stage_progress,
        ended=ended,
        log=console.log_line if shows_log else None,
    )
    with open_run(options, command=command, listener=listener, in_batch=in_batch) as pipeline:
        return tracked(pipeline, pipeline.run(forced=forced, selected=selected, tear_down=tear_down, waits=waits))


def run_stage(
    name: str,
    options: CommonOptions,
    *,
    force: bool,
    dry_run: bool,
    waits: bool = True,
    shows_log: bool = False,
    in_batch: bool = False,
) -> None:
    """Run one stage and print the outcome, or print whether it would run."""
    forced = (name,) if force else ()
    if dry_run:
        show_steps(name, options, selected=(name,), forced=forced, in_batch=in_batch)
    else:
        result = execute(
            name,
            options,
            selected=(name,),
            forced=forced,
            tear_down=False,
            waits=waits,
            shows_log=shows_log,
            in_batch=in_batch,
        )
        finish(name, options, result)


def finish(command: str, options: CommonOptions, result: RunResult) -> None:
    """Print the outcome; exit with the error's code if the run failed."""
    console = Console(as_json=options.as_json)
    members: dict[str, object] = {
        "stages": [
            {**asdict(stage), "reason": with_commands(stage.reason), "seconds": round(stage.seconds, 3)}
            for stage in result.stages
        ],
        "metrics": result.metrics,
        "findings": list(result.findings),
        "price": result.price,
        "bill": result.bill,
        "billing": {"open": open_json(result.open)},
    }
    if not options.as_json:
        try:
            _show_result(console, command, result)
        except OSError:  # stdout is gone
            if result.error is None:
                raise
            discard_stdout()  # the exit code must still name the failure
    if result.error:
        _show_other_failures(console, result, result.error)
        raise SystemExit(report(result.error, console, command=command, **members))
    if options.as_json:
        console.envelope(command, **members)


def _show_other_failures(console: Console, result: RunResult, error: AsteroidError) -> None:
    """Print why stages have failed, if the error with which the run ends does not contain it."""
    what = redacted(error.what)
    for stage in result.stages:
        is_contained = stage.reason.startswith(what) or stage.reason.partition(". ")[0].rstrip(".") in what
        if stage.status == "failed" and not is_contained:
            console.failure(f"{stage.name}: {stage.reason}")


def _show_result(console: Console, command: str, result: RunResult) -> None:
    if not result.error:
        show_metrics(console, result)
    if any(stage.status == "started" for stage in result.stages):
        console.line(f"\n{with_commands('asteroid-ll train')}   waits for it and downloads the model.")
    if result.open is None:
        command = with_commands("asteroid-ll teardown")
        console.line(f"\nBill: unknown, because the journal was lost or cannot be read. Find out:   {command}")
    elif result.open or command == "run-all":
        is_serverless = result.bill is not None and result.bill["mode"] == "serverless"
        show_bill(console, result.open, is_serverless=is_serverless)
    if command == "run-all" and result.bill is not None and result.bill["target"] == "aws":
        show_costs(console, result.bill)


def show_costs(console: Console, bill: Mapping[str, Any]) -> None:
    """Print what the jobs and the endpoint have cost beside the worst case, if anything was billed."""
    from asteroid_ll.report.tables import bill_rows

    if not any(part.get("billable_s") is not None for part in bill.values() if isinstance(part, Mapping)):
        return
    console.line()
    console.table(bill_rows(bill))
    remarks = bill["prices"] if bill["is_estimate"] else bill["not_counted"]
    if remarks:
        console.line()
        console.paragraph(remarks)


def show_metrics(console: Console, result: RunResult) -> None:
    """Print the scores of the model beside its baselines, and the findings."""
    if result.metrics:
        from asteroid_ll.evaluation.scoreboard import Scoreboard
        from asteroid_ll.report.tables import score_rows

        metrics: Mapping[str, Any] = result.metrics
        console.line()
        console.paragraph(
            f"{counted(metrics['n_rows'], 'test row')}, {metrics['n_hazardous']:,} of them hazardous; "
            f"{counted(metrics['n_features'], metrics['feature_set'] + ' feature')}, split by {metrics['split_by']}"
        )
        console.line()
        console.table(short_heading(score_rows(Scoreboard.from_json(metrics["scores"]))))
    for sentence in result.findings:
        console.line()
        console.paragraph(sentence)


def short_heading(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return a table of scores whose heading leaves room for all of them in 80 columns."""
    short = {"Precision": "Prec.", "Avg. precision": "AP"}
    return [tuple(short.get(title, title) for title in rows[0]), *rows[1:]]


def open_json(resources: Mapping[str, str] | None) -> list[dict[str, str]] | None:
    """Return the open resources as JSON, one object for each; null if they are unknown."""
    if resources is None:
        return None
    return [{"kind": kind, "name": name} for name, kind in resources.items()]


def show_bill(console: Console, open_kinds: Mapping[str, str], *, is_serverless: bool = False) -> None:
    """Print the resources that may still be billed.

    Args:
        console: the terminal.
        open_kinds: the kind of each open resource, by its name.
        is_serverless: the endpoint is billed by request.
    """
    console.line()
    command = with_commands("asteroid-ll teardown")
    kinds = set(open_kinds.values())
    names = "".join(f"\n  {name}" for name, kind in open_kinds.items() if kind != "model" or kinds == {"model"})
    if not kinds:
        console.line("Bill: nothing is open.")
    elif kinds == {"model"}:
        console.line(f"Bill: nothing is billed. A model costs nothing, and stays until   {command}{names}")
    elif is_serverless and kinds == {"endpoint"}:
        console.line(f"Bill: open, and billed by request until   {command}{names}")
    else:
        console.line(f"Bill: open, and billing until   {command}{names}")


def show_steps(
    command: str,
    options: CommonOptions,
    *,
    selected: Collection[str] | None,
    forced: Collection[str],
    in_batch: bool = False,
) -> None:
    """Print which stages would run, and why, and the most that they can cost.

    Raises:
        ConfigError: the run would be refused, because of its price.
    """
    with open_run(options, command=command, exclusive=False, in_batch=in_batch) as pipeline:
        plan = pipeline.plan(forced=forced, selected=selected)
        open_now = pipeline.snapshot().open
        price, max_usd = pipeline.price_of(plan), pipeline.max_usd
    refusal = None if price is None else refusal_of(price, max_usd)
    steps = [step for step in plan.steps if selected is None or step.stage in selected]
    console = Console(as_json=options.as_json)
    if options.as_json:
        stages = [
            {"name": s.stage, "status": "run" if plan.runs(s.stage) else "skipped", "reason": s.reason, "seconds": 0.0}
            for s in steps
        ]
        members: dict[str, object] = {
            "dry_run": True,
            "stages": stages,
            "metrics": {},
            "price": None if price is None else price.to_json(max_usd),
            "billing": {"open": open_json(open_now)},
        }
        if refusal is not None:
            raise SystemExit(report(refusal, console, command=command, **members))
        console.envelope(command, **members)
        return
    console.records([(step.stage, step.action, step.reason) for step in steps], heading=("Stage", "Action", "Reason"))
    if price is not None:
        console.line()
        for line in price.lines(max_usd):
            console.paragraph(line)
    if refusal is not None:
        raise refusal


def show_status(options: CommonOptions) -> None:
    """Print whether each stage is up to date, and the open resources with their prices.

    If the journal is damaged, the stages are unknown; the tags still show what is billed.
    """
    steps: tuple[Step, ...] = ()
    done: Collection[str] = ()
    damage: DataError | None = None
    with open_run(options, command="status", exclusive=False) as pipeline:
        try:
            done = pipeline.snapshot().done
            steps = pipeline.plan().steps
        except DataError as error:
            damage = error
        billed = pipeline.open_resources()
        others = pipeline.of_other_runs(billed)
    console = Console(as_json=options.as_json)
    members = {
        "stages": [{"name": s.stage, "done": s.stage in done, "next": s.action, "reason": s.reason} for s in steps],
        "metrics": {},
        "billing": {"open": [asdict(item) for item in billed]},
    }
    if not options.as_json:
        rows = [(step.stage, "done" if step.stage in done else "-", step.reason) for step in steps]
        console.records(rows, heading=("Stage", "State", "Reason"))
        own = [item for item in billed if item not in others]
        names = {f"{item.kind} {item.name} ({_price(item)})": item.kind for item in own}
        show_bill(console, names, is_serverless=all(item.price_usd_per_h == 0 for item in own))
        for sentence in sentences(others, now_s=time.time()):
            console.line(with_commands(sentence))
    if damage is not None:
        raise SystemExit(report(damage, console, command="status", **members))
    if options.as_json:
        console.envelope("status", **members)


def _price(resource: OpenResource) -> str:
    price = resource.price_usd_per_h
    if price == 0:
        return "billed by request"
    return "price unknown" if price is None else f"{price:.3f} USD an hour"
