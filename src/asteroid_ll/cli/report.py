"""``report``: the stage, with the options to open the page and to write the figures as SVG."""

from __future__ import annotations

import webbrowser

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import counted
from asteroid_ll.cli.options import CommonOptions, common
from asteroid_ll.cli.outcomes import execute, finish, open_run, show_steps
from asteroid_ll.errors import ConfigError
from asteroid_ll.run import paths


@click.command("report", epilog="Example:  asteroid-ll report --open")
@common
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser.")
@click.option("--svg", is_flag=True, help="Write its figures as SVG too.")
@click.option("--force", is_flag=True, help="Write it again even if it is up to date.")
@click.option("--dry-run", is_flag=True, help="Show whether it would be written, and why, and stop.")
def report(options: CommonOptions, open_it: bool, svg: bool, force: bool, dry_run: bool) -> None:
    """Write the results as one HTML file, the same numbers as JSON, and the figures as PNG."""
    forced = ("report",) if force else ()
    if dry_run:
        show_steps("report", options, selected=("report",), forced=forced)
        return
    result = execute("report", options, selected=("report",), forced=forced, tear_down=False)
    if result.error is None and svg:
        _write_svg(options)
    if result.error is None and open_it:
        _open(options)
    finish("report", options, result)


def _write_svg(options: CommonOptions) -> None:
    from asteroid_ll.report.figures import save_svg
    from asteroid_ll.stages.report import report_inputs

    with open_run(options, command="report") as pipeline:
        figures = save_svg(report_inputs(pipeline.context("report")))
    Console(as_json=options.as_json).note(f"{counted(len(figures), 'figure')} as SVG in {figures[0].parent}")


def _open(options: CommonOptions) -> None:
    path = options.workdir.absolute() / paths.REPORT_HTML
    if not path.is_file():
        raise ConfigError("No report was written, because report.html is false.", hint="Set report.html to true.")
    if not webbrowser.open(path.as_uri()):
        Console(as_json=options.as_json).note(f"No browser could be opened. The report is {path}")
