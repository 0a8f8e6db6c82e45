"""Figures of the model itself: where it decides, what it has learned of each variable, what its scores are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.evaluation.calibration import Calibration
from asteroid_ll.report.columns import ColumnLike, axis_label
from asteroid_ll.report.style import INK, MUTED, NEGATIVE, NEUTRAL, POSITIVE, Plot, add_axes, new_figure, theme
from asteroid_ll.report.weights import Step, Weight, by_effect

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MODEL = "#0072b2"
_PANELS_PER_LINE = 3
_SHOWN_WEIGHTS = 20
_LOGARITHMIC_FROM = 30.0
_CORNER_MAG, _CORNER_FACTOR = 3.0, 3.0
_BORDER_AT_MAG, _BORDER_AT_AU = 20.0, 0.01


@dataclass(frozen=True)
class DecisionGrid:
    """A model's decision over a plane.

    Attributes:
        magnitude: absolute magnitudes H of the columns, mag, ascending, shape ``(n,)``.
        moid_au: Earth MOIDs of the rows, au, ascending, shape ``(m,)``.
        margin: raw score less its value at the threshold, shape ``(m, n)``: above 0 the model says hazardous.
    """

    magnitude: NDArray[np.float64]
    moid_au: NDArray[np.float64]
    margin: NDArray[np.float64]


def decision_plane(
    magnitude: ArrayLike,
    moid_au: ArrayLike,
    *,
    labels: ArrayLike,
    predicted: ArrayLike,
    columns: tuple[ColumnLike, ColumnLike],
    grid: DecisionGrid | None,
    limits: tuple[float, float] = (22.0, 0.05),
) -> Plot:
    """The scored rows over H and MOID, the wrong ones ringed, with the rule's box and the model's own border.

    Args:
        magnitude: absolute magnitude H, mag, shape ``(n_rows,)``.
        moid_au: Earth MOID, au, same shape; rows at 0 or below cannot be drawn on its logarithmic axis.
        labels: 0 or 1 a row, same shape.
        predicted: the model's answers, same shape.
        columns: how to name the two axes.
        grid: where the model decides; None for one that depends on more than these two, which has no border here.
        limits: the rule's largest H (mag) and largest MOID (au), https://cneos.jpl.nasa.gov/about/neo_groups.html.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    title = "Decision over magnitude and MOID"
    parts = (("all test rows", (0.85, 0.6, 4.3, 3.4)), ("around the rule's corner", (5.95, 0.6, 4.3, 3.4)))
    x, y = np.asarray(magnitude, dtype=np.float64), np.asarray(moid_au, dtype=np.float64)
    truth, guess = np.asarray(labels) == 1, np.asarray(predicted) == 1
    drawn, wrong = np.isfinite(x) & (y > 0), truth != guess
    with theme():
        figure = new_figure(title, width_in=10.5, height_in=5.1)
        for number, (name, box) in enumerate(parts):
            axes = add_axes(figure, box, grid="both")
            axes.set_yscale("log")
            _draw_rows(axes, x, y, truth=truth, drawn=drawn, wrong=wrong)
            left, right, bottom, top = (*axes.get_xlim(), *axes.get_ylim())
            rule = f"rule: H ≤ {limits[0]:g} mag, MOID ≤ {limits[1]:g} au"
            edge = ([left, limits[0], limits[0]], [limits[1], limits[1], bottom])
            axes.plot(*edge, color=INK, lw=1.2, ls=(0, (4, 2)), label=rule)
            if grid is not None:
                axes.contour(grid.magnitude, grid.moid_au, grid.margin, levels=[0.0], colors=[_MODEL], linewidths=1.8)
                axes.plot([], [], color=_MODEL, lw=1.8, label="model's border")
            if number == 1:
                left, right = limits[0] - _CORNER_MAG, limits[0] + _CORNER_MAG / 2
                bottom, top = limits[1] / _CORNER_FACTOR, limits[1] * _CORNER_FACTOR
            axes.set_xlim(left, right)
            axes.set_ylim(bottom, top)
            axes.set_title(name)
            axes.set_xlabel(axis_label(columns[0]))
            axes.set_ylabel(axis_label(columns[1]))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_locator(NullLocator())
            if number == 1:
                axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            else:
                axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.07), ncols=5, markerscale=1.5)
    border = (
        _border_words(grid)
        if grid is not None
        else "The model depends on more than these two, so that it has no border here."
    )
    return Plot(
        "decision-plane",
        title,
        f"Scatter of {np.count_nonzero(drawn):,} test rows, MOID on a logarithmic axis; "
        f"{np.count_nonzero(wrong):,} are predicted wrong. {border}",
        figure,
    )


