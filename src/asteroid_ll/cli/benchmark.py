"""``benchmark``: the bundled catalogue as a benchmark, for this project's models and for the predictions of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import JSON_VARIABLE
from asteroid_ll.errors import ConfigError

if TYPE_CHECKING:
    from asteroid_ll.evaluation.benchmark import Entry
    from asteroid_ll.pipeline.benchmark import Benchmark

_NOTHING = "-"


@click.command(
    "benchmark", epilog="Example:  asteroid-ll benchmark\n          asteroid-ll benchmark --predictions theirs.csv"
)
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The 40-column NeoWs export of 2017, for the ceiling of the label and the split by row.",
)
@click.option(
    "--predictions",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="CSV with designation, and score or hazardous, for every asteroid; - for stdin. Only it is scored.",
)
@click.option(
    "--write-folds",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every designation with its fold as CSV, and stop.",
)
@click.option("--json", "as_json", envvar=JSON_VARIABLE, is_flag=True, help="Print one JSON object on stdout.")
def benchmark(export: Path | None, predictions: Path | None, write_folds: Path | None, as_json: bool) -> None:
    """Score models, baselines and the rule on the bundled catalogue, with ceilings and leaks.

    Each asteroid is scored once, by a model that was trained on the other four of five folds.
    """
    from asteroid_ll.pipeline import benchmark as computation

    if sum(option is not None for option in (export, predictions, write_folds)) > 1:
        raise ConfigError("Give one of --export, --predictions and --write-folds.", hint="asteroid-ll benchmark --help")
    console = Console(as_json=as_json)
    if write_folds is not None:
        n_rows = computation.write_folds(write_folds)
        console.note(f"{n_rows:,} asteroids with their folds: {write_folds}")
        if as_json:
            console.envelope("benchmark", folds=str(write_folds), n_rows=n_rows)
        return
    result = (
        computation.run_benchmark(export, progress=lambda line: console.stage_progress("benchmark", line))
        if predictions is None
        else computation.score_theirs(predictions)
    )
    if as_json:
        console.envelope("benchmark", metrics=result.to_json(), findings=computation.sentences(result))
        return
    _show(console, result, computation.sentences(result))


def _show(console: Console, result: Benchmark, sentences: list[str]) -> None:
    console.paragraph(
        f"The hazard flag of {result.n_rows:,} near-Earth asteroids, {result.n_hazardous:,} of them flagged. Five "
        "folds by asteroid; each asteroid is scored once."
    )
    console.line()
    rows: list[tuple[str, ...]] = [("", "AUC", "AP", "F1", "Prec.", "Recall", "R@100")]
    for heading, entries in result.groups.items():
        rows.append((heading, "", "", "", "", "", ""))
        rows += [_row(item) for item in entries]
    console.table(rows)
    for sentence in sentences:
        console.line()
        console.paragraph(sentence)


def _row(item: Entry) -> tuple[str, ...]:
    keys = ("roc_auc", "average_precision", "f1", "precision", "recall")
    values = [*(item.scores[key] for key in keys), item.recall_at_alarms]
    return (f"  {item.title}", *(_NOTHING if value is None else f"{value:.4f}" for value in values))
