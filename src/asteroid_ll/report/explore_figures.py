"""The figures of the clean table, for whoever saves them in a format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from asteroid_ll.report.plots import Plot
    from asteroid_ll.report.summary import TableSummary


def draw_table(table: pd.DataFrame, summary: TableSummary, *, label: str) -> list[Plot]:
    """Distributions, class balance, correlations, and magnitude against MOID, in this order.

    Args:
        table: the clean table, canonical or the tutorial's column names.
        summary: its numbers.
        label: the table's name of the label column.
    """
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
