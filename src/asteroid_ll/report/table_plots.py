"""Figures of the table: distributions, class balance, correlations, and the two columns that define the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.evaluation.shape import shape_of
from asteroid_ll.formats.columns import Columns
from asteroid_ll.formats.table import StoredTable
from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
from asteroid_ll.neo.table import find, locate
from asteroid_ll.report.picture import HISTOGRAM_WIDTH_IN, ReportFigure
from asteroid_ll.report.quantities import Quantity, quantity
from asteroid_ll.report.style import INK, MUTED, NEGATIVE, POSITIVE, Plot, add_axes, drawn, new_figure, theme
from asteroid_ll.report.summary import TableSummary

MOST_POINTS = 100_000
"""Most points of a scatter plot: more of them hide each other, and take long to draw."""

_BINS = 48
_HAZARDOUS, _OTHER = "hazardous", "not hazardous"


@dataclass(frozen=True)
class Panel:
    """One histogram.

    Attributes:
        quantity: the quantity on the axis.
        values: one number per row, shape ``(n_rows,)``; NaN if missing.
        scale: ``linear``, ``log`` (values that are not positive are left out and counted), or ``integer`` (one bar per
            value, for codes such as the orbit's uncertainty 0 to 9).
    """

    quantity: Quantity
    values: ArrayLike
    scale: Literal["linear", "log", "integer"] = "linear"


def draw_columns(table: Columns, *, label: str) -> list[Plot]:
    """Draw distributions, class balance, and magnitude against MOID, in this order.

    Args:
        table: the clean table, with canonical or the tutorial's column names.
        label: the table's name of the label column.
    """
    h, moid = locate(table.columns, ["absolute_magnitude_mag", "moid_au"]).values()
    labels = table[label].to_numpy() == 1
    panels = [Panel(quantity(h), table[h].to_numpy()), Panel(quantity(moid), table[moid].to_numpy(), "log")]
    uncertainty = next((name for name in table.columns if name.startswith("orbit_uncertai")), None)
    if uncertainty is not None:
        panels.append(Panel(quantity(uncertainty), table[uncertainty].to_numpy(), "integer"))
    return [
        distributions(panels, labels=labels),
        class_balance({"all": labels}),
        magnitude_moid(table[h].to_numpy(), table[moid].to_numpy(), labels=labels),
    ]


def draw_correlation(summary: TableSummary) -> Plot:
    """Draw the correlations of a table."""
    return correlation_map(summary.correlation, [find(name).name for name in summary.correlated_columns])


def figures_of_columns(path: Path, label: str) -> dict[str, ReportFigure]:
    """Draw the figures that need no summary of the table.

    Args:
        path: the clean table.
        label: the table's name of the label column.
    """
    return {plot.name: drawn(plot) for plot in draw_columns(StoredTable(path), label=label)}


def figures_of_summary(summary: TableSummary) -> dict[str, ReportFigure]:
    """Draw the figures that need the summary of the table."""
    plot = draw_correlation(summary)
    return {plot.name: drawn(plot)}


def distributions(panels: Sequence[Panel], *, labels: ArrayLike) -> Plot:
    """Draw histograms side by side, hazardous rows stacked on the others.

    Args:
        panels: at most four, all with the same number of rows.
        labels: 0 or 1 per row, shape ``(n_rows,)``.
    """
    title, panel_width, height = "Distributions", HISTOGRAM_WIDTH_IN, 3.1
    truth = np.asarray(labels) == 1
    words = []
    with theme():
        figure = new_figure(title, width_in=panel_width * len(panels) + 0.35, height_in=height)
        for position, panel in enumerate(panels):
            axes = add_axes(figure, (panel_width * position + 0.8, 0.55, panel_width - 0.75, height - 1.25), grid="y")
            words.append(_histogram(axes, panel, truth=truth))
            if position == 0:
                axes.set_ylabel("Rows")
                if axes.patches:
                    # Above the axes, because a bar can be anywhere inside.
                    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2)
    return Plot("distributions", title, f"Histograms. {' '.join(words)}", figure)


def class_balance(parts: Mapping[str, ArrayLike]) -> Plot:
    """Draw the share of hazardous rows, one bar per part.

    Args:
        parts: the labels, 0 or 1 per row, at least one, by the part's name.
    """
    title = "Class balance"
    names = list(parts)
    totals = np.array([np.asarray(labels).size for labels in parts.values()])
    positives = np.array([np.count_nonzero(np.asarray(labels) == 1) for labels in parts.values()])
    shares = 100 * positives / totals
    rows = np.arange(len(names))
    height = 0.42 * len(names) + 1.25
    with theme():
        figure = new_figure(title, width_in=6.4, height_in=height)
        axes = add_axes(figure, (1.0, 0.55, 3.6, 0.42 * len(names)), grid="x")
        axes.barh(rows, shares, color=POSITIVE, height=0.62, label=_HAZARDOUS)
        axes.barh(rows, 100 - shares, left=shares, color=NEGATIVE, height=0.62, label=_OTHER)
        for row, (share, positive, total) in enumerate(zip(shares, positives, totals, strict=True)):
            axes.text(102, row, f"{share:.1f} %  ({positive:,} of {total:,})", va="center", size=8.5)
        axes.set_yticks(rows, names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.set_xlabel("Share of rows (%)")
        axes.tick_params(axis="y", labelcolor=INK)
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2)
    shares_text = "; ".join(
        f"{name} {share:.1f} %, {positive:,} of {total:,} rows"
        for name, share, positive, total in zip(names, shares, positives, totals, strict=True)
    )
    return Plot("class-balance", title, f"Share of hazardous rows by part: {shares_text}.", figure)


def thinning(n_rows: int) -> int:
    """Return n such that a scatter plot of every n-th row has at most `MOST_POINTS` points."""
    return max(1, -(-n_rows // MOST_POINTS))


def drawn_text(step: int) -> str:
    """Return which rows are drawn, for a text; empty if it is all of them.

    >>> drawn_text(1), drawn_text(40)
    ('', ' (one of 40 is drawn)')
    """
    return "" if step == 1 else f" (one of {step} is drawn)"


def correlation_map(correlation: NDArray[np.float64], names: Sequence[str]) -> Plot:
    """Draw a heat map of Pearson's r in a diverging palette: blue for -1, red for +1, near white for 0.

    Args:
        correlation: shape ``(n_columns, n_columns)``; NaN, for a constant column, is drawn grey.
        names: names of the columns in the order of the matrix.
    """
    title = "Correlation of the columns"
    n_columns = len(names)
    side = max(2.4, 0.2 * n_columns)
    margin = 0.3 + 0.06 * max(map(len, names))
    hues = ["#2b6a99", "#8db4d2", "#f4f4f2", "#e39a86", "#b3353b"]
    palette = LinearSegmentedColormap.from_list("diverging", hues).with_extremes(bad="#c9ced6")
    with theme():
        figure = new_figure(title, width_in=margin + side + 1.1, height_in=side + margin + 0.6)
        axes = add_axes(figure, (margin, margin, side, side), grid="both")
        axes.grid(visible=False)
        image = axes.imshow(correlation, cmap=palette, vmin=-1, vmax=1, interpolation="nearest")
        axes.set_xticks(range(n_columns), names, rotation=90, size=7.5)
        axes.set_yticks(range(n_columns), names, size=7.5)
        axes.spines[:].set_visible(False)
        scale = add_axes(figure, (margin + side + 0.25, margin, 0.16, side), grid="y")
        figure.colorbar(image, cax=scale, ticks=[-1, -0.5, 0, 0.5, 1], label="Pearson correlation r (no unit)")
        scale.tick_params(length=0)
        scale.spines[:].set_visible(False)
    size = np.abs(np.asarray(correlation)[np.triu_indices(n_columns, 1)])
    return Plot(
        "correlation",
        title,
        f"Heat map of {n_columns} by {n_columns} columns: {np.count_nonzero(size > 0.9)} of {size.size} pairs have "
        f"an absolute correlation above 0.9.",
        figure,
    )


def magnitude_moid(magnitude: ArrayLike, moid_au: ArrayLike, *, labels: ArrayLike) -> Plot:
    """Draw absolute magnitude against Earth MOID, coloured by label, with the box of the CNEOS rule.

    Args:
        magnitude: absolute magnitude H, mag, shape ``(n_rows,)``.
        moid_au: minimum orbit intersection distance with Earth, au, same shape; rows at 0 or below, or with a
            missing value, are left out and counted.
        labels: 0 or 1 per row, same shape.
    """
    title = "Magnitude against MOID"
    x, y = np.asarray(magnitude, dtype=np.float64), np.asarray(moid_au, dtype=np.float64)
    truth = np.asarray(labels) == 1
    drawn = np.isfinite(x) & (y > 0)
    max_h, max_moid = MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
    in_box = (x <= max_h) & (y <= max_moid)
    step = thinning(int(np.count_nonzero(drawn)))
    with theme():
        figure = new_figure(title, width_in=7.2, height_in=4.9)
        axes = add_axes(figure, (0.85, 0.6, 6.1, 3.55), grid="both")
        axes.set_yscale("log")
        for label, colour, name in ((False, NEGATIVE, _OTHER), (True, POSITIVE, _HAZARDOUS)):
            chosen = np.flatnonzero(drawn & (truth == label))[::step]
            axes.plot(
                x[chosen], y[chosen], ls="none", marker="o", ms=2.2, mew=0, color=colour, label=name, rasterized=True
            )
        axes.set_ylim(*_padded(y[drawn]))
        x_limits, y_min = axes.get_xlim(), axes.get_ylim()[0]
        axes.add_patch(
            Rectangle((x_limits[0], y_min), max_h - x_limits[0], max_moid - y_min, fill=False, ec=INK, lw=1.3, zorder=3)
        )
        axes.set_xlim(x_limits)
        axes.set_xlabel(quantity("absolute_magnitude_mag").label)
        axes.set_ylabel(quantity("moid_au").label)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.plot([], [], color=INK, lw=1.3, label=f"rule: H ≤ {max_h:g} mag, MOID ≤ {max_moid:g} au")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, markerscale=2.5, borderaxespad=0.2)
    left_out = "" if drawn.all() else f" Left out without a positive MOID: {_rows(~drawn)}."
    return Plot(
        "magnitude-moid",
        title,
        f"Scatter of {np.count_nonzero(drawn):,} rows{drawn_text(step)}, MOID on a logarithmic axis. The rule's box "
        f"(H at most {max_h:g} mag and MOID at most {max_moid:g} au) contains {np.count_nonzero(truth & in_box):,} of "
        f"{np.count_nonzero(truth):,} hazardous rows, and {np.count_nonzero(~truth & in_box):,} others.{left_out}",
        figure,
    )


def _histogram(axes: Axes, panel: Panel, *, truth: NDArray[np.bool_]) -> str:
    """Draw one panel, and return a sentence that describes it."""
    values = np.asarray(panel.values, dtype=np.float64)
    usable = np.isfinite(values) & ((values > 0) if panel.scale == "log" else True)
    shown = values[usable]
    name = panel.quantity.title
    axes.set_xlabel(panel.quantity.label)
    if shown.size == 0:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color=MUTED)
        return f"{name}: no values."
    edges = _edges(shown, panel.scale)
    counts, _ = np.histogram(shown, edges)
    positive, _ = np.histogram(shown[truth[usable]], edges)
    axes.stairs(counts, edges, baseline=positive, fill=True, color=NEGATIVE, label=_OTHER)
    axes.stairs(positive, edges, fill=True, color=POSITIVE, label=_HAZARDOUS)
    axes.set_ylim(0, 1.06 * counts.max())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if panel.scale == "log":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    if panel.scale == "integer" and edges.size <= 16:
        axes.set_xticks(edges[:-1] + 0.5)
    unit = f" {panel.quantity.unit}" if panel.quantity.unit else ""
    low, middle, high = (f"{value:.4g}" for value in np.percentile(shown, (5, 50, 95)))
    shape = shape_of(np.sort(np.log(shown) if panel.scale == "log" else shown))
    words = "" if shape is None else f"; {'on the logarithmic axis ' if panel.scale == 'log' else ''}{shape.text}"
    missing = "" if usable.all() else f"; left out: {_rows(~usable)}"
    return f"{name}: median {middle}{unit}, 90 % of rows from {low} to {high}{unit}{words}{missing}."


def _edges(values: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Return bin edges that enclose all values; a column of one value gets one bin around it."""
    low, high = float(values.min()), float(values.max())
    if scale == "integer" and high - low < 64:
        return np.arange(np.floor(low), np.floor(high) + 2) - 0.5
    if low == high:
        return np.array([low * 0.5, low * 2]) if scale == "log" else np.array([low - 0.5, low + 0.5])
    edges = np.geomspace(low, high, _BINS + 1) if scale == "log" else np.linspace(low, high, _BINS + 1)
    edges[[0, -1]] = low, high
    return edges


def _rows(chosen: NDArray[np.bool_]) -> str:
    count = np.count_nonzero(chosen)
    return "1 row" if count == 1 else f"{count:,} rows"


def _padded(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return limits of a logarithmic axis that enclose all values with a margin."""
    return (float(values.min()) / 1.3, float(values.max()) * 1.3) if values.size else (1e-3, 1.0)
