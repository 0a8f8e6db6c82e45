"""The report as a reader's browser shows it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

SCHEMES = ["light", "dark"]
OPEN_ALL = "document.querySelectorAll('details').forEach(fold => { fold.open = true; })"
FOLDER = Path(__file__).resolve().parents[2]
AXE = [FOLDER / ".interop/node_modules/axe-core/axe.min.js"]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_report_opens_without_a_complaint_and_asks_nothing_of_the_network(browser, report, scheme):
    browser.show(report, scheme=scheme)
    assert browser.complaints() == []
    requested = browser.requested()
    assert requested[0] == report.as_uri()
    assert len(requested) > 5
    assert {address.partition(":")[0] for address in requested[1:]} == {"data"}


def test_every_figure_is_drawn_and_has_an_alternative_text(browser, report):
    browser.show(report, scheme="light")
    browser.evaluate(OPEN_ALL)
    images = browser.evaluate("[...document.images].map(image => [image.naturalWidth, image.alt.length])")
    assert len(images) == 4
    assert all(width > 100 and length > 50 for width, length in images)
    panels = browser.evaluate(
        """[...document.querySelectorAll(".panels")].map(panels => [
            panels.closest("figure").querySelector("figcaption").textContent.length,
            ...[...panels.children].map(svg => svg.getBoundingClientRect().width)])"""
    )
    assert len(panels) == 5
    assert all(length > 50 and min(widths) > 200 and len(widths) >= 2 for length, *widths in panels)


def test_the_first_screen_of_a_desk_has_the_numbers_the_sentences_and_the_decision_plot(browser, report):
    browser.show(report, scheme="light", width=1200)
    ends = browser.evaluate(
        """["dl.run", "dl.headline", "ul.findings", "header figure"].map(
            selector => document.querySelector(selector).getBoundingClientRect().bottom)"""
    )
    assert ends == sorted(ends)
    assert ends[-1] <= 800
    assert browser.evaluate("document.documentElement.scrollHeight") < 4000


def test_a_phone_has_one_panel_per_row_with_letters_that_can_be_read(browser, report):
    browser.show(report, scheme="light", width=390)
    browser.evaluate(OPEN_ALL)
    places = browser.evaluate(
        """[...document.querySelectorAll(".panels")].map(panels => [...panels.children].map(svg => {
            const box = svg.getBoundingClientRect();
            return [box.left, box.top, box.width / svg.width.baseVal.value];
        }))"""
    )
    for panels in places:
        assert all(first[1] < second[1] for first, second in pairwise(panels))
        assert all(panel[2] > 0.6 for panel in panels), "the letters of 12 pixels are smaller than 7"


def test_a_point_shows_its_asteroids_name_on_hover_and_on_focus(browser, report):
    browser.show(report, scheme="light")
    name = "getComputedStyle(document.querySelector('.panels a.error text')).display"
    assert browser.evaluate(name) == "none"
    browser.evaluate("document.querySelector('.panels a.error').focus()")
    assert browser.evaluate(name) == "block"
    browser.evaluate("document.activeElement.blur()")
    assert browser.evaluate(name) == "none"
    box = browser.evaluate(
        "(box => [box.x + box.width / 2, box.y + box.height / 2])("
        "document.querySelector('.panels a.error circle').getBoundingClientRect())"
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    assert browser.evaluate(name) == "block"


def test_a_table_sorts_by_number_and_by_text_and_filters(browser, report):
    browser.show(report, scheme="light")
    table = "[...document.querySelectorAll('table.sorts')].find(table => table.tBodies[0].rows.length === 15)"
    column = "[...{}.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[{}].textContent)"
    magnitudes = column.format(table, 2)
    before = browser.evaluate(magnitudes)
    for sign in (1, -1):
        browser.evaluate(f"{table}.querySelectorAll('thead button')[2].click()")
        assert browser.evaluate(magnitudes) == sorted(before, key=lambda text: sign * float(text))
    assert browser.evaluate(f"{table}.querySelectorAll('thead th')[2].getAttribute('aria-sort')") == "descending"
    browser.evaluate(f"{table}.querySelectorAll('thead button')[0].click()")
    names = browser.evaluate(column.format(table, 0))
    wanted = names[0].strip("()").lower()
    browser.evaluate(
        f"(field => {{ field.value = {wanted!r}; field.dispatchEvent(new Event('input')); }})("
        f"{table}.parentElement.previousElementSibling.querySelector('input'))"
    )
    assert browser.evaluate(column.format(table, 0)) == [names[0]]


def test_an_address_with_a_section_opens_it_and_paper_has_all_of_them(browser, report):
    browser.show(report, scheme="light")
    closed = "[...document.querySelectorAll('details')].filter(fold => !fold.open).length"
    assert browser.evaluate(closed) == 8
    browser.evaluate("location.hash = 'data'; reveal = new Event('hashchange'); dispatchEvent(reveal)")
    assert browser.evaluate("document.querySelector('#data details').open")
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert browser.evaluate(closed) == 0
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate(closed) == 7


def test_without_scripts_every_section_can_be_opened_and_printed(browser, report):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for media in ("screen", "print"):
            browser.show(report, scheme="light", media=media)
            document = browser.call("DOM.getDocument")["root"]["nodeId"]
            buttons = browser.call("DOM.querySelectorAll", nodeId=document, selector="button, input")["nodeIds"]
            assert buttons == []
            summary = browser.call("DOM.querySelector", nodeId=document, selector="#scores summary")["nodeId"]
            table = browser.call("DOM.querySelector", nodeId=document, selector="#scores td:nth-child(2)")["nodeId"]
            if media == "screen":
                x, y, *_ = browser.call("DOM.getBoxModel", nodeId=summary)["model"]["content"]
                for kind in ("mousePressed", "mouseReleased"):
                    browser.call("Input.dispatchMouseEvent", type=kind, x=x + 5, y=y + 5, button="left", clickCount=1)
            assert browser.call("DOM.getBoxModel", nodeId=table)["model"]["height"] > 0
            assert browser.complaints() == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.interop
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_axe_has_no_finding_whether_sections_are_folded_or_open(browser, report, scheme, width):
    script = next(filter(Path.is_file, AXE), None)
    if script is None:
        pytest.skip(f"axe-core is not installed: run npm install --prefix {AXE[0].parents[2]} axe-core")
    browser.show(report, scheme=scheme, width=width)
    browser.evaluate(f"{script.read_text(encoding='utf-8')}; 1")
    for opened in (False, True):
        if opened:
            browser.evaluate(OPEN_ALL)
        answer = browser.call(
            "Runtime.evaluate",
            expression="axe.run().then(found => found.violations.map(item => [item.id, item.nodes[0].html]))",
            awaitPromise=True,
            returnByValue=True,
        )
        assert answer["result"]["value"] == []


@pytest.mark.one_in(2)
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_does_not_scroll_sideways_on_a_desk_or_a_phone(browser, report, width):
    browser.show(report, scheme="light", width=width)
    assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_every_asteroid_leads_to_jpl(browser, report):
    browser.show(report, scheme="light")
    outside = browser.evaluate("[...document.querySelectorAll('a')].map(a => a.href.baseVal || a.href)")
    assert len(outside) > 40
    assert all(address.startswith("https://ssd.jpl.nasa.gov/tools/sbdb_lookup.html#/?sstr=") for address in outside)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_from_its_background(browser, report, scheme):
    """At least 4.5 to 1, as WCAG 2.2 asks of text (success criterion 1.4.3)."""
    browser.show(report, scheme=scheme)
    colours = browser.evaluate(
        """(() => {
            const rgb = text => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
            const page = getComputedStyle(document.body).backgroundColor;
            const texts = ["h1", "td", "caption", "tbody a", "thead th", "figcaption"];
            return [...texts, "dt", "dd", ".note", ".gist", "button"].map(selector => {
                const element = document.querySelector(selector);
                const box = element.closest("figure") || element.closest("dl.headline div, button");
                const behind = box ? getComputedStyle(box).backgroundColor : page;
                return [selector, rgb(getComputedStyle(element).color), rgb(behind)];
            });
        })()"""
    )
    for selector, ink, paper in colours:
        lighter, darker = sorted((_luminance(ink), _luminance(paper)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, selector


def test_a_dark_reader_gets_dark_figures_and_paper_gets_light_ones(browser, report):
    for scheme, media, inverted in (("light", "screen", False), ("dark", "screen", True), ("dark", "print", False)):
        browser.show(report, scheme=scheme, media=media)
        drawn = browser.evaluate(
            "[...document.querySelectorAll('figure img, .panels g')].map(item => getComputedStyle(item).filter)"
        )
        assert len(drawn) > 10
        assert {"invert" in item for item in drawn} == {inverted}, (scheme, media)


def _luminance(colour):
    """Relative luminance of an sRGB colour, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    channels = [value / 255 for value in colour]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
