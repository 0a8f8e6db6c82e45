"""The look of every figure, and figures as bytes that are the same on every run.

Figures are matplotlib's `Figure` objects without pyplot: no global state, no window, and a faster import. matplotlib
itself is imported where a figure is made, never when this module is.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#5f6b7a"
GRID = "#e4e7eb"
# Blue and vermilion of Okabe and Ito's palette: told apart with every common colour vision deficiency, and in grey.
NEGATIVE = "#56a0d3"
POSITIVE = "#d55e00"
NEUTRAL = "#9aa5b1"
DOTS_PER_INCH = 120

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
    # A given height: else every titled panel is measured before it is drawn.
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
    """A figure with the words that go beside it.

    Attributes:
        name: stem of the file's name, such as ``class-balance``.
        title: one line for people.
        alt: the text that stands in for the picture, with the figures that matter in it.
        figure: matplotlib's figure, ready for `save` or `render`.
    """

    name: str
    title: str
    alt: str
    figure: Figure


@contextmanager
def theme() -> Iterator[None]:
    """Apply the settings of every figure of ours, and give the caller's back."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):  # type: ignore[arg-type]
        yield


def new_figure(title: str, *, width_in: float, height_in: float) -> Figure:
    """An empty figure with its title at the top left; sizes are inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in))
    figure.text(0.14 / width_in, 1 - 0.12 / height_in, title, ha="left", va="top", size=12, weight="bold")
    return figure


def add_axes(figure: Figure, box_in: tuple[float, float, float, float], *, grid: Literal["x", "y", "both"]) -> Axes:
    """Axes at left, bottom, width and height in inches, with a light grid.

    Positions are given rather than found by a layout engine, which would draw every figure twice.
    """
    width, height = figure.get_size_inches()
    left, bottom, box_width, box_height = box_in
    axes = figure.add_axes((left / width, bottom / height, box_width / width, box_height / height))
    axes.grid(visible=True, axis=grid, color=GRID, linewidth=0.8)
    axes.tick_params(length=0, which="both")
    return axes


def render(figure: Figure, image_format: ImageFormat = "png") -> bytes:
    """Draw a figure; the same figure gives the same bytes, with neither a date nor a version in them.

    Args:
        figure: a figure of this package.
        image_format: ``png`` (120 dots an inch) or ``svg`` (text as outlines, so that it needs no font).
    """
    # PNG and SVG name the version of matplotlib and the date in different fields.
    metadata = {"Software": None} if image_format == "png" else {"Date": None, "Creator": None}
    buffer = io.BytesIO()
    with theme():
        figure.savefig(buffer, format=image_format, metadata=metadata)
    return buffer.getvalue()


def save(figure: Figure, path: Path) -> bytes:
    """Write a figure as PNG or SVG, by the ending of ``path``: whole or not at all.

    Returns:
        The bytes written.

    Raises:
        ValueError: the path ends in neither ``.png`` nor ``.svg``.
    """
    endings: dict[str, ImageFormat] = {".png": "png", ".svg": "svg"}
    if path.suffix not in endings:
        raise ValueError(f"A figure is saved as .png or .svg, not as {path.name}.")
    content = render(figure, endings[path.suffix])
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return content
