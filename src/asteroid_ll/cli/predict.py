"""``predict``: the test part as a stage, or the rows of a file."""

from __future__ import annotations

from pathlib import Path

import click

from asteroid_ll.cli.options import Where, common
from asteroid_ll.cli.outcomes import execute, finish, show_steps
from asteroid_ll.console import Console
from asteroid_ll.errors import ConfigError


@click.command("predict", epilog="Example:  asteroid-ll predict --input new.csv --offline --output scored.csv")
@common
@click.option("-i", "--input", "input_file", type=click.Path(path_type=Path), help="CSV file with new rows to score.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the scores go; stdout if not given.")
@click.option("--offline", is_flag=True, help="Score with the downloaded artifact, without an endpoint.")
@click.option("--force", is_flag=True, help="Score the test part again even if that is up to date.")
@click.option("--dry-run", is_flag=True, help="Show whether the stage would run, and why, and stop.")
def predict(
    where: Where, input_file: Path | None, output: Path | None, offline: bool, force: bool, dry_run: bool
) -> None:
    """Score the test part through the endpoint beside the baselines, or the rows of a file."""
    if input_file is not None:
        _score_file(where, input_file, output=output, offline=offline)
        return
    if offline or output is not None:
        raise ConfigError(
            "--offline and --output go with --input.", hint="asteroid-ll predict --input new.csv --offline"
        )
    forced = ("predict",) if force else ()
    if dry_run:
        show_steps("predict", where, selected=("predict",), forced=forced)
        return
    finish("predict", where, execute("predict", where, selected=("predict",), forced=forced, tear_down=False))


def _score_file(where: Where, input_file: Path, *, output: Path | None, offline: bool) -> None:
    from asteroid_ll.pipeline.project import open_pipeline
    from asteroid_ll.stages.new_rows import score_file

    console = Console(as_json=where.as_json)
    with open_pipeline(where.config_file, where.workdir, command="predict", exclusive=False) as pipeline:
        scored = score_file(pipeline.context("predict"), input_file, output=output, offline=offline)
        still_open = pipeline.snapshot().open
    if output is not None:
        console.note(f"{scored.n_rows:,} rows scored, {scored.n_hazardous:,} hazardous: {output}")
    if where.as_json:
        metrics = {"n_rows": scored.n_rows, "n_hazardous": scored.n_hazardous}
        console.envelope("predict", status="success", stages=[], metrics=metrics, billing={"open": list(still_open)})
    elif output is None:
        console.line(scored.csv.rstrip("\n"))
