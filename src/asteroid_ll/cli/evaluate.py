"""``evaluate``: grouped k-fold cross-validation of the model and its baselines."""

from __future__ import annotations

import time

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import counted
from asteroid_ll.cli.options import CommonOptions, common
from asteroid_ll.cli.outcomes import open_json, open_run, short_heading
from asteroid_ll.run import paths


@click.command("evaluate", epilog="Example:  asteroid-ll evaluate --folds 5 --json")
@common
@click.option("--folds", type=click.IntRange(2, 100), default=5, show_default=True, help="Number of folds.")
@click.option(
    "--boosting/--no-boosting",
    default=None,
    help="Also score gradient boosting. The default depends on whether scikit-learn is installed.",
)
def evaluate(options: CommonOptions, folds: int, boosting: bool | None) -> None:
    """Score the configuration by grouped k-fold: no model is tested on an asteroid that it was trained on."""
    from asteroid_ll.evaluation.cross_validation import cross_validate, has_boosting
    from asteroid_ll.formats.table import StoredTable
    from asteroid_ll.pipeline.results import Listener, StageResult
    from asteroid_ll.report.result_tables import cross_validation_rows

    console = Console(as_json=options.as_json)
    listener = Listener(started=console.stage_started, progress=console.stage_progress, ended=console.stage_ended)
    with open_run(options, command="evaluate", listener=listener) as pipeline:
        prepared = pipeline.run(selected=("fetch", "clean"), tear_down=False)
        if prepared.error is not None:
            raise prepared.error
        console.stage_started("evaluate", f"{folds} folds")
        started_s = time.monotonic()
        status, note = "failed", ""
        try:
            context = pipeline.context("split")
            result = cross_validate(
                StoredTable(context.path(paths.CLEANED_TABLE)),
                context.config,
                n_folds=folds,
                with_boosting=has_boosting() if boosting is None else boosting,
                progress=lambda line: console.stage_progress("evaluate", line),
            )
            status, note = "run", f"{counted(result.n_rows, 'row')} tested once"
        finally:
            console.stage_ended(StageResult("evaluate", status, note, time.monotonic() - started_s))
    if options.as_json:
        console.envelope(
            "evaluate",
            stages=[],
            metrics=result.to_json(),
            billing={"open": open_json(prepared.open)},
        )
        return
    console.paragraph(
        f"{result.n_rows:,} rows of {result.n_asteroids:,} asteroids, {result.n_hazardous:,} rows hazardous; "
        f"{counted(result.n_features, f'{result.feature_set} feature')}, {result.n_folds} folds by asteroid"
    )
    console.line()
    console.table(short_heading(cross_validation_rows(result)))
