"""explore: the clean table in numbers and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asteroid_ll.formats.table import load_table
from asteroid_ll.report.explore_figures import draw_table
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome

if TYPE_CHECKING:
    from asteroid_ll.report.plots import Plot


def run(context: Context) -> Outcome:
    """Write the summary and, unless switched off, a PNG a figure with its alternative text."""
    from asteroid_ll.neo.table import COLUMNS, LABEL, locate
    from asteroid_ll.report.columns import PlainColumn
    from asteroid_ll.report.summary import summarise

    table = load_table(context.path(paths.CLEANED_TABLE))
    label = locate(table.columns, [LABEL])[LABEL]
    known = [
        PlainColumn(name, column.unit, column.title)
        for column in COLUMNS
        for name in (column.name, column.tutorial_name)
        if name in table.columns
    ]
    summary = summarise(table, known, label=label)
    write_json(context.path(paths.SUMMARY), summary.to_json())
    outputs = [paths.SUMMARY]
    if context.config.report.figures:
        plots = draw_table(table, summary, label=label)
        outputs += _save(context, plots)
    pairs = len(summary.identical_pairs)
    figures = max(len(outputs) - 2, 0)
    same = f"{pairs} pair{'' if pairs == 1 else 's'} of columns say{'s' if pairs == 1 else ''} the same"
    return Outcome(outputs=tuple(outputs), note=f"{figures} figures, {same}")


def _save(context: Context, drawn: list[Plot]) -> list[str]:
    from asteroid_ll.report.plots import save

    context.path("explore").mkdir(parents=True, exist_ok=True)
    figures = []
    for plot in drawn:
        figures.append(f"explore/{plot.name}.png")
        save(plot.figure, context.path(figures[-1]))
    texts = [{"file": f"{plot.name}.png", "title": plot.title, "alt": plot.alt} for plot in drawn]
    write_json(context.path(paths.EXPLORE_FIGURES), {"figures": texts})
    return [*figures, paths.EXPLORE_FIGURES]
