from __future__ import annotations

import doctest

import pytest

from asteroid_ll.evaluation.baselines import scoreboard
from asteroid_ll.evaluation.metrics import METRICS
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.report import tables


def test_the_examples_in_the_documentation_hold():
    result = doctest.testmod(tables)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-12345, "-12,345"),
        (0.1, "0.1"),
        (0.00012345, "0.0001234"),
        (9999.9, "10,000"),
        (-0.0512345, "-0.05123"),
        (1.2e12, "1.2e+12"),
        (float("inf"), "inf"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_numbers_are_short_and_readable(value, text):
    assert tables.format_number(value) == text


def test_time_and_memory_have_a_sum_and_a_largest_value_and_mark_an_upper_bound():
    usage = {
        "fetch": {"wall_s": 0.5, "cpu_s": 0.25, "peak_mb": 80.4, "is_upper_bound": False},
        "clean": {"wall_s": 1.25, "cpu_s": 1.0, "peak_mb": 1234.5, "is_upper_bound": True},
    }
    rows = tables.usage_rows(usage)
    assert rows[1:] == [
        ("fetch", "0.50", "0.25", "80"),
        ("clean", "1.25", "1.00", "≤ 1,234"),
        ("All", "1.75", "1.25", "1,234"),
    ]
    assert tables.usage_gist(usage) == "1.75 s, at most 1,234 MB"
    assert tables.usage_gist({}) == ""


def test_all_tables_are_rectangular_text_with_a_heading():
    model = Predictions([0, 1, 0, 0], [0.1, 0.9, 0.2, 0.3])
    board = scoreboard([0, 1, 0, 0], model, train_labels=[0, 0, 1], predicted_by_rule=[0, 1, 0, 0])
    for rows in (tables.score_rows(board), tables.confusion_rows(board), tables.reason_rows(board)):
        assert len(rows) >= 5
        assert len({len(row) for row in rows}) == 1
        assert all(isinstance(cell, str) for row in rows for cell in row)


def test_an_undefined_score_is_a_dash_and_its_reason_is_given():
    board = scoreboard([0, 0], Predictions([0, 0], [0.1, 0.2]), train_labels=[0, 1, 0], predicted_by_rule=[0, 0])
    heading, model, *_ = tables.score_rows(board)
    assert heading == ("", *(metric.title for metric in METRICS))
    shown = dict(zip(heading, model, strict=True))
    assert (shown[""], shown["Accuracy"], shown["Recall"], shown["MAE"]) == ("Linear Learner", "1.0000", "–", "0.1500")
    assert ("Linear Learner", "Recall", "no label is positive") in tables.reason_rows(board)
