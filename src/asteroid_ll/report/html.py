"""One self-contained HTML file: a first screen, then folded sections of figures, tables, findings and facts.

The file loads nothing from the network, and its content security policy enforces that; the one script that it allows is
`asteroid_ll.report.script`. Every text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from asteroid_ll.evaluation.findings import Finding
from asteroid_ll.report.picture import ReportFigure, checked, picture
from asteroid_ll.report.script import HASH, SCRIPT
from asteroid_ll.report.stylesheet import CSS
from asteroid_ll.report.tables import NOTHING, Rows

_POLICY = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '{HASH}'"
_LONG = 30  # characters of a text that may wrap
_LONG_FACT = 110  # characters of a fact that leave the first screen its height
_NUMBER = re.compile(rf"[-+−]?[\d,]+(\.\d+)?(e[-+]?\d+)?( ?%)?|{NOTHING}")


@dataclass(frozen=True)
class ReportTable:
    """Rows of text under a caption, the first row being the heading.

    Attributes:
        caption: one line above the table.
        rows: the heading, then the body.
        links: a web address for the first cell of each row of the body, or nothing.
        sorts: whether a row means the same in every place, so the reader may sort the rows.
        stacks: whether a phone shows each row as a list of its cells with their headings, because they are too wide.
    """

    caption: str
    rows: Rows
    links: tuple[str, ...] = ()
    sorts: bool = True
    stacks: bool = False


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
    """A heading and its blocks; an empty section is left out.

    Attributes:
        title: the heading.
        blocks: the contents.
        gist: a few words beside the heading, which the reader sees while the section is folded.
        is_open: whether the section starts unfolded.
    """

    title: str
    blocks: Sequence[Block]
    gist: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class ReportNumber:
    """One of the most important numbers.

    Attributes:
        name: its name.
        value: the number.
        interval: its interval; empty if it has none.
        note: a few words, such as the counts behind it.
    """

    name: str
    value: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True)
class ReportData:
    """The contents of a report.

    Attributes:
        title: the heading.
        facts: what was run, as name and text.
        headline: the most important numbers.
        lead: the other blocks of the first screen.
        sections: the folded sections in order.
        footer: a last line.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    headline: Sequence[ReportNumber]
    lead: Sequence[Block]
    sections: Sequence[ReportSection]
    footer: str


def render_html(data: ReportData) -> str:
    """Return the report as one HTML document, to be written as UTF-8.

    Raises:
        ValueError: a link is not an https address.
    """
    sections = "\n".join(map(_section, data.sections))
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{_folded(text)}</dd></div>" for name, text in data.facts)
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
<header><h1>{escape(data.title)}</h1><dl class="run">{facts}</dl>
<dl class="headline">{"".join(map(_number, data.headline))}</dl>
{"".join(_blocks(data.lead))}</header>
<main>
{sections}
</main>
<footer><p>{escape(data.footer)}</p></footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _folded(text: str) -> str:
    """Return a fact, the end of a long one behind a fold, so that it has one line of the first screen."""
    if len(text) <= _LONG_FACT:
        return escape(text)
    start = text[: text.rfind(" ", 0, _LONG_FACT)].removesuffix(" --set")
    return f'<details class="fact"><summary>{escape(start)} … <span>all of it</span></summary>{escape(text)}</details>'


def _section(section: ReportSection) -> str:
    body = "".join(_blocks(section.blocks))
    if not body:
        return ""
    name, gist = section.title.lower().replace(" ", "-"), escape(section.gist)
    return (
        f'<section id="{name}" aria-labelledby="{name}-title"><details{" open" if section.is_open else ""}>'
        f'<summary><h2 id="{name}-title">{escape(section.title)}</h2><span class="gist">{gist}</span></summary>\n'
        f"{body}\n</details></section>"
    )


def _number(number: ReportNumber) -> str:
    notes = "".join(f'<dd class="note">{escape(text)}</dd>' for text in (number.interval, number.note) if text)
    return f"<div><dt>{escape(number.name)}</dt><dd>{escape(number.value)}</dd>{notes}</div>"


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
        return picture(block)
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


def _table(table: ReportTable) -> str:
    if not table.rows:
        return ""
    heading, *body = table.rows
    # A heading is aligned like its column's values.
    right = [all(_NUMBER.fullmatch(row[index]) for row in body) and bool(body) for index in range(len(heading))]
    head = "".join(_head(text, right=flag) for text, flag in zip(heading, right, strict=True))
    links = table.links or ("",) * len(body)
    names = heading if table.stacks else ("",) * len(heading)
    lines = "".join(
        f"<tr>{_cell('th', row[0], right=right[0], scope='row', link=link)}"
        + "".join(
            _cell("td", text, right=flag, name=name)
            for text, flag, name in zip(row[1:], right[1:], names[1:], strict=True)
        )
        + "</tr>\n"
        for row, link in zip(body, links, strict=True)
    )
    kinds = " ".join(name for name, has_it in (("sorts", table.sorts), ("stacks", table.stacks)) if has_it)
    kind = f' class="{kinds}"' if kinds else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.caption)}">'
        f"<table{kind}>"
        f"{_caption(table.caption)}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>\n"
    )


def _caption(text: str) -> str:
    return f"<caption><span>{escape(text)}</span></caption>"


def _head(text: str, *, right: bool) -> str:
    # An empty heading would be read aloud as one.
    return _cell("th", text, right=right, scope="col") if text else "<td></td>"


def _cell(tag: str, text: str, *, right: bool, scope: str = "", link: str = "", name: str = "") -> str:
    kind = "number" if right else "long" if len(text) > _LONG else ""
    named = (("scope", scope), ("class", kind), ("data-name", name))
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in named if value)
    content = escape(text)
    if link:
        content = f'<a href="{escape(checked(link))}" rel="noreferrer">{content}</a>'
    return f"<{tag}{attributes}>{content}</{tag}>"


def _facts(facts: ReportFacts) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(text)}</td></tr>\n' for key, text in flatten(facts.values)
    )
    table = f'<table class="facts">{_caption(facts.caption)}<tbody>{lines}</tbody></table>'
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
