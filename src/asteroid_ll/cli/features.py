"""``features list | show``."""

from __future__ import annotations

from typing import Any

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import CommonOptions, common
from asteroid_ll.errors import DataError
from asteroid_ll.run import paths


@click.group("features", epilog="Example:  asteroid-ll features show no-label-inputs")
def features() -> None:
    """What each feature set takes of a table, and why not the rest."""


@features.command("list", epilog="Example:  asteroid-ll features list")
@common
def list_sets(options: CommonOptions) -> None:
    """List the feature sets, the configured one marked."""
    from asteroid_ll.neo.feature_sets import SUMMARIES

    chosen = options.config.features.set
    console = Console(as_json=options.as_json)
    if options.as_json:
        sets = [{"name": name, "summary": text, "chosen": name == chosen} for name, text in SUMMARIES.items()]
        console.envelope("features list", status="success", sets=sets)
        return
    width = max(map(len, SUMMARIES))
    for name, text in SUMMARIES.items():
        console.line(f"{'*' if name == chosen else ' '} {name:<{width}}  {text}")


@features.command("show", epilog="Example:  asteroid-ll features show clean")
@click.argument("name", required=False)
@common
def show(options: CommonOptions, name: str | None) -> None:
    """Show a set column by column; without a name, the fitted set of the run directory."""
    if name is None:
        _show_fitted(options)
    else:
        _show_recipe(options, name)


def _show_recipe(options: CommonOptions, name: str) -> None:
    from asteroid_ll.neo.feature_sets import SUMMARIES, choices, require_name
    from asteroid_ll.neo.table import COLUMNS

    require_name(name)
    told = choices(name, [column.name for column in COLUMNS])
    console = Console(as_json=options.as_json)
    if options.as_json:
        columns = [{"name": c.column.name, "unit": c.column.unit, "taken": c.taken, "why": c.why} for c in told]
        console.envelope("features show", status="success", set=name, summary=SUMMARIES[name], columns=columns)
        return
    console.line(f"{name}: {SUMMARIES[name]}")
    width = max(len(choice.column.name) for choice in told)
    for choice in told:
        mark = "takes" if choice.taken else "     "
        console.line(f"{mark}  {choice.column.name:<{width}}  {choice.why or choice.column.unit}".rstrip())


def _show_fitted(options: CommonOptions) -> None:
    from asteroid_ll.neo.features import FittedFeatures
    from asteroid_ll.run.files import read_json

    path = options.workdir / paths.FEATURES
    if not path.is_file():
        raise DataError(
            f"{options.workdir} has no fitted feature set.",
            hint="asteroid-ll run-all --until encode   makes one;   asteroid-ll features list   names all.",
        )
    fitted = FittedFeatures.from_json(read_json(path))
    console = Console(as_json=options.as_json)
    if options.as_json:
        console.envelope("features show", status="success", set=fitted.name, fitted=fitted.to_json())
        return
    console.line(f"{fitted.name}: {len(fitted.columns)} features of {len(fitted.inputs)} columns")
    for line in _lines(fitted.to_json()):
        console.line(line)


def _lines(fitted: dict[str, Any]) -> list[str]:
    """A line an input column, then a line a piecewise-linear variable or a reference."""
    lines = [f"input      {name}" for name in fitted["inputs"]]
    lines += [
        f"variable   {name}: {len(knots)} knots from {knots[0]:.6g} to {knots[-1]:.6g}"
        for name, knots in fitted["knots"].items()
    ]
    return lines + [f"reference  {name}: {value:.10g}" for name, value in fitted["references"].items()]
