"""explore: a summary and figures of the clean table."""

from __future__ import annotations

from asteroid_ll.formats.table import StoredTable
from asteroid_ll.neo.table import LABEL, locate
from asteroid_ll.report.style import Plot, save
from asteroid_ll.report.summary import summarise
from asteroid_ll.report.table_plots import draw_table
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome


def run(context: Context) -> Outcome:
    """Write the summary and, unless switched off, the figures as PNG with their alternative texts."""
    table = StoredTable(context.path(paths.CLEANED_TABLE))
    label = locate(table.columns, [LABEL])[LABEL]
    summary = summarise(table, label=label)
    write_json(context.path(paths.SUMMARY), summary.to_json())
    plots = draw_table(table, summary, label=label) if context.config.report.figures else []
    n_pairs = len(summary.identical_pairs)
    return Outcome(
        outputs=(paths.SUMMARY, *_save(context, plots)),
        note=f"{len(plots)} figures, {n_pairs} pair{'' if n_pairs == 1 else 's'} of duplicate columns",
    )


def _save(context: Context, plots: list[Plot]) -> list[str]:
    if not plots:
        return []
    files = [f"explore/{plot.name}.png" for plot in plots]
    for plot, file in zip(plots, files, strict=True):
        save(plot.figure, context.path(file))
    texts = [{"file": f"{plot.name}.png", "title": plot.title, "alt": plot.alt} for plot in plots]
    write_json(context.path(paths.EXPLORE_FIGURES), {"figures": texts})
    return [*files, paths.EXPLORE_FIGURES]
