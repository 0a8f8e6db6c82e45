"""Figures of the model: its decisions, its calibration, and the functions or weights that it has learned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.evaluation.calibration import Calibration
from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
from asteroid_ll.report.decision import DecisionGrid
from asteroid_ll.report.quantities import quantity
from asteroid_ll.report.style import INK, MODEL, MUTED, NEGATIVE, NEUTRAL, POSITIVE, Plot, add_axes, new_figure, theme
from asteroid_ll.report.table_plots import drawn_text, thinning
from asteroid_ll.report.weights import LearnedFunction, Weight, by_effect

_PANELS_PER_LINE = 3
_SHOWN_WEIGHTS = 20
_LOGARITHMIC_FROM = 30.0
_CORNER_MAG, _CORNER_FACTOR = 3.0, 3.0
_BORDER_AT_MAG, _BORDER_AT_AU = 20.0, 0.01


def decision_plane(
    magnitude: ArrayLike, moid_au: ArrayLike, *, labels: ArrayLike, predicted: ArrayLike, grid: DecisionGrid | None
) -> Plot:
    """Draw the test rows over H and MOID, wrong ones ringed, with the rule's box and the model's decision boundary.

    Args:
        magnitude: absolute magnitude H, mag, shape ``(n_rows,)``.
        moid_au: Earth MOID, au, same shape; rows at 0 or below cannot be drawn on its logarithmic axis.
        labels: 0 or 1 per row, same shape.
        predicted: the model's predicted labels, same shape.
        grid: the model's decision; None for a model of other columns, which has no boundary in this plane.
    """
    title = "Decision over magnitude and MOID"
    x, y = np.asarray(magnitude, dtype=np.float64), np.asarray(moid_au, dtype=np.float64)
    truth, guess = np.asarray(labels) == 1, np.asarray(predicted) == 1
    drawn, wrong = np.isfinite(x) & (y > 0), truth != guess
    n_drawn = int(np.count_nonzero(drawn))
    with theme():
        figure = new_figure(title, width_in=10.5, height_in=4.15)
        whole = add_axes(figure, (0.85, 0.55, 4.3, 2.65), grid="both")
        corner = add_axes(figure, (5.95, 0.55, 4.3, 2.65), grid="both")
        for axes, name in ((whole, "all test rows"), (corner, "around the rule's corner")):
            axes.set_yscale("log")
            _draw_rows(axes, x, y, truth=truth, drawn=drawn, wrong=wrong)
            _draw_boundaries(axes, grid)
            axes.set(title=name, xlabel=quantity("absolute_magnitude_mag").label, ylabel=quantity("moid_au").label)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_locator(NullLocator())
        corner.set_xlim(MAX_ABSOLUTE_MAGNITUDE_MAG - _CORNER_MAG, MAX_ABSOLUTE_MAGNITUDE_MAG + _CORNER_MAG / 2)
        corner.set_ylim(MAX_MOID_AU / _CORNER_FACTOR, MAX_MOID_AU * _CORNER_FACTOR)
        corner.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        # Half of the legend per panel, because on a phone each stands alone.
        handles, _ = whole.get_legend_handles_labels()
        for axes, half in ((whole, handles[:3]), (corner, handles[3:])):
            axes.legend(handles=half, loc="lower left", bbox_to_anchor=(-0.02, 1.07), ncols=3, markerscale=1.5)
    boundary = (
        _boundary_text(grid)
        if grid is not None
        else "The model depends on other columns too, so it has no decision boundary here."
    )
    return Plot(
        "decision-plane",
        title,
        f"Scatter of {n_drawn:,} test rows{drawn_text(thinning(n_drawn))}, MOID on a logarithmic axis; "
        f"{np.count_nonzero(wrong):,} {'is' if np.count_nonzero(wrong) == 1 else 'are'} predicted wrong. {boundary}",
        figure,
    )


def _draw_boundaries(axes: Axes, grid: DecisionGrid | None) -> None:
    """Draw the rule's box and the model's decision boundary, within the current limits of the axes."""
    x_limits, y_limits = axes.get_xlim(), axes.get_ylim()
    max_h, max_moid = MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
    edge = ([x_limits[0], max_h, max_h], [max_moid, max_moid, y_limits[0]])
    axes.plot(*edge, color=INK, lw=1.2, ls=(0, (4, 2)), label=f"rule: H ≤ {max_h:g} mag, MOID ≤ {max_moid:g} au")
    if grid is not None:
        axes.contour(grid.magnitude, grid.moid_au, grid.margin, levels=[0.0], colors=[MODEL], linewidths=1.8)
        axes.plot([], [], color=MODEL, lw=1.8, label="model's decision boundary")
    axes.set(xlim=x_limits, ylim=y_limits)


def calibration_curve(calibration: Calibration) -> Plot:
    """Draw the share of hazardous rows against the score, with the number of rows in each bin below."""
    title = "Calibration"
    bins = calibration.bins
    mean, share = (np.array([getattr(item, name) for item in bins]) for name in ("mean_score", "positive_share"))
    low, high = (np.array([getattr(item, f"positive_share_{end}") for item in bins]) for end in ("low", "high"))
    with theme():
        figure = new_figure(title, width_in=4.6, height_in=5.2)
        upper = add_axes(figure, (0.75, 1.95, 3.6, 2.6), grid="both")
        upper.plot([0, 1], [0, 1], color=NEUTRAL, lw=1, ls=(0, (4, 3)), label="score = share")
        upper.vlines(mean, low, high, color=MODEL, lw=1.2)
        upper.plot(mean, share, color=MODEL, ls="none", marker="o", ms=5, label="share with 95 % interval")
        upper.set_ylabel("Share of hazardous rows (no unit)")
        upper.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2)
        lower = add_axes(figure, (0.75, 0.6, 3.6, 1.0), grid="y")
        widths = [item.high - item.low for item in bins]
        lower.bar([item.low for item in bins], [item.n for item in bins], width=widths, align="edge", color=NEGATIVE)
        lower.set_yscale("log")
        lower.yaxis.set_minor_locator(NullLocator())
        lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        lower.set_ylabel("Rows")
        lower.set_xlabel("Score (probability, no unit)")
        for axes in (upper, lower):
            axes.set_xlim(-0.02, 1.02)
        upper.set_ylim(-0.03, 1.03)
    shares = "; ".join(f"{item.positive_share:.2f} at {item.mean_score:.2f}" for item in bins)
    return Plot(
        "calibration",
        title,
        f"Share of hazardous rows at the mean score of their bin: {shares}. Expected calibration error "
        f"{calibration.expected_calibration_error:.4f}, Brier score {calibration.brier:.4f}.",
        figure,
    )


def function_panels(functions: Sequence[LearnedFunction], *, score: str) -> Plot:
    """Draw the contribution of each variable to the raw score, one panel per variable.

    Args:
        functions: the piecewise-linear functions.
        score: name of the raw score with its unit, such as ``log-odds (nats)``.
    """
    title = "Learned functions"
    lines = math.ceil(len(functions) / _PANELS_PER_LINE)
    height = 0.5 + 2.75 * lines
    reach = max(float(np.ptp(function.values)) for function in functions)
    words = []
    with theme():
        figure = new_figure(title, width_in=0.4 + 3.0 * min(len(functions), _PANELS_PER_LINE), height_in=height)
        for place, function in enumerate(functions):
            line, position = divmod(place, _PANELS_PER_LINE)
            axes = add_axes(figure, (0.75 + 3.0 * position, height - 2.75 * (line + 1) + 0.1, 2.3, 2.0), grid="both")
            _draw_function(axes, function, reach=reach)
            if position == 0:
                axes.set_ylabel(f"Added to the {score}")
            words.append(f"{quantity(function.variable).label} {np.ptp(function.values):.3g}")
    return Plot(
        "learned-functions",
        title,
        f"Piecewise-linear functions, each centred on 0. Range of each variable's contribution to the {score}: "
        f"{'; '.join(words)}.",
        figure,
    )


def strongest_weights(weights: Sequence[Weight], *, score: str) -> Plot:
    """Draw the features of largest effect on the raw score, as bars of weight times spread.

    Args:
        weights: of all features.
        score: name of the raw score with its unit, such as ``log-odds (nats)``.
    """
    title = "Features with the largest effect on the score"
    shown = by_effect(weights)[:_SHOWN_WEIGHTS]
    margin = 0.3 + 0.075 * max(len(item.feature) for item in shown)
    height = 0.24 * len(shown) + 1.1
    with theme():
        figure = new_figure(title, width_in=margin + 4.3, height_in=height)
        axes = add_axes(figure, (margin, 0.55, 4.0, 0.24 * len(shown)), grid="x")
        places = np.arange(len(shown))
        effects = np.array([item.effect for item in shown])
        axes.barh(places, effects, color=np.where(effects > 0, POSITIVE, NEGATIVE).tolist(), height=0.62)
        axes.axvline(0, color=MUTED, lw=0.8)
        axes.set_yticks(places, [item.feature for item in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlabel(f"Weight × standard deviation, added to the {score}")
    largest = ", ".join(f"{item.feature} {item.effect:+.3g}" for item in shown[:5])
    alt = f"Bars of weight times standard deviation: {len(shown)} of {len(weights)} features, led by {largest}."
    return Plot("weights", title, alt, figure)


def _draw_rows(
    axes: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    truth: NDArray[np.bool_],
    drawn: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
) -> None:
    step = thinning(int(np.count_nonzero(drawn)))
    for chosen, colour, name in ((~truth, NEGATIVE, "not hazardous"), (truth, POSITIVE, "hazardous")):
        shown = np.flatnonzero(drawn & chosen)[::step]
        axes.plot(x[shown], y[shown], ls="none", marker="o", ms=2.2, mew=0, color=colour, label=name, rasterized=True)
    ring: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 7, "mfc": "none", "mec": INK, "mew": 0.9}
    ringed = np.flatnonzero(drawn & wrong)
    ringed = ringed[:: thinning(ringed.size)]
    axes.plot(x[ringed], y[ringed], label="predicted wrong", **ring)


def _draw_function(axes: Axes, function: LearnedFunction, *, reach: float) -> None:
    knots, values = function.knots, function.values
    middle = (values.min() + values.max()) / 2
    if knots[0] > 0 and knots[-1] / knots[0] > _LOGARITHMIC_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.plot(knots, values - middle, color=MODEL, lw=1.8, marker="o", ms=2.2)
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.set_ylim(-0.55 * reach or -1.0, 0.55 * reach or 1.0)
    variable = quantity(function.variable)
    axes.set_xlabel(variable.label if variable.unit else f"{variable.title} (no unit)")


def _boundary_text(grid: DecisionGrid) -> str:
    """Describe the decision boundary by its position on one column and one row of the plane, far from its corner."""
    column = int(np.argmin(np.abs(grid.magnitude - _BORDER_AT_MAG)))
    row = int(np.argmin(np.abs(grid.moid_au - _BORDER_AT_AU)))
    moid = _crossing(np.log(grid.moid_au), grid.margin[:, column])
    magnitude = _crossing(grid.magnitude, grid.margin[row])
    points = []
    if moid is not None:
        points.append(f"H {grid.magnitude[column]:.3g} mag, MOID {math.exp(moid):.4g} au")
    if magnitude is not None:
        points.append(f"H {magnitude:.4g} mag, MOID {grid.moid_au[row]:.3g} au")
    if not points:
        return "The model's decision boundary does not cross the middle of the plane."
    return f"The model's decision boundary runs through {' and '.join(points)}."


def _crossing(places: NDArray[np.float64], margin: NDArray[np.float64]) -> float | None:
    """Return the last zero crossing of a falling margin, by linear interpolation; None if there is none."""
    falls = np.flatnonzero((margin[:-1] > 0) & (margin[1:] <= 0))
    if falls.size == 0:
        return None
    first = int(falls[-1])
    share = margin[first] / (margin[first] - margin[first + 1])
    return float(places[first] + share * (places[first + 1] - places[first]))