def calibration_curve(calibration: Calibration) -> Plot:
    """Share of hazardous rows against the score, with the number of rows in each bin below."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    title = "Calibration"
    bins = calibration.bins
    mean, share = (np.array([getattr(item, name) for item in bins]) for name in ("mean_score", "positive_share"))
    low, high = (np.array([getattr(item, f"positive_share_{end}") for item in bins]) for end in ("low", "high"))
    with theme():
        figure = new_figure(title, width_in=4.6, height_in=5.2)
        upper = add_axes(figure, (0.75, 1.95, 3.6, 2.6), grid="both")
        upper.plot([0, 1], [0, 1], color=NEUTRAL, lw=1, ls=(0, (4, 3)), label="score = share")
        upper.vlines(mean, low, high, color=_MODEL, lw=1.2)
        upper.plot(mean, share, color=_MODEL, ls="none", marker="o", ms=5, label="share with 95 % interval")
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
    said = "; ".join(f"{item.mean_score:.2f} gives {item.positive_share:.2f}" for item in bins)
    return Plot(
        "calibration",
        title,
        f"Share of hazardous rows by mean score of a bin: {said}. Expected calibration error "
        f"{calibration.expected_calibration_error:.4f}, Brier score {calibration.brier:.4f}.",
        figure,
    )


def learned_functions(steps: Sequence[Step], columns: Mapping[str, ColumnLike], *, score: str) -> Plot:
    """What each variable adds to the raw score, a panel a variable.

    Args:
        steps: the piecewise-linear functions.
        columns: how to name each variable.
        score: what the raw score is, with its unit, such as ``log-odds (nats)``.
    """
    title = "What the model has learned of each variable"
    lines = math.ceil(len(steps) / _PANELS_PER_LINE)
    height = 0.5 + 2.75 * lines
    reach = max(float(np.ptp(step.values)) for step in steps)
    words = []
    with theme():
        figure = new_figure(title, width_in=0.4 + 3.0 * min(len(steps), _PANELS_PER_LINE), height_in=height)
        for place, step in enumerate(steps):
            line, position = divmod(place, _PANELS_PER_LINE)
            axes = add_axes(figure, (0.75 + 3.0 * position, height - 2.75 * (line + 1) + 0.1, 2.3, 2.0), grid="both")
            _draw_step(axes, step, column=columns[step.variable], reach=reach)
            if position == 0:
                axes.set_ylabel(f"Added to the {score}")
            words.append(f"{axis_label(columns[step.variable])} {np.ptp(step.values):.3g}")
    return Plot(
        "learned-functions",
        title,
        f"Piecewise-linear functions, each shifted to a middle of 0. Range of what each variable adds to the {score}: "
        f"{'; '.join(words)}.",
        figure,
    )


def strongest_weights(weights: Sequence[Weight], *, score: str) -> Plot:
    """The features that move the raw score most, as bars of weight times spread.

    Args:
        weights: of all features.
        score: what the raw score is, with its unit, such as ``log-odds (nats)``.
    """
    title = "Features that move the score most"
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
    said = ", ".join(f"{item.feature} {item.effect:+.3g}" for item in shown[:5])
    alt = f"Bars of weight times standard deviation: {len(shown)} of {len(weights)} features, led by {said}."
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
    for chosen, colour, name in ((~truth, NEGATIVE, "not hazardous"), (truth, POSITIVE, "hazardous")):
        shown = drawn & chosen
        axes.plot(x[shown], y[shown], ls="none", marker="o", ms=2.2, mew=0, color=colour, label=name, rasterized=True)
    ring: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 7, "mfc": "none", "mec": INK, "mew": 0.9}
    axes.plot(x[drawn & wrong], y[drawn & wrong], label="predicted wrong", **ring)


def _draw_step(axes: Axes, step: Step, *, column: ColumnLike, reach: float) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    middle = (step.values.min() + step.values.max()) / 2
    if step.knots[0] > 0 and step.knots[-1] / step.knots[0] > _LOGARITHMIC_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.plot(step.knots, step.values - middle, color=_MODEL, lw=1.8, marker="o", ms=2.2)
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.set_ylim(-0.55 * reach or -1.0, 0.55 * reach or 1.0)
    axes.set_xlabel(axis_label(column) if column.unit else f"{column.title or column.name} (no unit)")


def _border_words(grid: DecisionGrid) -> str:
    """Where the model's border lies in numbers: on one column and on one row of the plane, far from its corner."""
    column = int(np.argmin(np.abs(grid.magnitude - _BORDER_AT_MAG)))
    row = int(np.argmin(np.abs(grid.moid_au - _BORDER_AT_AU)))
    moid = _crossing(np.log(grid.moid_au), grid.margin[:, column])
    magnitude = _crossing(grid.magnitude, grid.margin[row])
    where = [
        f"at H {grid.magnitude[column]:.3g} mag it runs at a MOID of {math.exp(moid):.4g} au"
        if moid is not None
        else "",
        f"at a MOID of {grid.moid_au[row]:.3g} au it runs at H {magnitude:.4g} mag" if magnitude is not None else "",
    ]
    said = ", ".join(filter(None, where))
    return f"The model's border: {said}." if said else "The model's border does not cross the middle of the plane."


def _crossing(places: NDArray[np.float64], margin: NDArray[np.float64]) -> float | None:
    """The last place where the margin falls through 0, by linear interpolation; None where it never does."""
    falls = np.flatnonzero((margin[:-1] > 0) & (margin[1:] <= 0))
    if falls.size == 0:
        return None
    first = int(falls[-1])
    share = margin[first] / (margin[first] - margin[first + 1])
    return float(places[first] + share * (places[first + 1] - places[first]))
