from __future__ import annotations

import numpy as np

from asteroid_ll.evaluation.paired import ScoredRows, difference
from asteroid_ll.report.comparison_plots import ranking_overlay, training_overlay
from asteroid_ll.report.comparison_tables import difference_rows
from asteroid_ll.report.style import render


def _rows(noise: float, labels: np.ndarray | None = None) -> ScoredRows:
    rng = np.random.default_rng(1)
    labels = rng.random(500) < 0.2 if labels is None else labels
    scores = labels + noise * rng.normal(size=labels.size)
    return ScoredRows(np.arange(labels.size).astype(str), labels, scores, scores > 0.5)


def test_differences_have_a_sign_unless_they_are_zero():
    rows = difference_rows(difference(_rows(0.4), _rows(0.4)))
    assert {row[1:] for row in rows[1:]} == {("0.0000", "0.0000", "0.0000", "yes")}
    rows = difference_rows(difference(_rows(0.4), _rows(0.1)))
    assert all(cell.startswith("-") for cell in rows[1][1:4])
    assert rows[1][-1] == "no"


def test_an_undefined_difference_is_a_dash():
    labels = np.zeros(50, dtype=bool)
    rows = difference_rows(difference(_rows(0.1, labels), _rows(0.1, labels)))
    assert ("ROC AUC", "–", "–", "–", "–") in rows


def test_curves_of_several_runs_have_a_name_and_a_colour_each():
    plot = ranking_overlay({"A": _rows(0.2), "B": _rows(0.3), "C": _rows(0.4)})
    lines = plot.figure.axes[0].lines
    assert [line.get_label() for line in lines] == ["A", "B", "C"]
    assert len({line.get_color() for line in lines}) == 3
    assert "A ROC AUC " in plot.alt
    assert render(plot.figure) == render(plot.figure)


def test_good_models_are_shown_in_the_corner_and_one_class_has_no_curve():
    assert "from 0.9" in ranking_overlay({"A": _rows(0.1)}).alt
    plot = ranking_overlay({"A": _rows(0.1, np.zeros(20, dtype=bool))})
    assert "A ROC AUC –" in plot.alt
    assert render(plot.figure)


def test_training_curves_of_different_lengths_share_an_axis():
    plot = training_overlay({"A": [0.5, 0.01], "B": [0.4]}, part="validation")
    assert plot.figure.axes[0].get_yscale() == "log"
    assert "A from 0.5 to 0.01 in 2 epochs; B from 0.4 to 0.4 in 1 epoch." in plot.alt
    assert render(plot.figure)
