"""``evaluate``: grouped k-fold, the model beside its baselines."""

from __future__ import annotations

import time

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import CommonOptions, common
from asteroid_ll.cli.outcomes import open_json


@click.command("evaluate", epilog="Example:  asteroid-ll evaluate --folds 5 --json")
@common
@click.option("--folds", type=click.IntRange(2, 100), default=5, show_default=True, help="Parts of the asteroids.")
@click.option(
    "--boosting/--no-boosting",
    default=None,
    help="Gradient boosting beside the model; by default where scikit-learn is installed.",
)
def evaluate(options: CommonOptions, folds: int, boosting: bool | None) -> None:
    """Score the configuration by grouped k-fold: every asteroid is tested once, by a model that never saw it."""
    from asteroid_ll.evaluation import k_fold as evaluation
    from asteroid_ll.evaluation.cross_validation import cross_validation_rows
    from asteroid_ll.pipeline.project import open_pipeline
    from asteroid_ll.pipeline.run import Listener, StageResult

    console = Console(as_json=options.as_json)
    listener = Listener(started=console.stage_started, progress=console.stage_progress, ended=console.stage_ended)
    with open_pipeline(options.config, options.workdir, command="evaluate", listener=listener) as pipeline:
        made = pipeline.run(selected=("fetch", "clean"), tear_down=False)
        if made.error is not None:
            raise made.error
        console.stage_started("evaluate", f"{folds} folds")
        started_s = time.monotonic()
        status, note = "failed", "see below"
        try:
            found = evaluation.evaluate(
                pipeline.context("split"),
                n_folds=folds,
                with_boosting=evaluation.has_boosting() if boosting is None else boosting,
                say=lambda line: console.stage_progress("evaluate", line),
            )
            status, note = "run", f"{found.n_rows:,} rows tested once"
        finally:
            console.stage_ended(StageResult("evaluate", status, note, time.monotonic() - started_s))
    if options.as_json:
        console.envelope(
            "evaluate", status="success", stages=[], metrics=found.to_json(), billing={"open": open_json(made.open)}
        )
        return
    console.line(
        f"{found.n_rows:,} rows of {found.n_asteroids:,} asteroids, {found.n_hazardous:,} rows hazardous; "
        f"{found.n_features} {found.feature_set} features, {found.n_folds} folds by asteroid"
    )
    console.line()
    console.table(cross_validation_rows(found))
