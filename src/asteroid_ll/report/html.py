"""One self-contained HTML file: scores, findings, figures, configuration, provenance, bill.

The file asks nothing of the network, and its content security policy holds the browser to that. Every text is escaped.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from asteroid_ll.report.findings import Finding
from asteroid_ll.report.style import DOTS_PER_INCH
from asteroid_ll.report.stylesheet import CSS
from asteroid_ll.report.tables import NOTHING, Rows

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CSS_PIXELS_PER_INCH = 96
_NUMBER = re.compile(rf"[-+−]?[\d,]+(\.\d+)?(e[-+]?\d+)?( ?%)?|{NOTHING}")


@dataclass(frozen=True)
class ReportFigure:
    """A drawn figure: a line of title, the alternative text, and a PNG or SVG file's bytes."""

    title: str
    alt: str
    content: bytes


@dataclass(frozen=True)
class ReportTable:
    """Rows of text under a caption, the first row being the heading."""

    caption: str
    rows: Rows


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows, as plain values. What is empty is left out of the report.

    Attributes:
        title: the heading.
        subtitle: one line below it: which data, which features, which split.
        headline: the few numbers that matter, as name and text.
        findings: see `findings.findings`.
        scores: tables of the metrics, baselines included.
        figures: in the order in which they are shown.
        tables: further tables, such as the columns of the data.
        configuration: the effective configuration, nested as in its file.
        provenance: where the data come from.
        bill: tables of what was billed and of what is still open.
        fingerprints: stage to content fingerprint.
        environment: versions of what computed this.
        footer: a last line, such as the command that made the report.
    """

    title: str
    subtitle: str = ""
    headline: Sequence[tuple[str, str]] = ()
    findings: Sequence[Finding] = ()
    scores: Sequence[ReportTable] = ()
    figures: Sequence[ReportFigure] = ()
    tables: Sequence[ReportTable] = ()
    configuration: Mapping[str, object] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    bill: Sequence[ReportTable] = ()
    fingerprints: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    footer: str = ""


def render_html(data: ReportData) -> str:
    """The report as one HTML document, to be written as UTF-8.

    Raises:
        ValueError: a figure is neither PNG nor SVG.
    """
    sections = [(title, body) for title, body in _sections(data) if body]
    links = "".join(f'<li><a href="#{_anchor(title)}">{escape(title)}</a></li>' for title, _ in sections)
    bodies = "\n".join(
        f'<section id="{_anchor(title)}" aria-labelledby="{_anchor(title)}-title">'
        f'<h2 id="{_anchor(title)}-title">{escape(title)}</h2>\n{body}\n</section>'
        for title, body in sections
    )
    subtitle = f'<p class="subtitle">{escape(data.subtitle)}</p>' if data.subtitle else ""
    footer = f"<footer><p>{escape(data.footer)}</p></footer>" if data.footer else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(data.title)}</title>
<link rel="icon" href="data:,">
<style>{CSS}</style>
</head>
<body>
<header><h1>{escape(data.title)}</h1>{subtitle}
<nav aria-label="Sections"><ul>{links}</ul></nav>{_headline(data.headline)}</header>
<main>
{bodies}
</main>
{footer}
</body>
</html>
"""


def flatten(values: Mapping[str, object], *, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as dotted keys with their values as text; a sequence is one comma-separated value."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _sections(data: ReportData) -> Iterator[tuple[str, str]]:
    yield "Scores", "".join(map(_table, data.scores))
    yield "Findings", _findings(data.findings)
    yield "Figures", _figures(data.figures)
    yield "Data", "".join(map(_table, data.tables))
    yield "Bill", "".join(map(_table, data.bill))
    yield "Configuration", _facts("Configuration", data.configuration)
    yield "Provenance", _facts("Provenance", data.provenance)
    yield "Fingerprints", _facts("Fingerprints", data.fingerprints)
    yield "Environment", _facts("Environment", data.environment)


def _headline(items: Sequence[tuple[str, str]]) -> str:
    cards = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in items)
    return f'<dl class="headline">{cards}</dl>' if cards else ""


def _findings(items: Sequence[Finding]) -> str:
    lines = "".join(
        f'<li class="{item.level}"><b>{item.level.capitalize()}</b>{escape(item.text)}</li>' for item in items
    )
    return f'<ul class="findings">{lines}</ul>' if lines else ""


def _figures(items: Sequence[ReportFigure]) -> str:
    drawn = "".join(_figure(item) for item in items)
    return f'<div class="figures">{drawn}</div>' if drawn else ""


def _figure(item: ReportFigure) -> str:
    if item.content.startswith(_PNG_SIGNATURE):
        media_type = "image/png"
        # Width and height are the first fields of the first chunk: https://www.w3.org/TR/png-3/#11IHDR
        pixels = struct.unpack(">II", item.content[16:24])
        width, height = (round(count * _CSS_PIXELS_PER_INCH / DOTS_PER_INCH) for count in pixels)
        size, caption = f' width="{width}" height="{height}"', f' style="max-width: {width}px"'
    elif b"<svg" in item.content[:1000]:
        media_type, size, caption = "image/svg+xml", "", ""
    else:
        raise ValueError(f"The figure {item.title!r} is neither PNG nor SVG.")
    source = f"data:{media_type};base64,{base64.b64encode(item.content).decode('ascii')}"
    alt = escape(item.alt)
    # The caption repeats the alternative text for those who see, so that a screen reader should not read it twice.
    return (
        f'<figure aria-label="{escape(item.title)}"><img src="{source}"{size} alt="{alt}">'
        f'<figcaption aria-hidden="true"{caption}>{alt}</figcaption></figure>\n'
    )


def _table(table: ReportTable) -> str:
    if not table.rows:
        return ""
    heading, *body = table.rows
    # A heading goes where its column's values go.
    right = [all(_NUMBER.fullmatch(row[index]) for row in body) and bool(body) for index in range(len(heading))]
    head = "".join(_cell("th", text, right=flag, scope="col") for text, flag in zip(heading, right, strict=True))
    lines = "".join(
        f"<tr>{_cell('th', row[0], right=right[0], scope='row')}"
        + "".join(_cell("td", text, right=flag) for text, flag in zip(row[1:], right[1:], strict=True))
        + "</tr>\n"
        for row in body
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.caption)}"><table>'
        f"<caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>\n"
    )


def _cell(tag: str, text: str, *, right: bool, scope: str = "") -> str:
    attributes = (f' scope="{scope}"' if scope else "") + (' class="number"' if right else "")
    return f"<{tag}{attributes}>{escape(text)}</{tag}>"


def _facts(name: str, values: Mapping[str, object]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(text)}</td></tr>\n' for key, text in flatten(values)
    )
    table = f'<table class="facts"><tbody>{lines}</tbody></table>'
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name)}">{table}</div>' if lines else ""


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
