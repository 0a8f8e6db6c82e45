from __future__ import annotations

import re

import pytest

from asteroid_ll.report.picture import Box, Mark, ReportFigure, picture, size_px
from asteroid_ll.report.style import render

JPL = "https://ssd.jpl.nasa.gov/"
LEFT, RIGHT = Box(0, 0, 200, 346), Box(200, 0, 242, 346)


@pytest.fixture(scope="module")
def content(makers) -> bytes:
    return render(makers["confusion"]().figure)


def _mark(x, *, name="(2004 KE17)", url=JPL):
    return Mark(x, 100.0, name, "missed, score 0.1", url, "error")


def test_the_size_is_that_of_the_inches_at_96_pixels(content):
    assert size_px(content) == (442, 346)


def test_a_figure_without_panels_is_an_image(content):
    drawn = picture(ReportFigure("Counts", "Four counts.", content))
    assert drawn.count("<img ") == 1
    assert 'width="442" height="346" alt="Four counts."' in drawn
    assert "<svg" not in drawn


def test_every_panel_is_a_window_on_one_image(content):
    drawn = picture(ReportFigure("Two halves", "Counts.", content, (LEFT, RIGHT)))
    assert drawn.count("data:image/png;base64,") == 1
    assert re.findall(r'viewBox="([^"]+)" width="(\d+)"', drawn) == [("0 0 200 346", "200"), ("200 0 242 346", "242")]
    (identity,) = re.findall(r'<image id="([^"]+)"', drawn)
    assert f'<use href="#{identity}"/>' in drawn
    assert "<figcaption>Counts.</figcaption>" in drawn


def test_a_mark_is_a_link_with_a_name_in_the_panel_that_contains_it(content):
    marks = (_mark(20.0), _mark(430.0, name="<b>"))
    windows = picture(ReportFigure("t", "Counts.", content, (LEFT, RIGHT), marks)).split("<svg ")[1:]
    assert [window.count("<a ") for window in windows] == [1, 1]
    assert 'aria-label="(2004 KE17), missed, score 0.1"' in windows[0]
    assert 'text-anchor="start"' in windows[0]
    assert 'aria-label="&lt;b&gt;, missed, score 0.1"' in windows[1]
    assert 'text-anchor="end"' in windows[1]


def test_a_mark_that_leads_to_a_script_is_refused(content):
    with pytest.raises(ValueError, match="begins with https"):
        picture(ReportFigure("t", "a", content, (LEFT, RIGHT), (_mark(1.0, url="javascript:alert(1)"),)))
