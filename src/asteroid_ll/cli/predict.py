"""``predict``: the test part as a stage, the rows of a file, or asteroids by their designations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import CommonOptions, common
from asteroid_ll.cli.outcomes import execute, finish, open_json, show_steps
from asteroid_ll.errors import ConfigError

if TYPE_CHECKING:
    from asteroid_ll.scoring.new_rows import Tally
    from asteroid_ll.scoring.reader import RowSource
    from asteroid_ll.stages.stage import Context

FORMATS = ("table", "csv", "jsonl", "parquet")


@dataclass(frozen=True)
class Wanted:
    """What is to be scored, how, and where the scores go.

    Attributes:
        designations: asteroids by number, name or provisional designation; empty for the rows of a file.
        input_file: file with new rows, ``-`` for stdin.
        output: file for the scores; None for stdout.
        layout: one of ``FORMATS``; None for what suits the place.
        offline: score with the downloaded artifact instead of the endpoint.
    """

    designations: tuple[str, ...]
    input_file: Path | None
    output: Path | None
    layout: str | None
    offline: bool


@click.command(
    "predict",
    epilog='Example:  asteroid-ll predict --offline 433 Apophis "2010 PK9"   or   predict -i new.csv -o s.csv',
)
@common
@click.argument("designations", nargs=-1, metavar="[DESIGNATION]...")
@click.option(
    "-i",
    "--input",
    "input_file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="New rows to score: CSV (plain or gzip), .parquet, or - for CSV from stdin.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the scores go; stdout if not given.")
@click.option(
    "--format",
    "layout",
    type=click.Choice(FORMATS),
    help="Of the scores; by the output's suffix if not given, else a table on a terminal and CSV elsewhere.",
)
@click.option("--offline", is_flag=True, help="Score with the downloaded artifact, without an endpoint.")
@click.option("--force", is_flag=True, help="Score the test part again even if that is up to date.")
@click.option("--dry-run", is_flag=True, help="Show whether the stage would run, and why, and stop.")
def predict(
    options: CommonOptions,
    designations: tuple[str, ...],
    input_file: Path | None,
    output: Path | None,
    layout: str | None,
    offline: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Score the test part beside the baselines, or asteroids by DESIGNATION, or the rows of a file.

    A designation is a number (433), a name (Eros) or a provisional designation ("2010 PK9").
    """
    wanted = Wanted(designations, input_file, output, layout, offline)
    if designations and input_file is not None:
        raise ConfigError("Give either designations or --input, not both.", hint="asteroid-ll predict --help")
    if designations or input_file is not None:
        _score(options, wanted)
        return
    if offline or output is not None or layout is not None:
        raise ConfigError(
            f"{'--offline and --output go' if layout is None else '--format goes'} with --input or with designations.",
            hint="asteroid-ll predict --input new.csv --offline",
        )
    forced = ("predict",) if force else ()
    if dry_run:
        show_steps("predict", options, selected=("predict",), forced=forced)
        return
    finish("predict", options, execute("predict", options, selected=("predict",), forced=forced, tear_down=False))


def _score(options: CommonOptions, wanted: Wanted) -> None:
    """Score asteroids or the rows of a file, and print or write what came of each."""
    from asteroid_ll.pipeline.project import open_pipeline
    from asteroid_ll.scoring.new_rows import fitted_features, new_row_scorer, score_batches
    from asteroid_ll.scoring.writer import Collected, format_of, open_writer

    console = Console(as_json=options.as_json)
    layout = wanted.layout or format_of(wanted.output, is_terminal=sys.stdout.isatty())
    collected = Collected()
    with open_pipeline(options.config, options.workdir, command="predict", exclusive=False) as pipeline:
        context = pipeline.context("predict")
        features = fitted_features(context)
        scorer = new_row_scorer(context, offline=wanted.offline)
        with (
            _open_source(context, wanted, columns=features.inputs) as source,
            nullcontext(collected)
            if options.as_json and wanted.output is None
            else open_writer(layout, output=wanted.output, line=console.line) as writer,
        ):
            tally = score_batches(
                source.batches,
                writer,
                features=features,
                scorer=scorer,
                threshold=context.config.predict.threshold,
                progress=lambda n_rows: _show_progress(console, source, n_rows=n_rows),
            )
        still_open = pipeline.snapshot().open
    if wanted.output is not None or tally.n_errors:
        console.note(_told(tally, wanted.output))
    if options.as_json:
        console.envelope(
            "predict",
            status="success",
            stages=[],
            metrics=tally.to_json(),
            predictions=collected.rows,
            billing={"open": open_json(still_open)},
        )


def _open_source(context: Context, wanted: Wanted, *, columns: Sequence[str]) -> AbstractContextManager[RowSource]:
    from asteroid_ll.scoring.designation import look_up
    from asteroid_ll.scoring.reader import RowSource, open_rows

    if wanted.input_file is not None:
        return open_rows(wanted.input_file, columns=columns)
    return nullcontext(RowSource(iter([look_up(context, wanted.designations, columns=columns)])))


def _show_progress(console: Console, source: RowSource, *, n_rows: int) -> None:
    """Say how far it is, where there is more to come than one batch."""
    from asteroid_ll.scoring.reader import BATCH_ROWS

    share = source.share_read()
    if n_rows % BATCH_ROWS == 0 and share != 1:
        console.stage_progress("predict", f"{n_rows:,} rows" + ("" if share is None else f" ({share:.0%})"))


def _told(tally: Tally, output: Path | None) -> str:
    """The outcome in one line, with the first reason where a row has no score."""
    scored = f"{tally.n_scored:,}" if not tally.n_errors else f"{tally.n_scored:,} of {tally.n_rows:,}"
    text = f"{scored} rows scored, {tally.n_hazardous:,} hazardous"
    text += f": {output}" if output is not None else "."
    if tally.n_errors:
        text += f"\nNot scored: {tally.n_errors:,}; the column error says why. {tally.first_error}."
    return text
