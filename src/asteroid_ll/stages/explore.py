"""explore: the clean table in numbers and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asteroid_ll.stages.files import load_table, write_json
from asteroid_ll.stages.stage import Context, Outcome, Stage

if TYPE_CHECKING:
    import pandas as pd

    from asteroid_ll.report.plots import Plot
    from asteroid_ll.report.summary import TableSummary

SUMMARY = "explore/summary.json"
FIGURES = "explore/figures.json"


def run(context: Context) -> Outcome:
    """Write the summary and, unless switched off, a PNG a figure with its alternative text."""
    from asteroid_ll.neo.table import COLUMNS, LABEL, locate
    from asteroid_ll.report.columns import PlainColumn
    from asteroid_ll.report.summary import summarise

    table = load_table(context.path("clean/table.npz"))
    label = locate(table.columns, [LABEL])[LABEL]
    known = [
        PlainColumn(name, column.unit, column.title)
        for column in COLUMNS
        for name in (column.name, column.tutorial_name)
        if name in table.columns
    ]
    summary = summarise(table, known, label=label)
    write_json(context.path(SUMMARY), summary.to_json())
    outputs = [SUMMARY]
    if context.config.report.figures:
        plots = _draw(table, summary, label=label)
        outputs += _save(context, plots)
    pairs = len(summary.identical_pairs)
    figures = max(len(outputs) - 2, 0)
    same = f"{pairs} pair{'' if pairs == 1 else 's'} of columns say{'s' if pairs == 1 else ''} the same"
    return Outcome(outputs=tuple(outputs), note=f"{figures} figures, {same}")


def _draw(table: pd.DataFrame, summary: TableSummary, *, label: str) -> list[Plot]:
    from asteroid_ll.neo.table import find, locate
    from asteroid_ll.report import plots

    h, moid = locate(table.columns, ["absolute_magnitude_mag", "moid_au"]).values()
    labels = table[label].to_numpy()
    panels = [plots.Panel(find(h), table[h].to_numpy()), plots.Panel(find(moid), table[moid].to_numpy(), "log")]
    uncertainty = next((name for name in table.columns if name.startswith("orbit_uncertai")), None)
    if uncertainty is not None:
        panels.append(plots.Panel(find(uncertainty), table[uncertainty].to_numpy(), "integer"))
    return [
        plots.distributions(panels, labels=labels),
        plots.class_balance({"all": labels}),
        plots.correlation_map(summary.correlation, [find(name) for name in summary.correlated_columns]),
        plots.magnitude_moid(table[h].to_numpy(), table[moid].to_numpy(), labels=labels, columns=(find(h), find(moid))),
    ]


def _save(context: Context, drawn: list[Plot]) -> list[str]:
    from asteroid_ll.report.plots import save

    context.path("explore").mkdir(parents=True, exist_ok=True)
    paths = []
    for plot in drawn:
        paths.append(f"explore/{plot.name}.png")
        save(plot.figure, context.path(paths[-1]))
    texts = [{"file": f"{plot.name}.png", "title": plot.title, "alt": plot.alt} for plot in drawn]
    write_json(context.path(FIGURES), {"figures": texts})
    return [*paths, FIGURES]


STAGE = Stage(
    name="explore",
    version=1,
    needs=("clean",),
    settings=lambda config: {"report": {"figures": config.report.figures}},
    run=run,
    summary="Numbers and figures of the clean table.",
)
