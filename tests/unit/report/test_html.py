from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from asteroid_ll.evaluation.findings import Finding
from asteroid_ll.report.html import (
    ReportData,
    ReportFacts,
    ReportFigure,
    ReportFindings,
    ReportSection,
    ReportTable,
    flatten,
    render_html,
)
from asteroid_ll.report.style import render

VOID = {"meta", "link", "img"}
HOSTILE = "<script>alert('x')</script> & \"quoted\""


class Outline(HTMLParser):
    """Checks the nesting of the tags and collects what a test asks for."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def full(makers) -> ReportData:
    address = f"https://ssd.jpl.nasa.gov/?{HOSTILE}"
    table = ReportTable(HOSTILE, [("", HOSTILE, "n"), (HOSTILE, "a", "1,234"), ("b", "c", "–")], (address, ""))
    return ReportData(
        HOSTILE,
        subtitle=HOSTILE,
        headline=[(HOSTILE, HOSTILE)],
        sections=[
            ReportSection("Scores", [table, ReportFindings([Finding("x", "warning", HOSTILE)])]),
            ReportSection(
                "All figures",
                [ReportFigure("png", HOSTILE, render(makers["confusion"]().figure))],
            ),
            ReportSection("Facts", [ReportFacts(HOSTILE, {"training": {HOSTILE: HOSTILE}, "none": None})]),
            ReportSection("Nothing", [ReportFacts("empty", {}), ReportFindings([]), ReportTable("empty", [])]),
        ],
        footer=HOSTILE,
    )


def _report(*sections: ReportSection) -> ReportData:
    return ReportData("t", subtitle="", headline=(), sections=sections, footer="")


def test_every_text_is_escaped_and_the_tags_nest(full):
    outline = Outline(render_html(full))
    assert "script" not in {tag for tag, _ in outline.tags}
    assert outline.text.count(HOSTILE) >= 11


def test_the_report_loads_nothing_from_the_network(full):
    document = render_html(full)
    without_images = re.sub(r"data:[a-z/+]+;base64,[A-Za-z0-9+/=]+", "", document)
    assert without_images.count("://") == without_images.count('<a href="https://ssd.jpl.nasa.gov/') == 1
    assert "@import" not in document
    assert "default-src &#x27;none&#x27;" in document
    for tag, attributes in Outline(document).tags:
        for name in ("src", "href"):
            allowed = ("data:", "#", "https://ssd.jpl.nasa.gov/") if tag == "a" else ("data:", "#")
            assert (attributes.get(name) or "#").startswith(allowed)


def test_the_first_cell_of_a_row_leads_to_its_address_and_gives_no_referrer(full):
    (link,) = [
        attributes for tag, attributes in Outline(render_html(full)).tags if attributes.get("rel") == "noreferrer"
    ]
    assert link["href"] == f"https://ssd.jpl.nasa.gov/?{HOSTILE}"


def test_an_address_that_could_run_a_script_is_refused():
    table = ReportTable("t", [("a",), ("b",)], ("javascript:alert(1)",))
    with pytest.raises(ValueError, match="begins with https"):
        render_html(_report(ReportSection("s", [table])))


def test_an_image_has_its_alternative_text_and_its_size(full):
    (image,) = [attributes for tag, attributes in Outline(render_html(full)).tags if tag == "img"]
    assert image["alt"] == HOSTILE
    assert image["src"].startswith("data:image/png;base64,")
    # 4.6 by 3.6 inches at 96 CSS pixels an inch.
    assert (image["width"], image["height"]) == ("442", "346")


def test_every_link_of_the_contents_leads_to_a_section(full):
    tags = Outline(render_html(full)).tags
    targets = [attributes["href"][1:] for tag, attributes in tags if tag == "a" and attributes["href"][0] == "#"]
    identifiers = {attributes.get("id") for _, attributes in tags}
    assert targets == ["scores", "all-figures", "facts"]
    assert set(targets) <= identifiers


def test_columns_of_numbers_are_aligned_to_the_right_and_words_are_not(full):
    document = render_html(full)
    assert '<td class="number">1,234</td>' in document
    assert '<td class="number">–</td>' in document
    assert "<td>a</td>" in document


def test_empty_sections_are_left_out():
    empty = ReportSection("Nothing", [ReportFacts("empty", {}), ReportFindings([]), ReportTable("empty", [])])
    tags = [tag for tag, _ in Outline(render_html(_report(empty))).tags]
    assert not {"section", "table", "img"} & set(tags)


def test_the_report_is_readable_in_light_and_dark_and_on_paper():
    document = render_html(_report())
    assert "@media (prefers-color-scheme: dark)" in document
    assert "@media print" in document


def test_nested_settings_become_dotted_keys():
    settings = {"a": {"b": {"c": 1}, "d": [True, None]}, "e": (), "f": 0.5}
    assert list(flatten(settings)) == [("a.b.c", "1"), ("a.d", "true, –"), ("e", "–"), ("f", "0.5")]


def test_a_list_of_mappings_is_shown_by_the_name_of_each_or_by_its_number():
    named = {"rules": [{"name": "doubles", "count": 3}, {"name": "gaps", "count": 0}]}
    assert list(flatten(named)) == [("rules.doubles.count", "3"), ("rules.gaps.count", "0")]
    assert list(flatten({"rules": [{"count": 3}, {"name": "x"}]})) == [("rules.0.count", "3"), ("rules.1.name", "x")]
