"""Tables of a model's results as rows of text: scores with intervals, thresholds, calibration, mistakes, the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.evaluation.calibration import Calibration
from asteroid_ll.evaluation.intervals import METRICS
from asteroid_ll.evaluation.metrics import Scoreboard
from asteroid_ll.evaluation.mistakes import Mistake
from asteroid_ll.evaluation.thresholds import Cheapest, ThresholdRow
from asteroid_ll.report.tables import NOTHING, Rows, format_number, format_score

_METRIC_TITLES = ("Accuracy", "Precision", "Recall", "F1", "ROC AUC", "Avg. precision")


def interval_rows(board: Scoreboard, intervals: Mapping[str, Mapping[str, Mapping[str, float] | None]]) -> Rows:
    """The model and its baselines, with the intervals in the row below where there are any.

    Args:
        board: the scores.
        intervals: ``low`` and ``high`` by predictor and metric, as `intervals.to_json` has them under ``scores``.
    """
    rows: Rows = [("", *_METRIC_TITLES)]
    for row in board.rows:
        rows.append((row.title, *(format_score(getattr(row.scores, metric)) for metric in METRICS)))
        known = intervals.get(row.name, {})
        if known:
            found = (known.get(metric) for metric in METRICS)
            cells = (f"{ends['low']:.4f} to {ends['high']:.4f}" if ends else NOTHING for ends in found)
            rows.append(("interval", *cells))
    return rows


def difference_rows(differences: Mapping[str, Mapping[str, float] | None], *, title: str) -> Rows:
    """The interval of each difference between two predictors that were scored on the same rows."""
    rows: Rows = [(title, "From", "To", "Zero is inside")]
    for metric, found in differences.items():
        if found is not None:
            name = _METRIC_TITLES[METRICS.index(metric)]
            inside = "yes" if found["low"] <= 0 <= found["high"] else "no"
            rows.append((name, f"{found['low']:+.4f}", f"{found['high']:+.4f}", inside))
    return rows


def threshold_rows(rows_of_table: Sequence[ThresholdRow], *, own: ThresholdRow) -> Rows:
    """What each threshold does; the one in force is marked."""
    rows: Rows = [("Threshold", "Found", "Missed", "False alarms", "Precision", "Recall", "F1", "")]
    for row in sorted({*rows_of_table, own}, key=lambda item: (item.threshold, item != own)):
        counts = (format_number(count) for count in (row.found, row.missed, row.false_alarms))
        shares = (format_score(value) for value in (row.precision, row.recall, row.f1))
        rows.append((format_number(row.threshold), *counts, *shares, "in force" if row == own else ""))
    return rows


def cheapest_rows(cheapest: Sequence[Cheapest], *, own: ThresholdRow) -> Rows:
    """The cheapest threshold for each price of a missed object, and what the one in force costs at that price."""
    heading = ("A missed one costs", "Cheapest threshold", "Missed", "False alarms", "Cost", "Cost in force")
    rows: Rows = [heading]
    for item in cheapest:
        ratio = format_number(item.cost_ratio)
        rows.append(
            (
                f"{ratio} false alarm{'' if item.cost_ratio == 1 else 's'}",
                format_number(item.row.threshold),
                *(format_number(count) for count in (item.row.missed, item.row.false_alarms)),
                *(format_number(cost) for cost in (item.cost, own.cost(item.cost_ratio))),
            )
        )
    return rows


def calibration_rows(calibration: Calibration) -> Rows:
    """The bins of the scores."""
    rows: Rows = [("Scores", "Rows", "Mean score", "Hazardous", "95 % interval")]
    for item in calibration.bins:
        rows.append(
            (
                f"{item.low:.1f} to {item.high:.1f}",
                format_number(item.n),
                format_score(item.mean_score),
                format_score(item.positive_share),
                f"{item.positive_share_low:.4f} to {item.positive_share_high:.4f}",
            )
        )
    return rows


def mistake_rows(mistakes: Sequence[Mistake]) -> Rows:
    """The rows that were predicted wrong."""
    rows: Rows = [("Asteroid", "Error", "Score", "H (mag)", "Earth MOID (au)")]
    for item in mistakes:
        numbers = (item.score, item.absolute_magnitude_mag, item.moid_au)
        rows.append((item.name, item.kind, *(format_number(value) for value in numbers)))
    return rows


def grid_rows(
    candidates: Sequence[Mapping[str, Any]],
    *,
    train_loss: NDArray[np.float64],
    validation_loss: NDArray[np.float64] | None,
    best_index: int | None,
) -> Rows:
    """Every model of the grid: its hyperparameters and its losses.

    Args:
        candidates: hyperparameters by name, one mapping a model; empty where they are not known.
        train_loss: shape ``(n_models,)``.
        validation_loss: the same on the validation channel; None without one.
        best_index: number of the exported model; None where it is not known.
    """
    names = tuple(candidates[0]) if candidates else ()
    titles = (name.removeprefix("lr_scheduler_").replace("_", " ") for name in names)
    rows: Rows = [("Model", *titles, "Train loss", "Validation loss", "")]
    for number, loss in enumerate(train_loss.tolist()):
        settings = (_setting(candidates[number][name]) for name in names)
        validation = NOTHING if validation_loss is None else _loss(float(validation_loss[number]))
        exported = "exported" if number == best_index else ""
        rows.append((str(number), *settings, _loss(loss), validation, exported))
    return rows


def _setting(value: object) -> str:
    return format_number(value) if isinstance(value, int | float) else str(value)


def _loss(value: float) -> str:
    return f"{value:.6f}" if np.isfinite(value) else "diverged"
