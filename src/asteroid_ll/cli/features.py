"""``features list`` and ``features show``."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import Any

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import counted
from asteroid_ll.cli.options import CommonOptions, OutputFile, common
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.feature_sets import SUMMARIES, choices, require_name
from asteroid_ll.neo.table import COLUMNS
from asteroid_ll.run import paths
from asteroid_ll.run.csv_text import Lines
from asteroid_ll.run.files import read_json


@click.group("features", epilog="Example:  asteroid-ll features show no-label-inputs")
def features() -> None:
    """Show the columns that each feature set uses, and why it does not use the others."""


@features.command("list", epilog="Example:  asteroid-ll features list")
@common
def list_sets(options: CommonOptions) -> None:
    """List the feature sets and mark the configured one."""
    chosen = options.config.features.set
    console = Console(as_json=options.as_json)
    if options.as_json:
        sets = [{"name": name, "summary": text, "chosen": name == chosen} for name, text in SUMMARIES.items()]
        console.envelope("features list", sets=sets)
        return
    rows = [(f"{'*' if name == chosen else ' '} {name}", text) for name, text in SUMMARIES.items()]
    console.records(rows, heading=("  Set", "Columns"))


@features.command(
    "show",
    epilog="Example:  asteroid-ll features show clean\n          asteroid-ll features show --template -o mine.csv",
)
@click.argument("name", required=False)
@click.option(
    "--template",
    "as_template",
    is_flag=True,
    help="Print a CSV to fill with your rows: the columns that the set needs, and examples. "
    "Without NAME, for the configured set.",
)
@click.option("-o", "--output", type=OutputFile(), help="File for the template; default: -, which is stdout.")
@common
def show(options: CommonOptions, name: str | None, as_template: bool, output: Path | None) -> None:
    """Show a feature set, column by column.

    Without NAME, show the fitted set of the run directory.
    """
    if as_template:
        _show_template(options, name, output)
    elif output is not None:
        words = ["features", "show", *([name] if name else []), "--template", "-o", shlex.quote(str(output))]
        raise ConfigError("--output goes with --template.", hint=f"asteroid-ll {' '.join(words)}")
    elif name is None:
        _show_fitted(options)
    else:
        _show_recipe(options, name)


def _show_recipe(options: CommonOptions, name: str) -> None:
    require_name(name)
    column_choices = choices(name, [column.name for column in COLUMNS])
    console = Console(as_json=options.as_json)
    if options.as_json:
        columns = [
            {"name": c.column.name, "unit": c.column.unit, "taken": c.taken, "why": c.why} for c in column_choices
        ]
        console.envelope("features show", set=name, summary=SUMMARIES[name], columns=columns)
        return
    console.paragraph(f"{name}: {SUMMARIES[name]}")
    rows = [("used" if c.taken else "", c.column.name, c.why or c.column.unit) for c in column_choices]
    console.records(rows, heading=("", "Column", "Unit, or the reason why it is not used"))


def _show_template(options: CommonOptions, name: str | None, output: Path | None) -> None:
    """Print or write the columns of a set with example rows. An existing file may have rows, so it is not changed."""
    from asteroid_ll.neo.template import template

    chosen = name or options.config.features.set
    require_name(chosen)
    made = template(chosen)
    header = [column.name for column in made.columns]
    console = Console(as_json=options.as_json)
    lines: list[str] = []
    csv.writer(Lines(lines.append)).writerows([header, *made.rows])
    if output is not None:
        _write_new(output, "".join(lines))
    if options.as_json:
        columns = [{"name": column.name, "unit": column.unit} for column in made.columns]
        written = None if output is None else str(output)
        console.envelope("features show", set=chosen, columns=columns, rows=made.rows, output=written)
    elif output is None:
        for line in lines:
            console.line(line.removesuffix("\n"))
    else:
        rows = counted(len(made.rows), "example row")
        console.note(f"{output}: {counted(len(header), 'column')}, {rows} of the catalogue.")


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        hint = "asteroid-ll features show --template -o another.csv"
        raise ConfigError(f"{path} already exists.", hint=hint) from None
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}.", hint="Choose another path.") from None


def _show_fitted(options: CommonOptions) -> None:
    from asteroid_ll.neo.features import FittedFeatures

    path = options.workdir / paths.FEATURES
    if not path.is_file():
        raise DataError(
            f"{options.workdir} has no fitted feature set.",
            hint="asteroid-ll run-all --until encode   fits one;   asteroid-ll features list   lists all.",
        )
    fitted = FittedFeatures.from_json(read_json(path))
    console = Console(as_json=options.as_json)
    if options.as_json:
        console.envelope("features show", set=fitted.name, fitted=fitted.to_json())
        return
    console.line(f"{fitted.name}: {counted(len(fitted.columns), 'feature')} of {counted(len(fitted.inputs), 'column')}")
    for line in _lines(fitted.to_json()):
        console.line(line)


def _lines(fitted: dict[str, Any]) -> list[str]:
    """Return one line per input column, piecewise-linear variable and reference."""
    lines = [f"input      {name}" for name in fitted["inputs"]]
    lines += [
        f"variable   {name}: {len(knots)} knots from {knots[0]:.6g} to {knots[-1]:.6g}"
        for name, knots in fitted["knots"].items()
    ]
    return lines + [f"reference  {name}: {value:.10g}" for name, value in fitted["references"].items()]
