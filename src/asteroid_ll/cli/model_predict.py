"""``model predict``: score rows of features with an artifact alone, without a run and without an endpoint."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from asteroid_ll.cli.artifacts import artifact_option, open_model
from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import counted
from asteroid_ll.cli.options import Choice, CommonOptions, OutputFile, common
from asteroid_ll.cli.predict import FORMATS


@click.command("predict", epilog="Example:  asteroid-ll model predict --artifact model.tar.gz -i rows.csv")
@common
@artifact_option
@click.option(
    "-i",
    "--input",
    "input_file",
    type=click.Path(path_type=Path, allow_dash=True),
    required=True,
    help="Rows to score: CSV (plain or gzip), .parquet, or - for CSV from stdin.",
)
@click.option("-o", "--output", type=OutputFile(), help="File for the scores; default: -, which is stdout.")
@click.option(
    "--format",
    "layout",
    type=Choice(FORMATS),
    help="Format of the scores; default: by the suffix of --output, else a table on a terminal and CSV elsewhere.",
)
@click.option("--id-column", help="A column that is not a feature and is copied to the scores.")
@click.option(
    "--header/--no-header",
    "has_header",
    default=None,
    help="Whether the first line has names; default: yes if none of its cells is a number.",
)
def predict(
    options: CommonOptions,
    artifact: Path | None,
    input_file: Path,
    output: Path | None,
    layout: str | None,
    id_column: str | None,
    has_header: bool | None,
) -> None:
    """Score rows with a model file alone.

    The columns of the file are the model's features, in order. The answers are those of the model's endpoint. A row
    that an endpoint would refuse ends the command.
    """
    from asteroid_ll.scoring.matrix import answers, ids_of, open_matrix
    from asteroid_ll.scoring.writer import Collected, format_of, open_writer

    console = Console(as_json=options.as_json)
    model = open_model(options, artifact)
    layout = layout or format_of(output, is_terminal=console.is_terminal)
    is_envelope = options.as_json and output is None
    is_flat = not is_envelope and layout != "jsonl"
    collected = Collected()
    n_rows = 0
    with (
        open_matrix(input_file, n_features=model.feature_dim, id_column=id_column, has_header=has_header) as blocks,
        nullcontext(collected) if is_envelope else open_writer(layout, output=output, line=console.line) as writer,
    ):
        for block in blocks:
            columns = answers(model.predict(block.features), is_flat=is_flat)
            writer.write({**ids_of(block, id_column, beside=columns), **columns})
            n_rows += len(block.features)
    if output is not None:
        console.note(f"{counted(n_rows, 'row')} scored: {output}")
    if options.as_json:
        console.envelope("model predict", metrics={"n_rows": n_rows}, predictions=collected.rows)
