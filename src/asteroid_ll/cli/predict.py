"""``predict``: score the test part, the rows of a file, or asteroids by their designations."""

from __future__ import annotations

from pathlib import Path

import click

from asteroid_ll.cli.options import Choice, CommonOptions, OutputFile, on_account
from asteroid_ll.cli.outcomes import run_stage
from asteroid_ll.errors import ConfigError

FORMATS = ("table", "csv", "jsonl", "parquet")


@click.command(
    "predict",
    epilog='Example:  asteroid-ll predict --offline 433 Apophis "2010 PK9"\n'
    "          asteroid-ll predict --offline -i new.csv -o scores.csv",
)
@on_account
@click.argument("designations", nargs=-1, metavar="[DESIGNATION]...")
@click.option(
    "-i",
    "--input",
    "input_file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="New rows to score: CSV (plain or gzip), .parquet, or - for CSV from stdin.",
)
@click.option("-o", "--output", type=OutputFile(), help="File for the scores; default: -, which is stdout.")
@click.option(
    "--format",
    "layout",
    type=Choice(FORMATS),
    help="Format of the scores; default: by the suffix of --output, else a table on a terminal and CSV elsewhere.",
)
@click.option(
    "--sigma-h",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MAG",
    help="Standard error of the absolute magnitude, for the probability; default: 0.3.",
)
@click.option(
    "--sigma-moid",
    type=click.FloatRange(min=0, min_open=True),
    metavar="AU",
    help="The same of the MOID; default: from the column orbit_uncertainty if there is one, at least 0.0009 au.",
)
@click.option("--offline", is_flag=True, help="Score with the downloaded artifact, without an endpoint.")
@click.option("--batch", "in_batch", is_flag=True, help="Score with a batch transform job, without an endpoint.")
@click.option("--force", is_flag=True, help="Score the test part again even if that is up to date.")
@click.option("--dry-run", is_flag=True, help="Show whether the stage would run, and why, and stop.")
def predict(
    options: CommonOptions,
    designations: tuple[str, ...],
    input_file: Path | None,
    output: Path | None,
    layout: str | None,
    sigma_h: float | None,
    sigma_moid: float | None,
    offline: bool,
    in_batch: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Score the test part beside the baselines, or asteroids by DESIGNATION, or the rows of a file.

    A designation is a number (433), a name (Eros) or a provisional designation ("2010 PK9").
    """
    if designations and input_file is not None:
        raise ConfigError("Give either designations or --input, not both.", hint="asteroid-ll predict --help")
    if offline and in_batch:
        raise ConfigError("--offline excludes --batch.", hint="Give one of them, or none to use the endpoint.")
    if designations or input_file is not None:
        from asteroid_ll.cli.predict_rows import ScoringRequest, predict_rows
        from asteroid_ll.neo.probability import SIGMA_H_MAG, Errors

        sigmas = Errors(sigma_h or SIGMA_H_MAG, sigma_moid)
        predict_rows(
            options,
            ScoringRequest(designations, input_file, output, layout, offline=offline, in_batch=in_batch, sigmas=sigmas),
        )
        return
    if offline or any(option is not None for option in (output, layout, sigma_h, sigma_moid)):
        named = "--offline and --output go" if layout is None else "--format goes"
        if sigma_h is not None or sigma_moid is not None:
            named = "--sigma-h and --sigma-moid go"
        raise ConfigError(
            f"{named} with --input or with designations.",
            hint="asteroid-ll predict --input new.csv --offline",
        )
    run_stage("predict", options, force=force, dry_run=dry_run, in_batch=in_batch)
