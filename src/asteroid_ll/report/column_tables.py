"""Tables of the clean table's columns as rows of text: first rows, types, statistics, counts and shapes.

All of them are made from ``explore/summary.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asteroid_ll.report.tables import NOTHING, Rows, format_number

Summary = Mapping[str, Any]

SHAPES = (
    "Shape of each histogram. With thousands of rows any test rejects an exact normal distribution, so the sizes "
    "decide: skewed from a skewness of 0.5, strongly from 1; flat or heavy-tailed from an excess kurtosis of 1; "
    "several peaks if Hartigan's dip is 0.01 or more with p < 0.01."
)
"""The sentence that explains how the shapes are named."""

_TYPES = {"dtype": "Type", "missing": "Missing", "distinct": "Distinct"}
_STATISTICS = {
    "mean": "Mean",
    "deviation": "Deviation",
    "minimum": "Min",
    "lower_quartile": "25 %",
    "median": "Median",
    "upper_quartile": "75 %",
    "maximum": "Max",
}


def head_rows(summary: Summary) -> Rows:
    """Return the first rows of the table, one per column under a heading."""
    rows = summary["head"]
    heading = ("Column", *(f"Row {number}" for number in range(1, len(rows) + 1)))
    names = [column["name"] for column in summary["columns"]]
    return [heading, *((name, *(_as_stored(row[name]) for row in rows)) for name in names)]


def type_rows(summary: Summary) -> Rows:
    """Return the unit, the type, and the numbers of missing and different values of each column."""
    rows: Rows = [("Column", "Unit", *_TYPES.values())]
    return rows + [
        (column["name"], column["unit"], *(cell(column[key]) for key in _TYPES)) for column in summary["columns"]
    ]


def statistics_rows(summary: Summary) -> Rows:
    """Return mean, standard deviation, extremes and quartiles of each column of numbers."""
    rows: Rows = [("Column", *_STATISTICS.values())]
    return rows + [(column["name"], *(cell(column[key]) for key in _STATISTICS)) for column in _numbers(summary)]


def count_rows(summary: Summary) -> Rows:
    """Return how often each value of the columns of few values occurs."""
    rows: Rows = [("Column", "Value", "Rows", "Share")]
    for column in summary["columns"]:
        for item in column["counts"]:
            share = f"{100 * item['count'] / summary['n_rows']:.1f} %"
            rows.append((column["name"], cell(item["value"]), format_number(item["count"]), share))
    return rows


def shape_rows(summary: Summary) -> Rows:
    """Return the shape of each histogram in words."""
    rows: Rows = [("Column", "Shape")]
    return rows + [(column["name"], column["shape"]["text"]) for column in _numbers(summary) if column["shape"]]


def cell(value: object) -> str:
    """Return a value of a table as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format_number(value) if value is None or isinstance(value, int | float) else str(value) or NOTHING


def _as_stored(value: object) -> str:
    """Return a value with eight digits, so a Julian date has its fraction."""
    return f"{value:.8g}" if isinstance(value, float) else str(value) if type(value) is int else cell(value)


def _numbers(summary: Summary) -> list[Mapping[str, Any]]:
    return [column for column in summary["columns"] if column["mean"] is not None and column["dtype"] != "bool"]
