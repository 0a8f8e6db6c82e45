"""``predict``: score the test part, the rows of a file, or asteroids by their designations."""

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
from asteroid_ll.cli.outcomes import open_json, run_stage
from asteroid_ll.errors import AwsError, ConfigError
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from asteroid_ll.formats.payload import Scores
    from asteroid_ll.scoring.new_rows import Tally
    from asteroid_ll.scoring.reader import RowSource
    from asteroid_ll.scoring.scorers import Scorer
    from asteroid_ll.stages.stage import Context

FORMATS = ("table", "csv", "jsonl", "parquet")
_NO_ENDPOINT = "--offline   scores with the downloaded model;   asteroid-ll deploy   makes an endpoint."


@dataclass(frozen=True)
class ScoringRequest:
    """Rows to score, and the place of the scores.

    Attributes:
        designations: asteroids by number, name or provisional designation; empty for the rows of a file.
        input_file: file with new rows, ``-`` for stdin.
        output: file for the scores; None for stdout.
        layout: one of ``FORMATS``; None for the default of the place.
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
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File for the scores; default: stdout.")
@click.option(
    "--format",
    "layout",
    type=click.Choice(FORMATS),
    help="Format of the scores; default: by the suffix of --output, else a table on a terminal and CSV elsewhere.",
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
    request = ScoringRequest(designations, input_file, output, layout, offline)
    if designations and input_file is not None:
        raise ConfigError("Give either designations or --input, not both.", hint="asteroid-ll predict --help")
    if designations or input_file is not None:
        _score(options, request)
        return
    if offline or output is not None or layout is not None:
        raise ConfigError(
            f"{'--offline and --output go' if layout is None else '--format goes'} with --input or with designations.",
            hint="asteroid-ll predict --input new.csv --offline",
        )
    run_stage("predict", options, force=force, dry_run=dry_run)


def _score(options: CommonOptions, request: ScoringRequest) -> None:
    """Score asteroids or the rows of a file, and print or write the scores."""
    from asteroid_ll.neo.features import FittedFeatures
    from asteroid_ll.pipeline.project import open_pipeline
    from asteroid_ll.scoring.new_rows import score_batches
    from asteroid_ll.scoring.writer import Collected, format_of, open_writer

    console = Console(as_json=options.as_json)
    layout = request.layout or format_of(request.output, is_terminal=sys.stdout.isatty())
    collected = Collected()
    with open_pipeline(options.config, options.workdir, command="predict", exclusive=False) as pipeline:
        context = pipeline.context("predict")
        features = FittedFeatures.from_json(read_json(context.path(paths.FEATURES)))
        scorer = _scorer(context, offline=request.offline)
        with (
            _open_source(context, request, columns=features.inputs) as source,
            nullcontext(collected)
            if options.as_json and request.output is None
            else open_writer(layout, output=request.output, line=console.line) as writer,
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
    if request.output is not None or tally.n_errors:
        console.note(_summary(tally, request.output))
    if options.as_json:
        console.envelope(
            "predict",
            status="success",
            stages=[],
            metrics=tally.to_json(),
            predictions=collected.rows,
            billing={"open": open_json(still_open)},
        )


def _scorer(context: Context, *, offline: bool) -> Scorer:
    """Return a scorer with the artifact or with the endpoint, which is looked up when the first row is scored."""
    from asteroid_ll.scoring.scorers import endpoint_scorer, offline_scorer

    if offline:
        return offline_scorer(context.path(paths.ARTIFACT))

    def score(features: NDArray[np.float32]) -> Scores:
        try:
            return endpoint_scorer(
                context.connect,
                directory=context.directory,
                journal=context.journal,
                model=context.inputs["train"],
                settings=context.config.predict,
            )(features)
        except AwsError as error:
            raise AwsError(error.what, hint=_NO_ENDPOINT) from error

    return score


def _open_source(
    context: Context, request: ScoringRequest, *, columns: Sequence[str]
) -> AbstractContextManager[RowSource]:
    from asteroid_ll.scoring.designation import look_up
    from asteroid_ll.scoring.reader import RowSource, open_rows

    if request.input_file is not None:
        return open_rows(request.input_file, columns=columns)
    batch = look_up(context.directory, request.designations, columns=columns, source=context.config.source)
    return nullcontext(RowSource(iter([batch])))


def _show_progress(console: Console, source: RowSource, *, n_rows: int) -> None:
    """Show the progress after each full batch that is not the last."""
    from asteroid_ll.scoring.reader import BATCH_ROWS

    share = source.share_read()
    if n_rows % BATCH_ROWS == 0 and share != 1:
        console.stage_progress("predict", f"{n_rows:,} rows" + ("" if share is None else f" ({share:.0%})"))


def _summary(tally: Tally, output: Path | None) -> str:
    """Return the outcome in one line, and the first error if a row has no score."""
    scored = f"{tally.n_scored:,}" if not tally.n_errors else f"{tally.n_scored:,} of {tally.n_rows:,}"
    text = f"{scored} rows scored, {tally.n_hazardous:,} hazardous"
    text += f": {output}" if output is not None else "."
    if tally.n_errors:
        text += f"\nNot scored: {tally.n_errors:,}; the column error has the reasons. {tally.first_error}."
    return text
