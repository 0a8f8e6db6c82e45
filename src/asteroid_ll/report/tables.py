"""Tables for people as plain rows of text, the first row being the heading; whoever prints them draws the lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asteroid_ll.evaluation.metrics import Scoreboard
from asteroid_ll.report.summary import TableSummary

Rows = list[tuple[str, ...]]

NOTHING = "–"
"""What stands for a value that is not defined."""


def format_number(value: float | None, *, digits: int = 4) -> str:
    """A number for people: ``digits`` significant digits, thousands apart, no exponent where it can be avoided.

    >>> [format_number(value) for value in (40860, 0.0512345, 1234.5678, 2461000.5, 1.5e-7, None)]
    ['40,860', '0.05123', '1,235', '2,461,000', '1.5e-07', '–']
    """
    if value is None or math.isnan(value):
        return NOTHING
    if isinstance(value, int) or (value == 0 or (float(value).is_integer() and abs(value) < 1e9)):
        return f"{int(value):,}"
    if not math.isfinite(value) or not 1e-4 <= abs(value) < 1e9:
        return f"{value:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_score(value: float | None, *, digits: int = 4) -> str:
    """A score in [0, 1] with a fixed number of decimals, so that a column of them lines up."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def score_rows(board: Scoreboard) -> Rows:
    """The model and its baselines, one row each, the metrics as columns."""
    heading = ("", "Accuracy", "Precision", "Recall", "F1", "ROC AUC", "Avg. precision", "MAE")
    rows: Rows = [heading]
    for row in board.rows:
        scores = row.scores
        values = (
            scores.accuracy,
            scores.precision,
            scores.recall,
            scores.f1,
            scores.roc_auc,
            scores.average_precision,
            scores.mae,
        )
        rows.append((row.title, *(format_score(value) for value in values)))
    return rows


def confusion_rows(board: Scoreboard) -> Rows:
    """The four counts of the model and its baselines."""
    rows: Rows = [("", "Rows", "Hazardous", "Found", "Missed", "False alarms", "Rightly passed")]
    for row in board.rows:
        s = row.scores
        rows.append((row.title, *(format_number(count) for count in (s.n, s.n_positive, s.tp, s.fn, s.fp, s.tn))))
    return rows


def reason_rows(board: Scoreboard) -> Rows:
    """Why a value of `score_rows` is missing; the heading alone where none is."""
    rows: Rows = [("", "Value", "Reason")]
    for row in board.rows:
        rows += [(row.title, name, reason) for name, reason in row.scores.undefined.items()]
    return rows


def summary_rows(summary: TableSummary) -> Rows:
    """The columns of a table, one row each."""
    rows: Rows = [("Column", "Unit", "Type", "Missing", "Distinct", "Min", "Median", "Max")]
    for column in summary.columns:
        extent = (column.minimum, column.median, column.maximum)
        rows.append(
            (
                column.name,
                column.unit,
                column.dtype,
                format_number(column.missing),
                format_number(column.distinct),
                *(format_number(value) for value in extent),
            )
        )
    return rows


def plain_text(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as aligned text without lines: the first column to the left, the others to the right, two blanks apart."""
    if not rows:
        return ""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
