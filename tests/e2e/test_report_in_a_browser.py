"""The report as a reader's browser shows it."""

from __future__ import annotations

from itertools import pairwise

import pytest

SCHEMES = ["light", "dark"]
OPEN_ALL = "document.querySelectorAll('details').forEach(fold => { fold.open = true; })"


@pytest.mark.one_in(2)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_report_opens_without_a_complaint_and_asks_nothing_of_the_network(browser, report, scheme):
    browser.show(report, scheme=scheme)
    assert browser.complaints() == []
    requested = browser.requested()
    assert requested[0] == report.as_uri()
    assert len(requested) > 5
    assert {address.partition(":")[0] for address in requested[1:]} == {"data"}


def test_every_figure_is_drawn_and_has_an_alternative_text(desk):
    desk.evaluate(OPEN_ALL)
    images = desk.evaluate("[...document.images].map(image => [image.naturalWidth, image.alt.length])")
    assert len(images) == 4
    assert all(width > 100 and length > 50 for width, length in images)
    panels = desk.evaluate(
        """[...document.querySelectorAll(".panels")].map(panels => [
            panels.closest("figure").querySelector("figcaption").textContent.length,
            ...[...panels.children].map(svg => svg.getBoundingClientRect().width)])"""
    )
    assert len(panels) == 5
    assert all(length > 50 and min(widths) > 200 and len(widths) >= 2 for length, *widths in panels)


def test_the_first_screen_of_a_desk_has_the_numbers_the_sentences_and_the_decision_plot(desk):
    ends = desk.evaluate(
        """["dl.run", "dl.headline", "ul.findings", "header figure"].map(
            selector => document.querySelector(selector).getBoundingClientRect().bottom)"""
    )
    assert ends == sorted(ends)
    assert ends[-1] <= 800


def test_a_point_shows_its_asteroids_name_on_hover_and_on_focus(desk):
    name = "getComputedStyle(document.querySelector('.panels a.error text')).display"
    assert desk.evaluate(name) == "none"
    desk.evaluate("document.querySelector('.panels a.error').focus()")
    assert desk.evaluate(name) == "block"
    desk.evaluate("document.activeElement.blur()")
    assert desk.evaluate(name) == "none"
    box = desk.evaluate(
        "(box => [box.x + box.width / 2, box.y + box.height / 2])("
        "document.querySelector('.panels a.error circle').getBoundingClientRect())"
    )
    desk.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    assert desk.evaluate(name) == "block"


def test_a_table_sorts_by_number_and_by_text_and_filters(desk):
    table = "[...document.querySelectorAll('table.sorts')].find(table => table.tBodies[0].rows.length === 15)"
    column = "[...{}.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[{}].textContent)"
    magnitudes = column.format(table, 2)
    before = desk.evaluate(magnitudes)
    for sign in (1, -1):
        desk.evaluate(f"{table}.querySelectorAll('thead button')[2].click()")
        assert desk.evaluate(magnitudes) == sorted(before, key=lambda text: sign * float(text))
    assert desk.evaluate(f"{table}.querySelectorAll('thead th')[2].getAttribute('aria-sort')") == "descending"
    desk.evaluate(f"{table}.querySelectorAll('thead button')[0].click()")
    names = desk.evaluate(column.format(table, 0))
    wanted = names[0].strip("()").lower()
    desk.evaluate(
        f"(field => {{ field.value = {wanted!r}; field.dispatchEvent(new Event('input')); }})("
        f"{table}.parentElement.previousElementSibling.querySelector('input'))"
    )
    assert desk.evaluate(column.format(table, 0)) == [names[0]]


def test_an_address_with_a_section_opens_it_and_paper_has_all_of_them(desk):
    closed = "[...document.querySelectorAll('details')].filter(fold => !fold.open).length"
    desk.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = fold.matches('#decisions *'); })")
    assert desk.evaluate("document.documentElement.scrollHeight") < 4000
    assert desk.evaluate(closed) == 9
    desk.evaluate("location.hash = 'data'; dispatchEvent(new Event('hashchange'))")
    assert desk.evaluate("document.querySelector('#data details').open")
    desk.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert desk.evaluate(closed) == 0
    desk.evaluate("dispatchEvent(new Event('afterprint'))")
    assert desk.evaluate(closed) == 8


def test_every_asteroid_leads_to_jpl(desk):
    outside = desk.evaluate("[...document.querySelectorAll('a')].map(a => a.href.baseVal || a.href)")
    assert len(outside) > 40
    assert all(address.startswith("https://ssd.jpl.nasa.gov/tools/sbdb_lookup.html#/?sstr=") for address in outside)


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


def test_a_phone_shows_the_tables_of_asteroids_and_of_columns_without_a_sideways_scroll(browser, report):
    browser.show(report, scheme="light", width=390)
    browser.evaluate(OPEN_ALL)
    tables = browser.evaluate(
        """[...document.querySelectorAll("table.stacks")].map(table => [
            table.parentElement.scrollWidth - table.parentElement.clientWidth,
            getComputedStyle(table.querySelector("td"), "::before").content])"""
    )
    assert len(tables) == 5
    assert {overflow for overflow, _ in tables} == {0}
    assert tables[0][1].startswith('"Error')


def test_a_phone_shows_the_key_and_the_value_of_each_fact_without_a_sideways_scroll(browser, report):
    browser.show(report, scheme="light", width=390)
    browser.evaluate(OPEN_ALL)
    tables = browser.evaluate(
        """[...document.querySelectorAll("table.facts")].map(table => [
            table.parentElement.scrollWidth - table.parentElement.clientWidth,
            ...[...table.querySelectorAll("th, td")].map(cell => cell.clientWidth)])"""
    )
    assert len(tables) >= 3
    for overflow, *widths in tables:
        assert overflow == 0
        assert min(widths) > 100


def test_two_runs_stand_side_by_side_on_a_phone_without_a_complaint_or_a_sideways_scroll(browser, comparison):
    browser.show(comparison, scheme="light", width=390)
    assert browser.complaints() == []
    assert {address.partition(":")[0] for address in browser.requested()[1:]} == {"data"}
    assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert browser.evaluate("document.querySelectorAll('figure').length") == 2


def test_without_scripts_every_section_can_be_opened_and_printed(browser, report):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.show(report, scheme="light")
        root = browser.call("DOM.getDocument")["root"]["nodeId"]
        assert browser.call("DOM.querySelectorAll", nodeId=root, selector="button, input")["nodeIds"] == []
        summary, cell, paper = (
            browser.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
            for selector in ("#scores summary", "#scores td + td", "#thresholds td + td")
        )
        x, y, *_ = browser.call("DOM.getBoxModel", nodeId=summary)["model"]["content"]
        for kind in ("mousePressed", "mouseReleased"):
            browser.call("Input.dispatchMouseEvent", type=kind, x=x + 5, y=y + 5, button="left", clickCount=1)
        assert browser.call("DOM.getBoxModel", nodeId=cell)["model"]["height"] > 0
        browser.call("Emulation.setEmulatedMedia", media="print")
        assert browser.call("DOM.getBoxModel", nodeId=paper)["model"]["height"] > 0
        assert browser.complaints() == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
        browser.shown = ()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_does_not_scroll_sideways_on_a_desk_or_a_phone(browser, report, width):
    browser.show(report, scheme="light", width=width)
    assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


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
