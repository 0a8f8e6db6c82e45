"""``explore``: the stage, and its summary on the terminal."""

from __future__ import annotations

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import WIDTH, counted
from asteroid_ll.cli.options import CommonOptions, on_account
from asteroid_ll.cli.outcomes import execute, finish, show_steps
from asteroid_ll.run import paths

_HEAD = 3  # rows, side by side
_WORD, _TEXT = 16, 48  # longest word and longest text of the table that are shown whole


@click.command("explore", epilog="Example:  asteroid-ll explore --dry-run")
@on_account
@click.option("--force", is_flag=True, help="Run it even if it is up to date.")
@click.option("--dry-run", is_flag=True, help="Show whether it would run, and why, and stop.")
def explore(options: CommonOptions, force: bool, dry_run: bool) -> None:
    """Summarise the clean table in numbers and figures."""
    forced = ("explore",) if force else ()
    if dry_run:
        show_steps("explore", options, selected=("explore",), forced=forced)
        return
    result = execute("explore", options, selected=("explore",), forced=forced, tear_down=False)
    if result.error is None and not options.as_json:
        _show(options)
    finish("explore", options, result)


def _show(options: CommonOptions) -> None:
    from asteroid_ll.report import column_tables
    from asteroid_ll.run.files import read_json

    summary = read_json(options.workdir / paths.SUMMARY)
    console = Console()
    hazardous = summary["class"]
    console.paragraph(
        f"{counted(summary['n_rows'], 'row')} x {counted(summary['n_columns'], 'column')}, "
        f"{hazardous['n_positive']:,} hazardous ({100 * hazardous['share_positive']:.1f} %)"
    )
    statistics = column_tables.statistics_rows(summary)
    for rows, left in (
        ([(row[0], *map(short, row[1 : 1 + _HEAD])) for row in column_tables.head_rows(summary)], ()),
        (column_tables.type_rows(summary), (1, 2)),
        ([(row[0], *row[1:4], row[-1]) for row in statistics], ()),
        ([(row[0], *row[4:7]) for row in statistics], ()),
        ([(row[0], short(row[1]), *row[2:]) for row in column_tables.count_rows(summary)], ()),
    ):
        console.line()
        console.table(rows, width=WIDTH, left=left)
    console.line()
    console.paragraph(column_tables.SHAPES)
    for name, text in column_tables.shape_rows(summary)[1:]:
        console.paragraph(f"  {name}: {text}")
    console.line()
    console.paragraph(f"Everything, the correlations included, is in {options.workdir / paths.SUMMARY}.")


def short(text: str) -> str:
    """Return a text of the table without control characters, its words short enough for three columns of them."""
    words = (text if text.isprintable() else ascii(text)).split(" ")
    whole = " ".join(word if len(word) <= _WORD else f"{word[: _WORD - 3]}..." for word in words)
    return whole if len(whole) <= _TEXT else f"{whole[: _TEXT - 3]}..."
