"""``predict`` for rows that are not the test part: those of a file, or of asteroids by their designations."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import counted
from asteroid_ll.cli.options import CommonOptions
from asteroid_ll.cli.outcomes import open_json, open_run
from asteroid_ll.errors import AwsError
from asteroid_ll.formats.payload import Scores
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.neo.probability import INPUTS, USUAL, Errors
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json
from asteroid_ll.scoring import reader
from asteroid_ll.scoring.new_rows import Tally, score_batches
from asteroid_ll.scoring.offline import Scorer, offline_scorer
from asteroid_ll.scoring.writer import Collected, format_of, open_writer
from asteroid_ll.stages.stage import Context

_NO_ENDPOINT = (
    "--offline   scores with the downloaded model;   --batch   scores with a batch transform job;   "
    "asteroid-ll deploy   makes an endpoint."
)


@dataclass(frozen=True)
class ScoringRequest:
    """Rows to score, and the place of the scores.

    Attributes:
        designations: asteroids by number, name or provisional designation; empty for the rows of a file.
        input_file: file with new rows, ``-`` for stdin.
        output: file for the scores; None for stdout.
        layout: ``table``, ``csv``, ``jsonl`` or ``parquet``; None for the default of the place.
        offline: score with the downloaded artifact instead of the endpoint.
        in_batch: score with a batch transform job, as ``hosting.mode: batch`` does too.
        sigmas: standard errors of H and MOID.
    """

    designations: tuple[str, ...]
    input_file: Path | None
    output: Path | None
    layout: str | None
    offline: bool
    in_batch: bool = False
    sigmas: Errors = USUAL


def predict_rows(options: CommonOptions, request: ScoringRequest) -> None:
    """Score asteroids or the rows of a file, and print or write the scores."""
    console = Console(as_json=options.as_json)
    layout = request.layout or format_of(request.output, is_terminal=console.is_terminal)
    collected = Collected()
    # A batch transform job is written down in the journal, which needs the lock.
    in_batch = request.in_batch or (not request.offline and options.config.hosting.mode == "batch")
    with open_run(options, command="predict", exclusive=in_batch, in_batch=in_batch) as pipeline:
        context = replace(pipeline.context("predict"), progress=lambda line: console.stage_progress("predict", line))
        features = FittedFeatures.from_json(read_json(context.path(paths.FEATURES)))
        if in_batch:
            pipeline.require_price()
        with (
            _open_scorer(context, request, in_batch=in_batch) as scorer,
            _open_source(context, request, columns=features.inputs, in_batch=in_batch) as source,
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
                sigmas=request.sigmas,
                overlap=not in_batch,
            )
        still_open = open_json(pipeline.snapshot().open) if options.as_json else []
    if request.output is not None or tally.n_errors or tally.n_differ:
        console.note(_summary(tally, request.output))
    if options.as_json:
        console.envelope(
            "predict",
            stages=[],
            metrics=tally.to_json(),
            predictions=collected.rows,
            billing={"open": still_open},
        )


def _open_scorer(context: Context, request: ScoringRequest, *, in_batch: bool) -> AbstractContextManager[Scorer]:
    """Open a scorer with batch transform, the artifact, or the endpoint, which is looked up for the first row."""
    if request.offline:
        return nullcontext(offline_scorer(context.path(paths.ARTIFACT)))
    if in_batch:
        from asteroid_ll.scoring.batch import batch_scorer
        from asteroid_ll.stages.predict import batch_run  # imports pandas

        return batch_scorer(batch_run(context))
    from asteroid_ll.scoring.scorers import endpoint_scorer, max_request_bytes  # imports botocore

    def score(features: NDArray[np.float32]) -> Scores:
        try:
            return endpoint_scorer(
                context.connect,
                directory=context.directory,
                journal=context.journal,
                model=context.inputs["train"],
                settings=context.config.predict,
                max_bytes=max_request_bytes(context.config),
            )(features)
        except AwsError as error:
            raise AwsError(error.what, hint=_NO_ENDPOINT) from error

    return nullcontext(score)


def _open_source(
    context: Context, request: ScoringRequest, *, columns: Sequence[str], in_batch: bool
) -> AbstractContextManager[reader.RowSource]:
    if request.input_file is not None:
        n_rows = reader.TRANSFORM_ROWS if in_batch else None
        return reader.open_rows(request.input_file, columns=columns, optional=INPUTS, batch_rows=n_rows)
    from asteroid_ll.scoring.designation import look_up  # imports pandas

    batch = look_up(
        context.directory, request.designations, columns=columns, source=context.config.source, optional=INPUTS
    )
    return nullcontext(reader.RowSource(iter([batch])))


def _show_progress(console: Console, source: reader.RowSource, *, n_rows: int) -> None:
    """Show the progress after each full batch that is not the last."""
    share = source.share_read()
    if n_rows % reader.BATCH_ROWS == 0 and share != 1:
        console.stage_progress("predict", f"{n_rows:,} rows" + ("" if share is None else f" ({share:.0%})"))


def _summary(tally: Tally, output: Path | None) -> str:
    """Return the outcome in one line, the first error, and the first row in which model and rule differ."""
    scored = counted(tally.n_rows, "row")
    if tally.n_errors:
        scored = f"{tally.n_scored:,} of {scored}"
    text = f"{scored} scored, {tally.n_hazardous:,} hazardous"
    text += f": {output}" if output is not None else "."
    if tally.n_errors:
        text += f"\nNot scored: {tally.n_errors:,}; see the column 'error'. {tally.first_error}."
    if tally.n_differ:
        text += f"\nThe model and the rule differ in {tally.n_differ:,} of them. {tally.first_difference}."
    return text
