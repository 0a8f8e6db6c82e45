from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from asteroid_ll.evaluation.findings import Finding
from asteroid_ll.report.html import (
    ReportData,
    ReportFacts,
    ReportFindings,
    ReportNumber,
    ReportSection,
    ReportTable,
    flatten,
    render_html,
)
from asteroid_ll.report.picture import ReportFigure
from asteroid_ll.report.script import SCRIPT
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
        facts=[(HOSTILE, HOSTILE)],
        headline=[ReportNumber(HOSTILE, HOSTILE, HOSTILE, HOSTILE)],
        lead=[ReportFindings([Finding("x", "note", HOSTILE)])],
        sections=[
            ReportSection("Scores", [table, ReportFindings([Finding("x", "warning", HOSTILE)])], HOSTILE),
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
    return ReportData("t", facts=(), headline=(), lead=(), sections=sections, footer="")


def test_every_text_is_escaped_and_the_tags_nest(full):
    outline = Outline(render_html(full))
    assert [tag for tag, _ in outline.tags].count("script") == 1
    assert outline.text.count(HOSTILE) >= 18


def test_the_policy_allows_the_one_script_by_its_hash_and_no_other():
    document = render_html(_report())
    (script,) = re.findall(r"<script>(.*?)</script>", document, flags=re.DOTALL)
    assert script == SCRIPT
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [attributes["content"] for _, attributes in Outline(document).tags if "http-equiv" in attributes]
    assert policy.endswith(f"; script-src 'sha256-{digest}'")
    assert not re.search(r"\son\w+=", document.replace(script, ""))


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


def test_sections_are_folded_unless_they_start_open_and_are_named_by_their_heading():
    table = ReportTable("c", [("a",), ("b",)])
    document = render_html(
        _report(ReportSection("First One", [table], "a gist", is_open=True), ReportSection("B", [table]))
    )
    tags = Outline(document).tags
    assert [attributes for tag, attributes in tags if tag == "details"] == [{"open": None}, {}]
    sections = [attributes for tag, attributes in tags if tag == "section"]
    assert [(item["id"], item["aria-labelledby"]) for item in sections] == [
        ("first-one", "first-one-title"),
        ("b", "b-title"),
    ]
    assert '<summary><h2 id="first-one-title">First One</h2><span class="gist">a gist</span></summary>' in document


def test_a_number_stands_above_its_interval_and_its_note():
    numbers = [ReportNumber("F1", "0.9", "95 %: 0.8 to 1.0", "rule 0.9"), ReportNumber("Recall", "–")]
    document = render_html(ReportData("t", facts=(), headline=numbers, lead=(), sections=(), footer=""))
    assert '<dt>F1</dt><dd>0.9</dd><dd class="note">95 %: 0.8 to 1.0</dd><dd class="note">rule 0.9</dd>' in document
    assert "<dt>Recall</dt><dd>–</dd></div>" in document


def test_an_empty_heading_is_not_a_heading_and_only_rows_that_may_move_sort():
    rows = [("", "n"), ("a", "1")]
    tables = [ReportTable("moves", rows), ReportTable("stays", rows, sorts=False)]
    document = render_html(_report(ReportSection("s", tables)))
    assert document.count('<thead><tr><td></td><th scope="col" class="number">n</th></tr></thead>') == 2
    assert document.count('<table class="sorts">') == 1


def test_columns_of_numbers_are_aligned_to_the_right_and_words_are_not(full):
    document = render_html(full)
    assert '<td class="number">1,234</td>' in document
    assert '<td class="number">–</td>' in document
    assert "<td>a</td>" in document


def test_a_wide_table_has_the_heading_in_each_cell_for_a_phone():
    rows = [("Asteroid", "H (mag)", ""), ("Eros", "10.4", "x")]
    document = render_html(_report(ReportSection("s", [ReportTable("t", rows, stacks=True)])))
    assert '<table class="sorts stacks">' in document
    assert '<td class="number" data-name="H (mag)">10.4</td><td>x</td>' in document
    assert "data-name" not in render_html(_report(ReportSection("s", [ReportTable("t", rows)]))).replace(
        "data-name) ", ""
    )


def test_the_end_of_a_long_fact_is_behind_a_fold_that_has_all_of_it():
    command = "asteroid-ll run-all" + "".join(f" --set hyperparameters.setting_{number}=1" for number in range(9))
    document = render_html(ReportData("t", [("Command", command)], headline=(), lead=(), sections=(), footer=""))
    (start, whole) = re.findall(r"<summary>(.*?) … <span>all of it</span></summary>(.*?)</details>", document)[0]
    assert whole == command
    assert command.startswith(f"{start} ")
    assert len(start) <= 110


def test_empty_sections_are_left_out():
    empty = ReportSection("Nothing", [ReportFacts("empty", {}), ReportFindings([]), ReportTable("empty", [])])
    tags = [tag for tag, _ in Outline(render_html(_report(empty))).tags]
    assert not {"section", "table", "img"} & set(tags)


def test_the_report_is_readable_in_light_and_dark_and_on_paper():
    document = render_html(_report())
    assert "@media screen and (prefers-color-scheme: dark)" in document
    assert "@media print" in document


def test_nested_settings_become_dotted_keys():
    settings = {"a": {"b": {"c": 1}, "d": [True, None]}, "e": (), "f": 0.5}
    assert list(flatten(settings)) == [("a.b.c", "1"), ("a.d", "true, –"), ("e", "–"), ("f", "0.5")]


def test_a_list_of_mappings_is_shown_by_the_name_of_each_or_by_its_number():
    named = {"rules": [{"name": "doubles", "count": 3}, {"name": "gaps", "count": 0}]}
    assert list(flatten(named)) == [("rules.doubles.count", "3"), ("rules.gaps.count", "0")]
    assert list(flatten({"rules": [{"count": 3}, {"name": "x"}]})) == [("rules.0.count", "3"), ("rules.1.name", "x")]
