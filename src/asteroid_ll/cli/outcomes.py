"""Runs the pipeline for a command and shows what came of it, for people or as JSON."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import Where
from asteroid_ll.errors import AsteroidError

if TYPE_CHECKING:
    from asteroid_ll.pipeline.run import RunResult, StageResult


def execute(
    command: str,
    where: Where,
    *,
    selected: Collection[str] | None,
    forced: Collection[str],
    tear_down: bool,
) -> RunResult:
    """Run stages, with progress on stderr."""
    from asteroid_ll.pipeline.project import open_pipeline
    from asteroid_ll.pipeline.run import Listener
    from asteroid_ll.pipeline.tracking import tracked

    console = Console(as_json=where.as_json)

    def is_shown(result: StageResult) -> bool:
        """Teardown follows a selection too, and is worth a line where it did something."""
        return selected is None or result.name in selected or result.status != "skipped"

    listener = Listener(
        started=console.stage_started,
        progress=console.stage_progress,
        ended=lambda result: console.stage_ended(result) if is_shown(result) else None,
    )
    with open_pipeline(where.config, where.workdir, command=command, listener=listener) as pipeline:
        return tracked(pipeline, pipeline.run(forced=forced, selected=selected, tear_down=tear_down))


def finish(command: str, where: Where, result: RunResult) -> None:
    """Print the outcome; exit with the error's code where the run failed."""
    console = Console(as_json=where.as_json)
    error = cast("AsteroidError | None", result.error)
    if where.as_json:
        members: dict[str, object] = {
            "status": "failed" if error else "success",
            "stages": [_stage(asdict(stage)) for stage in result.stages],
            "metrics": result.metrics,
            "findings": list(result.findings),
            "billing": {"open": open_json(result.open)},
        }
        if error:
            members["error"] = {"what": error.what, "hint": error.hint, "exit_code": error.exit_code}
        console.envelope(command, **members)
    elif not error:
        show_metrics(console, result.metrics, result.findings)
    if not where.as_json and (result.open or command == "run-all"):
        show_bill(console, result.open)
    if error:
        if not where.as_json:
            console.error(error, command=command)
        sys.stdout.flush()
        raise SystemExit(error.exit_code)


def _stage(values: Mapping[str, Any]) -> dict[str, object]:
    return {**values, "seconds": round(values["seconds"], 3)}


def show_metrics(console: Console, metrics: Mapping[str, Any], findings: Sequence[str]) -> None:
    """The table of scores, the model beside its baselines, and what they mean."""
    if metrics:
        from asteroid_ll.evaluation.scoreboard import Scoreboard
        from asteroid_ll.report.tables import score_rows

        console.line()
        console.line(
            f"{metrics['n_rows']:,} test rows, {metrics['n_hazardous']:,} of them hazardous;"
            f" {metrics['n_features']} {metrics['feature_set']} features, split by {metrics['split_by']}"
        )
        console.line()
        console.table(score_rows(Scoreboard.from_json(metrics["scores"])))
    for sentence in findings:
        console.line()
        console.line(textwrap.fill(sentence, width=100))


def open_json(found: Mapping[str, str]) -> list[dict[str, str]]:
    """What is open as JSON: one object a resource."""
    return [{"kind": kind, "name": name} for name, kind in found.items()]


def show_bill(console: Console, open_names: Collection[str]) -> None:
    """What may still bill."""
    console.line()
    if open_names:
        console.line(f"Bill: open, and billing until   asteroid-ll teardown   {', '.join(open_names)}")
    else:
        console.line("Bill: nothing is open.")


def show_steps(
    command: str,
    where: Where,
    *,
    selected: Collection[str] | None,
    forced: Collection[str],
) -> None:
    """Print what would run, and why."""
    from asteroid_ll.pipeline.project import open_pipeline

    with open_pipeline(where.config, where.workdir, command=command, exclusive=False) as pipeline:
        found = pipeline.plan(forced=forced, selected=selected)
        open_now = pipeline.snapshot().open
    steps = [step for step in found.steps if selected is None or step.stage in selected]
    console = Console(as_json=where.as_json)
    if where.as_json:
        stages = [
            {"name": s.stage, "status": "run" if s.action == "run" else "skipped", "reason": s.reason, "seconds": 0.0}
            for s in steps
        ]
        console.envelope(
            command, status="success", dry_run=True, stages=stages, metrics={}, billing={"open": open_json(open_now)}
        )
        return
    for step in steps:
        console.line(f"{step.stage:<9} {step.action:<5} {step.reason}")


def show_status(where: Where) -> None:
    """Print whether each stage is up to date, and what is open with its price an hour."""
    from asteroid_ll.pipeline.project import open_pipeline

    with open_pipeline(where.config, where.workdir, command="status", exclusive=False) as pipeline:
        done = pipeline.snapshot().done
        steps = pipeline.plan().steps
        billed = pipeline.open_resources()
    console = Console(as_json=where.as_json)
    if where.as_json:
        stages = [{"name": s.stage, "done": s.stage in done, "next": s.action, "reason": s.reason} for s in steps]
        console.envelope(
            "status", status="success", stages=stages, metrics={}, billing={"open": [asdict(item) for item in billed]}
        )
        return
    for step in steps:
        console.line(f"{step.stage:<9} {'done' if step.stage in done else '-':<5} {step.reason}")
    show_bill(console, [f"{item.kind} {item.name} ({_price(item.price_usd_per_h)})" for item in billed])


def _price(usd_per_h: float | None) -> str:
    return "price unknown" if usd_per_h is None else f"{usd_per_h:.3f} USD an hour"
