"""One self-contained HTML file: sections of figures, tables, findings and facts.

The file loads nothing from the network, and its content security policy enforces that. Every text is escaped.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from asteroid_ll.evaluation.findings import Finding
from asteroid_ll.report.style import DOTS_PER_INCH
from asteroid_ll.report.stylesheet import CSS
from asteroid_ll.report.tables import NOTHING, Rows

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_CSS_PIXELS_PER_INCH = 96
_NUMBER = re.compile(rf"[-+−]?[\d,]+(\.\d+)?(e[-+]?\d+)?( ?%)?|{NOTHING}")
_WEB = "https://"


@dataclass(frozen=True)
class ReportFigure:
    """A figure: its title, its alternative text, and the bytes of a PNG file."""

    title: str
    alt: str
    content: bytes


@dataclass(frozen=True)
class ReportTable:
    """Rows of text under a caption, the first row being the heading.

    Attributes:
        caption: one line above the table.
        rows: the heading, then the body.
        links: a web address for the first cell of each row of the body, or nothing.
    """

    caption: str
    rows: Rows
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportFindings:
    """Findings, see `findings.findings`."""

    items: Sequence[Finding]


@dataclass(frozen=True)
class ReportFacts:
    """Values by name, nested as in a configuration file, under a caption."""

    caption: str
    values: Mapping[str, object]


Block = ReportFigure | ReportTable | ReportFindings | ReportFacts


@dataclass(frozen=True)
class ReportSection:
    """A heading and its blocks; an empty section is left out."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class ReportData:
    """The contents of a report.

    Attributes:
        title: the heading.
        subtitle: one line below it: which data, which features, which split.
        headline: the most important numbers, as name and text.
        sections: the sections in order.
        footer: a last line.
    """

    title: str
    subtitle: str
    headline: Sequence[tuple[str, str]]
    sections: Sequence[ReportSection]
    footer: str


def render_html(data: ReportData) -> str:
    """Return the report as one HTML document, to be written as UTF-8.

    Raises:
        ValueError: a link is not an https address.
    """
    sections = [(section.title, body) for section in data.sections if (body := "".join(_blocks(section.blocks)))]
    links = "".join(f'<li><a href="#{_anchor(title)}">{escape(title)}</a></li>' for title, _ in sections)
    bodies = "\n".join(
        f'<section id="{_anchor(title)}" aria-labelledby="{_anchor(title)}-title">'
        f'<h2 id="{_anchor(title)}-title">{escape(title)}</h2>\n{body}\n</section>'
        for title, body in sections
    )
    cards = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in data.headline)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escape(data.title)}</title>
<link rel="icon" href="data:,">
<style>{CSS}</style>
</head>
<body>
<header><h1>{escape(data.title)}</h1><p class="subtitle">{escape(data.subtitle)}</p>
<nav aria-label="Sections"><ul>{links}</ul></nav><dl class="headline">{cards}</dl></header>
<main>
{bodies}
</main>
<footer><p>{escape(data.footer)}</p></footer>
</body>
</html>
"""


def flatten(values: Mapping[str, object], *, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested mappings as dotted keys with their values as text; a sequence is one comma-separated value.

    The items of a sequence of mappings go by their ``name``, or by their number if one has no name.
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, prefix=f"{prefix}{key}.")
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            yield from flatten(_by_name(value), prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    """Yield the blocks in order; consecutive figures share the width."""
    for kind, run in groupby(blocks, key=type):
        drawn = "".join(_block(block) for block in run)
        yield f'<div class="figures">{drawn}</div>' if kind is ReportFigure and drawn else drawn


def _block(block: Block) -> str:
    if isinstance(block, ReportFigure):
        return _figure(block)
    if isinstance(block, ReportTable):
        return _table(block)
    if isinstance(block, ReportFindings):
        return _findings(block.items)
    return _facts(block)


def _findings(items: Sequence[Finding]) -> str:
    lines = "".join(
        f'<li class="{item.level}"><b>{item.level.capitalize()}</b>{escape(item.text)}</li>' for item in items
    )
    return f'<ul class="findings">{lines}</ul>' if lines else ""


def _figure(item: ReportFigure) -> str:
    # Width and height are the first fields of the first chunk: https://www.w3.org/TR/png-3/#11IHDR
    pixels = struct.unpack(">II", item.content[16:24])
    width, height = (round(count * _CSS_PIXELS_PER_INCH / DOTS_PER_INCH) for count in pixels)
    source = f"data:image/png;base64,{base64.b64encode(item.content).decode('ascii')}"
    alt = escape(item.alt)
    # The caption repeats the alternative text, so a screen reader skips it.
    return (
        f'<figure aria-label="{escape(item.title)}">'
        f'<img src="{source}" width="{width}" height="{height}" alt="{alt}">'
        f'<figcaption aria-hidden="true" style="max-width: {width}px">{alt}</figcaption></figure>\n'
    )


def _table(table: ReportTable) -> str:
    if not table.rows:
        return ""
    heading, *body = table.rows
    # A heading is aligned like its column's values.
    right = [all(_NUMBER.fullmatch(row[index]) for row in body) and bool(body) for index in range(len(heading))]
    head = "".join(_cell("th", text, right=flag, scope="col") for text, flag in zip(heading, right, strict=True))
    links = table.links or ("",) * len(body)
    lines = "".join(
        f"<tr>{_cell('th', row[0], right=right[0], scope='row', link=link)}"
        + "".join(_cell("td", text, right=flag) for text, flag in zip(row[1:], right[1:], strict=True))
        + "</tr>\n"
        for row, link in zip(body, links, strict=True)
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.caption)}"><table>'
        f"<caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>\n"
    )


def _cell(tag: str, text: str, *, right: bool, scope: str = "", link: str = "") -> str:
    attributes = (f' scope="{scope}"' if scope else "") + (' class="number"' if right else "")
    content = escape(text)
    if link:
        if not link.startswith(_WEB):
            raise ValueError(f"A link of a report begins with {_WEB}, not {link!r}.")
        content = f'<a href="{escape(link)}" rel="noreferrer">{content}</a>'
    return f"<{tag}{attributes}>{content}</{tag}>"


def _facts(facts: ReportFacts) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(text)}</td></tr>\n' for key, text in flatten(facts.values)
    )
    table = f'<table class="facts"><caption>{escape(facts.caption)}</caption><tbody>{lines}</tbody></table>'
    label = escape(facts.caption)
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{table}</div>' if lines else ""


def _by_name(items: Sequence[Mapping[str, object]]) -> dict[str, object]:
    names = [str(item.get("name", "")) for item in items]
    if "" in names or len(set(names)) < len(names):
        return {str(number): item for number, item in enumerate(items)}
    return {
        name: {key: value for key, value in item.items() if key != "name"}
        for name, item in zip(names, items, strict=True)
    }


def _text(value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value) or NOTHING
    return str(value)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
