"""A figure of the report as HTML: an image, or one drawing per panel, with marks that lead to an asteroid's page.

The image of a figure with panels is in the file once. Each panel is a window on it, so on a phone the panels stand
below each other. The marks are links that show their name on hover and on focus, without a script.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from html import escape
from typing import Literal

DOTS_PER_INCH = 120
CSS_PIXELS_PER_INCH = 96

HISTOGRAM_WIDTH_IN = 3.0
"""Width of one histogram of the figure of distributions, inches."""

WEB = "https://"
"""The beginning of every address in a report."""


@dataclass(frozen=True)
class Box:
    """A part of an image in CSS pixels from its left upper corner."""

    left: int
    top: int
    width: int
    height: int

    def contains(self, x: float, y: float) -> bool:
        """Return whether a point lies in it."""
        return self.left <= x < self.left + self.width and self.top <= y < self.top + self.height


@dataclass(frozen=True)
class Mark:
    """A point of a figure that has a name.

    Attributes:
        x: CSS pixels from the left edge of the figure.
        y: CSS pixels from its upper edge.
        name: the asteroid's name, which hover and focus show.
        text: a few words, which they show below it.
        url: the page that it leads to.
        kind: ``error`` (a wrong prediction, which the image has ringed) or ``follow-up``.
    """

    x: float
    y: float
    name: str
    text: str
    url: str
    kind: Literal["error", "follow-up"]


@dataclass(frozen=True)
class ReportFigure:
    """A figure.

    Attributes:
        title: one line.
        alt: the alternative text.
        content: the bytes of a PNG file.
        panels: its panels, which fill it; nothing for a figure that stays whole.
        marks: its named points, each inside a panel.
    """

    title: str
    alt: str
    content: bytes
    panels: tuple[Box, ...] = ()
    marks: tuple[Mark, ...] = ()


def size_px(content: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG file of this package in CSS pixels."""
    # Width and height are the first fields of the first chunk: https://www.w3.org/TR/png-3/#11IHDR
    width, height = struct.unpack(">II", content[16:24])
    return round(width * CSS_PIXELS_PER_INCH / DOTS_PER_INCH), round(height * CSS_PIXELS_PER_INCH / DOTS_PER_INCH)


def picture(item: ReportFigure) -> str:
    """Return a figure as HTML.

    Raises:
        ValueError: a mark's address is not an https address.
    """
    width, height = size_px(item.content)
    source = f"data:image/png;base64,{base64.b64encode(item.content).decode('ascii')}"
    alt, is_cut = escape(item.alt), len(item.panels) > 1
    if is_cut:
        name = "image-" + "".join(letter if letter.isalnum() else "-" for letter in item.title.lower())
        first = f'<image id="{escape(name)}" href="{source}" width="{width}" height="{height}"/>'
        again = f'<use href="#{escape(name)}"/>'
        windows = [_window(item, place, image=again if place else first) for place in range(len(item.panels))]
        drawing = f'<div class="panels">{"".join(windows)}</div>'
    else:
        drawing = f'<img src="{source}" width="{width}" height="{height}" alt="{alt}">'
    # The caption repeats the alternative text of an image, so a screen reader skips it there.
    hidden = "" if is_cut else ' aria-hidden="true"'
    return (
        f'<figure aria-label="{escape(item.title)}" style="max-width: {width + 22}px">{drawing}'
        f"<figcaption{hidden}>{alt}</figcaption></figure>\n"
    )


def _window(item: ReportFigure, place: int, *, image: str) -> str:
    box = item.panels[place]
    links = "".join(_link(mark, box) for mark in item.marks if box.contains(mark.x, mark.y))
    role = f'role="group" aria-label="{escape(item.title)}, panel {place + 1}"' if links else 'aria-hidden="true"'
    view = f"{box.left} {box.top} {box.width} {box.height}"
    return f'<svg viewBox="{view}" width="{box.width}" height="{box.height}" {role}><g>{image}</g>{links}</svg>'


def _link(mark: Mark, box: Box) -> str:
    """Return a mark; its text runs towards the middle of the panel."""
    side, anchor = (12, "start") if mark.x < box.left + box.width / 2 else (-12, "end")
    x, name, about = f"{mark.x + side:.1f}", escape(mark.name), escape(mark.text)
    return (
        f'<a class="{mark.kind}" href="{escape(checked(mark.url))}" rel="noreferrer" aria-label="{name}, {about}">'
        f'<circle cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="6"/>'
        f'<text text-anchor="{anchor}"><tspan x="{x}" y="{mark.y - 26:.1f}">{name}</tspan>'
        f'<tspan x="{x}" y="{mark.y - 10:.1f}">{about}</tspan></text></a>'
    )


def checked(link: str) -> str:
    """Return an address of the web.

    Raises:
        ValueError: it is not an https address.
    """
    if not link.startswith(WEB):
        raise ValueError(f"A link of a report begins with {WEB}, not {link!r}.")
    return link
