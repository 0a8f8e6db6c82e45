"""The look of every figure, and its rendering to bytes that are the same on every run.

Figures are matplotlib's `Figure` objects without pyplot: no global state, no window, and a faster import.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from asteroid_ll.report.picture import DOTS_PER_INCH, ReportFigure
from asteroid_ll.run.atomic import atomic_write

INK = "#1f2933"
MUTED = "#5f6b7a"
GRID = "#e4e7eb"
# Blue and vermilion of Okabe and Ito's palette: distinct with every common colour vision deficiency, and in grey.
NEGATIVE = "#56a0d3"
POSITIVE = "#d55e00"
NEUTRAL = "#9aa5b1"
MODEL = "#0072b2"

_PNG_LEVEL = 3
"""The effort of zlib. Without the alpha channel, level 3 gives files as small as matplotlib's in half the time."""

ImageFormat = Literal["png", "svg"]

_SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": NEUTRAL,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    # A fixed height, because matplotlib would otherwise measure every titled panel before it draws it.
    "axes.titley": 1.0,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.dpi": DOTS_PER_INCH,
    "savefig.dpi": DOTS_PER_INCH,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "asteroid-ll",
}


@dataclass(frozen=True)
class Plot:
    """A figure with its texts.

    Attributes:
        name: stem of the file's name, such as ``class-balance``.
        title: one line.
        alt: the alternative text, with the important numbers.
        figure: matplotlib's figure, ready for `save` or `render`.
    """

    name: str
    title: str
    alt: str
    figure: Figure


@contextmanager
def theme() -> Iterator[None]:
    """Apply the settings of every figure, and restore the caller's."""
    with mpl.rc_context(_SETTINGS):  # type: ignore[arg-type]
        yield


def new_figure(title: str, *, width_in: float, height_in: float) -> Figure:
    """Return an empty figure with its title at the top left."""
    figure = Figure(figsize=(width_in, height_in))
    figure.text(0.14 / width_in, 1 - 0.12 / height_in, title, ha="left", va="top", size=12, weight="bold")
    return figure


def add_axes(figure: Figure, box_in: tuple[float, float, float, float], *, grid: Literal["x", "y", "both"]) -> Axes:
    """Add axes with a light grid, at left, bottom, width and height in inches.

    Positions are fixed, because a layout engine would draw every figure twice.
    """
    width, height = figure.get_size_inches()
    x, y, box_width, box_height = box_in
    axes = figure.add_axes((x / width, y / height, box_width / width, box_height / height))
    axes.grid(visible=True, axis=grid, color=GRID, linewidth=0.8)
    axes.tick_params(length=0, which="both")
    return axes


def render(figure: Figure, image_format: ImageFormat = "png") -> bytes:
    """Draw a figure. The same figure gives the same bytes, without a date or a version.

    Args:
        figure: a figure of this package.
        image_format: ``png`` (120 dots per inch) or ``svg`` (text as outlines, which need no font).
    """
    buffer = io.BytesIO()
    with theme():
        if image_format == "svg":
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        else:
            canvas = FigureCanvasAgg(figure)
            canvas.draw()  # type: ignore[no-untyped-call]
            drawn = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            dots = (DOTS_PER_INCH, DOTS_PER_INCH)
            # Every figure is opaque, so its alpha channel is left out.
            Image.fromarray(drawn[:, :, :3]).save(buffer, "png", dpi=dots, compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def drawn(plot: Plot) -> ReportFigure:
    """Return a plot as an image with its texts."""
    return ReportFigure(plot.title, plot.alt, render(plot.figure))


def save(figure: Figure, path: Path) -> bytes:
    """Write a figure as PNG or SVG, by the suffix of ``path``, and return the bytes."""
    content = render(figure, "svg" if path.suffix == ".svg" else "png")
    atomic_write(path, content)
    return content
