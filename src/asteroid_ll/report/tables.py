"""Numbers as text, and tables of scores as rows of text whose first row is the heading."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from asteroid_ll.evaluation.metrics import METRICS
from asteroid_ll.evaluation.scoreboard import TITLES, Scoreboard
from asteroid_ll.run.usage import Usage

Rows = list[tuple[str, ...]]

_CENT_USD = 0.01

NOTHING = "–"
"""Text for an undefined value."""


def format_number(value: float | None) -> str:
    """Format a number with four significant digits and separated thousands, without an exponent if possible.

    >>> [format_number(value) for value in (40860, 0.0512345, 1234.5678, 2461000.5, 1.5e-7, None)]
    ['40,860', '0.05123', '1,235', '2,461,000', '1.5e-07', '–']
    """
    if value is None or math.isnan(value):
        return NOTHING
    if isinstance(value, int) or (value == 0 or (float(value).is_integer() and abs(value) < 1e9)):
        return f"{int(value):,}"
    if not math.isfinite(value) or not 1e-4 <= abs(value) < 1e9:
        return f"{value:.4g}"
    decimals = max(3 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_score(value: float | None) -> str:
    """Format a score with four decimals, so a column of scores lines up."""
    return NOTHING if value is None else f"{value:.4f}"


def format_usd(usd: float | None) -> str:
    """Format a price of US dollars for a sentence.

    >>> [format_usd(usd) for usd in (0.0, 0.0001, 1.255, None)]
    ['0.00 USD', '< 0.01 USD', '1.25 USD', 'price unknown']
    """
    if usd is None:
        return "price unknown"
    return "< 0.01 USD" if 0 < usd < _CENT_USD else f"{usd:.2f} USD"


def score_rows(board: Scoreboard) -> Rows:
    """Return a table of scores: a row for each predictor, a column for each metric."""
    rows: Rows = [("", *(metric.title for metric in METRICS))]
    for name, scores in board.scores.items():
        rows.append((TITLES[name], *(format_score(scores[metric.key]) for metric in METRICS)))
    return rows


def confusion_rows(board: Scoreboard) -> Rows:
    """Return a table of each predictor's counts of rows."""
    rows: Rows = [("", "Rows", "Hazardous", "Found", "Missed", "False alarms", "Correctly rejected")]
    for name, s in board.scores.items():
        rows.append((TITLES[name], *(format_number(count) for count in (s.n, s.n_positive, s.tp, s.fn, s.fp, s.tn))))
    return rows


def reason_rows(board: Scoreboard) -> Rows:
    """Return a table of the undefined scores and their reasons."""
    titles = {metric.key: metric.title for metric in METRICS}
    rows: Rows = [("", "Metric", "Reason")]
    for name, scores in board.scores.items():
        rows += [(TITLES[name], titles.get(key, key), reason) for key, reason in scores.undefined.items()]
    return rows


def bill_rows(bill: Mapping[str, Any]) -> Rows:
    """Return a table of the costs beside the worst case, from `asteroid_ll.report.bill.bill_of`."""
    rows: Rows = [("", "Instances", "Billed s", "USD per h", "USD", "At most")]
    titles = {"clean": "Clean job", "encode": "Encode job", "training": "Training job", "endpoint": "Endpoint"}
    titles["transform"] = "Batch transform"
    for title, part in ((title, bill[name]) for name, title in titles.items() if name in bill):
        is_open = ", open" if part.get("is_open") else ""
        seconds = NOTHING if part["billable_s"] is None else f"{math.ceil(part['billable_s']):,}{is_open}"
        costs = (format_number(part["usd_per_h"]), _usd(part["usd"]), _usd(part["worst_case_usd"]))
        rows.append((title, part["instances"], seconds, *costs))
    return [*rows, ("Total", "", "", "", _usd(bill["usd"]), _usd(bill["worst_case_usd"]))]


def usage_rows(usage: Mapping[str, Usage]) -> Rows:
    """Return a table of the time and the memory of each stage, and of all together."""
    rows: Rows = [("Stage", "Time (s)", "CPU time (s)", "Peak memory (MB)")]
    for name, item in usage.items():
        at_most = "≤ " if item["is_upper_bound"] else ""
        rows.append((name, f"{item['wall_s']:.2f}", f"{item['cpu_s']:.2f}", f"{at_most}{item['peak_mb']:,.0f}"))
    times = (sum(item[key] for item in usage.values()) for key in ("wall_s", "cpu_s"))
    peak = max(item["peak_mb"] for item in usage.values())
    return [*rows, ("All", *(f"{seconds:.2f}" for seconds in times), f"{peak:,.0f}")]


def usage_gist(usage: Mapping[str, Usage]) -> str:
    """Return the time of all stages and the largest memory; empty if nothing is known."""
    if not usage:
        return ""
    _, seconds, _, peak = usage_rows(usage)[-1]
    return f"{seconds} s, at most {peak} MB"


def _usd(usd: float | None) -> str:
    return NOTHING if usd is None else f"{usd:.4f}"
