"""The panels of a drawn figure, and the places of its points, in CSS pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from asteroid_ll.evaluation.follow_up import Candidate
from asteroid_ll.evaluation.mistakes import Mistake
from asteroid_ll.report.picture import CSS_PIXELS_PER_INCH, HISTOGRAM_WIDTH_IN, Box, Mark, size_px
from asteroid_ll.report.tables import format_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABEL_IN = 0.75  # room for the tick labels and the name of a vertical axis
_TICK_IN = 0.12  # half of the last tick label of the panel before
_TITLE_IN = 0.25


def panels_of(figure: Figure) -> tuple[Box, ...]:
    """Return one box per panel, row by row; together they fill the figure.

    Args:
        figure: a figure of this package. Its axes stand in columns and rows.
    """
    width_in, height_in = (float(side) for side in figure.get_size_inches())
    places = [axes.get_position() for axes in figure.axes]
    boxes_in = [(p.x0 * width_in, p.x1 * width_in, p.y0 * height_in, p.y1 * height_in) for p in places]
    columns = sorted({(round(left, 3), round(right, 3)) for left, right, _, _ in boxes_in})
    rows = sorted({(round(low, 3), round(high, 3)) for _, _, low, high in boxes_in}, reverse=True)
    across = [max(left - _LABEL_IN, right + _TICK_IN) for (_, right), (left, _) in pairwise(columns)]
    down = [height_in - high - _TITLE_IN for _, high in rows[1:]]
    x = _pixels([0.0, *across, width_in])
    y = _pixels([0.0, *down, height_in])
    grid = [Box(a, c, b - a, d - c) for c, d in pairwise(y) for a, b in pairwise(x)]
    return tuple(box for box, _ in zip(grid, figure.axes, strict=False))


def histogram_panels(content: bytes) -> tuple[Box, ...]:
    """Return one box per histogram of the figure that explore has stored as PNG."""
    width, height = size_px(content)
    n = max(int(width / (HISTOGRAM_WIDTH_IN * CSS_PIXELS_PER_INCH)), 1)
    # The name of the vertical axis stands left of the first histogram.
    edges = [0, *_pixels([HISTOGRAM_WIDTH_IN * place + 0.2 for place in range(1, n)]), width]
    return tuple(Box(a, 0, b - a, height) for a, b in pairwise(edges))


def marks_of(figure: Figure, mistakes: Sequence[Mistake], candidates: Sequence[Candidate]) -> tuple[Mark, ...]:
    """Return the named points of the decision plane, each in the last panel that shows it.

    Args:
        figure: the decision plane, over H in mag and MOID in au.
        mistakes: the wrong predictions.
        candidates: the asteroids worth another observation.
    """
    marks = []
    for mistake in mistakes:
        text = f"{mistake.kind}, score {format_score(mistake.score)}"
        if place := _place(figure, mistake.absolute_magnitude_mag, mistake.moid_au):
            marks.append(Mark(*place, mistake.name, text, mistake.url, "error"))
    for candidate in candidates:
        text = f"follow-up, P(hazardous) {candidate.p_hazardous:.3f}"
        if place := _place(figure, candidate.absolute_magnitude_mag, candidate.moid_au):
            marks.append(Mark(*place, candidate.name, text, candidate.url, "follow-up"))
    return tuple(marks)


def _place(figure: Figure, magnitude_mag: float, moid_au: float) -> tuple[float, float] | None:
    """Return the CSS pixels of a point, or None if no panel shows it."""
    if not (math.isfinite(magnitude_mag) and moid_au > 0):
        return None
    scale = CSS_PIXELS_PER_INCH / figure.dpi
    height = float(figure.get_size_inches()[1]) * CSS_PIXELS_PER_INCH
    for axes in reversed(figure.axes):
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        if left <= magnitude_mag <= right and low <= moid_au <= high:
            x, y = axes.transData.transform((magnitude_mag, moid_au))
            return float(x) * scale, height - float(y) * scale
    return None


def _pixels(inches: Sequence[float]) -> list[int]:
    return [round(value * CSS_PIXELS_PER_INCH) for value in inches]
