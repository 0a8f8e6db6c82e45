from __future__ import annotations

import doctest

import pandas as pd
import pytest

from asteroid_ll.evaluation.metrics import scoreboard
from asteroid_ll.report import tables
from asteroid_ll.report.summary import summarise


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


def test_all_tables_are_rectangular_text_with_a_heading():
    board = scoreboard([0, 1, 0, 0], [0.1, 0.9, 0.2, 0.3], train_labels=[0, 0, 1], rule_predicted=[0, 1, 0, 0])
    summary = summarise(pd.DataFrame({"moid_au": [0.1, 0.2], "name": ["a", "b"]}))
    for rows, n_body in (
        (tables.score_rows(board), 4),
        (tables.confusion_rows(board), 4),
        (tables.reason_rows(board), 4),
        (tables.summary_rows(summary), 2),
    ):
        assert len(rows) == 1 + n_body
        assert len({len(row) for row in rows}) == 1
        assert all(isinstance(cell, str) for row in rows for cell in row)


def test_an_undefined_score_is_a_dash_and_its_reason_is_given():
    board = scoreboard([0, 0], [0.1, 0.2], train_labels=[0, 1, 0])
    assert tables.score_rows(board)[1] == ("Linear Learner", "1.0000", "–", "–", "–", "–", "–", "0.1500")
    assert ("Linear Learner", "recall", "no label is positive") in tables.reason_rows(board)


def test_plain_text_lines_up():
    text = tables.plain_text([("", "F1"), ("Linear Learner", "0.99"), ("Majority", "–")])
    assert text.splitlines() == ["                  F1", "Linear Learner  0.99", "Majority           –"]
    assert tables.plain_text([]) == ""
