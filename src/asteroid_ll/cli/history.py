"""``runs list`` and ``runs diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import JSON_VARIABLE
from asteroid_ll.pipeline.history import PastRun, comparable_run, runs_below
from asteroid_ll.run.identity import differences, shown

_json_option = click.option(
    "--json", "as_json", envvar=JSON_VARIABLE, is_flag=True, help="Print one JSON object on stdout."
)
_directory = click.Path(path_type=Path, file_okay=False)


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


@runs.command("diff", epilog="Example:  asteroid-ll runs diff asteroid-run another-run")
@click.argument("a", type=_directory)
@click.argument("b", type=_directory)
@_json_option
def diff(a: Path, b: Path, as_json: bool) -> None:
    """Show the differences between the configurations and the scores of two run directories."""
    (ours, our_scores), (theirs, their_scores) = comparable_run(a), comparable_run(b)
    settings = list(differences(ours.config, theirs.config))
    names = [name for name in our_scores if isinstance(our_scores[name], int | float) and name in their_scores]
    changed = [name for name in names if our_scores[name] != their_scores[name]]
    console = Console(as_json=as_json)
    if as_json:
        console.envelope(
            "runs diff",
            runs=[ours.run, theirs.run],
            configuration=[{"key": item.key, "a": item.value, "b": item.other} for item in settings],
            metrics={name: {"a": our_scores[name], "b": their_scores[name]} for name in names},
        )
        return
    if not settings and not changed:
        console.line("The configurations and the scores are the same.")
        return
    rows = [(item.key, shown(item.value), shown(item.other)) for item in settings]
    rows += [(name, _number(our_scores[name]), _number(their_scores[name])) for name in changed]
    console.table([("", str(a), str(b)), *rows])


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


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"
