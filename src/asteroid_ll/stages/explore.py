"""explore: a summary and figures of the clean table."""

from __future__ import annotations

from asteroid_ll.formats.table import StoredTable
from asteroid_ll.neo.table import LABEL, locate
from asteroid_ll.report.picture import ReportFigure
from asteroid_ll.report.summary import summarise
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import atomic_write
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome

_ORDER = ("distributions", "class-balance", "correlation", "magnitude-moid")


def run(context: Context) -> Outcome:
    """Write the summary and, unless switched off, the figures as PNG with their alternative texts."""
    path = context.path(paths.CLEANED_TABLE)
    table = StoredTable(path)
    label = locate(table.columns, [LABEL])[LABEL]
    draws = context.config.report.figures
    # Another process draws while this one summarises.
    of_columns = context.drawing.ask("table_plots.figures_of_columns", path, label) if draws else dict
    summary = summarise(table, label=label)
    of_summary = context.drawing.ask("table_plots.figures_of_summary", summary) if draws else dict
    write_json(context.path(paths.SUMMARY), summary.to_json())
    context.idle()
    figures = of_columns() | of_summary()
    n_pairs = len(summary.identical_pairs)
    return Outcome(
        outputs=(paths.SUMMARY, *_save(context, figures)),
        note=f"{len(figures)} figures, {n_pairs} pair{'' if n_pairs == 1 else 's'} of duplicate columns",
    )


def _save(context: Context, figures: dict[str, ReportFigure]) -> list[str]:
    if not figures:
        return []
    files = [f"explore/{name}.png" for name in _ORDER]
    for name, file in zip(_ORDER, files, strict=True):
        atomic_write(context.path(file), figures[name].content)
    texts = [{"file": f"{name}.png", "title": figures[name].title, "alt": figures[name].alt} for name in _ORDER]
    write_json(context.path(paths.EXPLORE_FIGURES), {"figures": texts})
    return [*files, paths.EXPLORE_FIGURES]
