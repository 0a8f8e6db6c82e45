"""The report as a reader's browser shows it."""

from __future__ import annotations

import pytest

SCHEMES = ["light", "dark"]


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
    images = browser.evaluate("[...document.images].map(image => [image.naturalWidth, image.alt.length])")
    assert len(images) == 9
    assert all(width > 100 and length > 50 for width, length in images)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_does_not_scroll_sideways_on_a_desk_or_a_phone(browser, report, width):
    browser.show(report, scheme="light", width=width)
    assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_every_link_of_the_contents_leads_to_a_section_and_every_asteroid_to_jpl(browser, report):
    browser.show(report, scheme="light")
    targets = browser.evaluate("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))")
    assert len(targets) == 9
    for target in targets:
        assert browser.evaluate(f"document.querySelector('{target} > h2') !== null")
    outside = browser.evaluate("[...document.querySelectorAll('main a')].map(a => a.href)")
    assert outside
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
            return ["h1", ".subtitle", "td", "caption", "a", "thead th", "figcaption", "dt", "dd"].map(selector => {
                const element = document.querySelector(selector);
                const box = element.closest("figure") || element.closest("dl.headline div");
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
        drawn = browser.evaluate("getComputedStyle(document.querySelector('figure img')).filter")
        assert ("invert" in drawn) == inverted, (scheme, media)


def _luminance(colour):
    """Relative luminance of an sRGB colour, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    channels = [value / 255 for value in colour]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
