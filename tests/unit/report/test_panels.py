from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from asteroid_ll.evaluation.follow_up import Candidate
from asteroid_ll.evaluation.mistakes import Mistake
from asteroid_ll.report.model_plots import decision_plane
from asteroid_ll.report.panels import histogram_panels, marks_of, panels_of
from asteroid_ll.report.picture import size_px
from asteroid_ll.report.style import render

JPL = "https://ssd.jpl.nasa.gov/"


def _mistake(magnitude, moid):
    return Mistake("1", "One", "missed", 0.25, magnitude, moid, 0.0009, 0.5, JPL)


@pytest.mark.parametrize(
    ("name", "n_panels"),
    [("decision-plane", 2), ("ranking", 2), ("training", 2), ("learned-functions", 2), ("distributions", 3)],
)
def test_the_panels_fill_the_figure_and_no_ink_lies_on_their_borders(makers, name, n_panels):
    figure = makers[name]().figure
    content = render(figure)
    boxes = histogram_panels(content) if name == "distributions" else panels_of(figure)
    width, height = size_px(content)
    assert len(boxes) == n_panels
    assert sum(box.width * box.height for box in boxes) == width * height
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    for box in boxes[:-1]:
        edge = round((box.left + box.width) * pixels.shape[1] / width)
        assert (pixels[:, edge] == 255).mean() > 0.99, "a panel is cut through its ink"


def test_a_mark_lies_on_the_ring_that_the_image_has_there():
    x, y = np.array([15.0, 21.0, 30.0]), np.array([0.5, 0.04, 0.001])
    plot = decision_plane(x, y, labels=[0, 1, 0], predicted=[0, 0, 0], grid=None)
    (mark,) = marks_of(plot.figure, [_mistake(21.0, 0.04)], [])
    corner = panels_of(plot.figure)[1]
    assert corner.contains(mark.x, mark.y)
    content = render(plot.figure)
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    column, row = (round(place * 120 / 96) for place in (mark.x, mark.y))
    around = pixels[row - 9 : row + 10, column - 9 : column + 10]
    assert around.min() < 80, "no ring"
    dark = np.argwhere(around < 120)
    assert np.abs(dark.mean(axis=0) - 9).max() < 1.0


def test_a_point_outside_the_corner_is_marked_in_the_whole_plane_and_one_without_a_place_is_not():
    x, y = np.array([15.0, 21.0, 30.0]), np.array([0.5, 0.04, 0.001])
    plot = decision_plane(x, y, labels=[0, 1, 0], predicted=[0, 0, 0], grid=None)
    candidate = Candidate("2", "Two", 15.0, 0.3, 0.0009, 0.5, JPL)
    marks = marks_of(plot.figure, [_mistake(21.0, 0.0), _mistake(np.nan, 0.04)], [candidate])
    assert [(mark.name, mark.kind, mark.text) for mark in marks] == [
        ("Two", "follow-up", "follow-up, P(hazardous) 0.500")
    ]
    assert panels_of(plot.figure)[0].contains(marks[0].x, marks[0].y)
