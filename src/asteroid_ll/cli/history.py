"""``runs list`` and ``runs diff``."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import WIDTH
from asteroid_ll.cli.options import JSON_VARIABLE
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.pipeline.commands import pasteable
from asteroid_ll.pipeline.history import PastRun, runs_below

if TYPE_CHECKING:
    from asteroid_ll.report.compared import Comparison

_json_option = click.option(
    "--json", "as_json", envvar=JSON_VARIABLE, is_flag=True, help="Print one JSON object on stdout."
)
_directory = click.Path(path_type=Path, file_okay=False)
_file = click.Path(path_type=Path, dir_okay=False)


@click.group("runs", epilog="Example:  asteroid-ll runs list")
def runs() -> None:
    """The runs of a folder: their identities, their scores, and their differences."""


@runs.command("list", epilog="Example:  asteroid-ll runs list experiments")
@click.argument("folder", type=_directory, default=Path())
@_json_option
def list_runs(folder: Path, as_json: bool) -> None:
    """List the run directories in FOLDER and below it; without FOLDER, those of the current folder."""
    past = list(runs_below(folder))
    console = Console(as_json=as_json)
    if as_json:
        console.envelope("runs list", runs=[_as_json(run) for run in past])
    elif past:
        heading = ("Directory", "Run", "Target", "Changed", "Status", "F1")
        console.table([heading, *map(_row, past)], left=(1, 2, 3, 4))
    else:
        console.line(f"There is no run directory in {folder.absolute()}.")


@runs.command("diff", epilog="Example:  asteroid-ll runs diff asteroid-run another-run --open")
@click.argument("directories", type=_directory, nargs=-1, required=True, metavar="A B [C]...")
@click.option("--open", "open_it", is_flag=True, help="Open the comparison in the browser as one HTML file.")
@click.option("-o", "--output", type=_file, help="Where the HTML file goes; with --open, runs-diff.html by default.")
@_json_option
def diff(directories: tuple[Path, ...], open_it: bool, output: Path | None, as_json: bool) -> None:
    """Show the differences between the configurations and the scores of run directories.

    The others are compared with A. On the same test rows the intervals of the differences are paired.
    """
    from asteroid_ll.report.compared import MOST_RUNS, compare

    if not 2 <= len(directories) <= MOST_RUNS:
        raise ConfigError(
            f"runs diff compares 2 to {MOST_RUNS} run directories, not {len(directories)}.",
            hint="asteroid-ll runs list   shows the run directories below this folder.",
        )
    console = Console(as_json=as_json)
    with _commands_of_the_damaged_run(directories):
        comparison = compare(directories)
        if open_it or output is not None:
            _write_page(comparison, output or Path("runs-diff.html"), open_it=open_it, console=console)
        if as_json:
            console.envelope("runs diff", **comparison.to_json())
        else:
            _show(comparison, console)


@contextmanager
def _commands_of_the_damaged_run(directories: Sequence[Path]) -> Iterator[None]:
    """Add the run directory whose file is damaged to the commands of an error."""
    try:
        yield
    except DataError as error:
        for directory in directories:
            if error.what.startswith(f"{directory}{os.sep}"):
                hint = pasteable(error.hint, workdir=directory, configuration=tuple)
                raise DataError(error.what, hint=hint, **error.context) from error
        raise


def _write_page(comparison: Comparison, path: Path, *, open_it: bool, console: Console) -> None:
    from asteroid_ll.report.comparison import comparison_document
    from asteroid_ll.report.html import render_html
    from asteroid_ll.run.atomic import atomic_write

    atomic_write(path, render_html(comparison_document(comparison)).encode(), private=True)
    if open_it and not webbrowser.open(path.absolute().as_uri()):
        console.note("No browser could be opened.")
    console.note(f"The comparison is {path}")


def _show(comparison: Comparison, console: Console) -> None:
    from asteroid_ll.report import comparison_tables as tables

    settings, changed = tables.setting_rows(comparison), tables.changed_metric_rows(comparison)
    if len(settings) == 1 and not changed:
        console.line("The configurations and the scores are the same.")
        return
    console.table([*settings, *changed], width=WIDTH)
    for run in comparison.runs[1:]:
        if run.letter in comparison.differences:
            console.line()
            console.paragraph(tables.difference_note(comparison, run))
            console.table(tables.difference_rows(comparison.differences[run.letter]), width=WIDTH)


def _row(run: PastRun) -> tuple[str, ...]:
    identity, f1 = run.identity, run.scores.get("f1")
    return (
        str(run.directory),
        identity.run_id if identity else "-",
        identity.target if identity else "-",
        run.changed[:16].replace("T", " ") if run.changed else "-",
        f"{run.status}, {len(run.open)} open" if run.open else run.status,
        "-" if f1 is None else f"{f1:.4f}",
    )


def _as_json(run: PastRun) -> dict[str, Any]:
    identity = run.identity
    return {
        "directory": str(run.directory),
        "run": identity.run if identity else None,
        "target": identity.target if identity else None,
        "region": identity.region if identity else None,
        "account": identity.account if identity else None,
        "began": identity.began if identity else None,
        "changed": run.changed,
        "status": run.status,
        "open": list(run.open),
        "scores": dict(run.scores),
    }
