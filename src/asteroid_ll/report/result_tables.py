"""Tables of a model's results as rows of text: scores with intervals, thresholds, calibration, mistakes, the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.evaluation.calibration import Calibration
from asteroid_ll.evaluation.fold_scores import CrossValidation
from asteroid_ll.evaluation.follow_up import Candidate
from asteroid_ll.evaluation.metrics import interval_metrics
from asteroid_ll.evaluation.mistakes import Mistake
from asteroid_ll.evaluation.scoreboard import TITLES, Scoreboard
from asteroid_ll.evaluation.thresholds import Cheapest, RecallAtAlarms, ThresholdRow
from asteroid_ll.report.reasons import reason_of
from asteroid_ll.report.tables import NOTHING, Rows, format_number, format_score

Limits = Mapping[str, float]
"""``low`` and ``high`` of an interval."""


def interval_rows(board: Scoreboard, intervals: Mapping[str, Mapping[str, Limits | None]]) -> Rows:
    """Return a table of scores with the intervals, if any, in the row below.

    Args:
        board: the scores.
        intervals: by predictor and metric, as ``scores`` in `intervals.to_json`.
    """
    keys = [metric.key for metric in interval_metrics()]
    rows = [_heading()]
    for name, scores in board.scores.items():
        rows.append((TITLES[name], *(format_score(scores[key]) for key in keys)))
        if name in intervals:
            limits = [intervals[name].get(key) for key in keys]
            rows.append(
                ("interval", *(f"{ends['low']:.4f} to {ends['high']:.4f}" if ends else NOTHING for ends in limits))
            )
    return rows


def cross_validation_rows(result: CrossValidation) -> Rows:
    """Return a table of the mean scores over folds, with the ends of the intervals, if any, in the rows below."""
    keys = [metric.key for metric in interval_metrics()]
    rows = [_heading()]
    for item in result.predictors:
        rows.append((TITLES[item.name], *(format_score(item.means[key]) for key in keys)))
        if any(item.intervals.values()):
            limits = [item.intervals[key] for key in keys]
            rows.append(("  95 % from", *(format_score(ends.low if ends else None) for ends in limits)))
            rows.append(("  95 % to", *(format_score(ends.high if ends else None) for ends in limits)))
    return rows


def _heading() -> tuple[str, ...]:
    return ("", *(metric.title for metric in interval_metrics()))


def difference_rows(differences: Mapping[str, Limits | None]) -> Rows:
    """Return a table of intervals of the differences between the model and the rule on the same rows."""
    rows: Rows = [("Model minus CNEOS rule", "From", "To", "Contains zero")]
    for metric in interval_metrics():
        limits = differences.get(metric.key)
        if limits is not None:
            inside = "yes" if limits["low"] <= 0 <= limits["high"] else "no"
            rows.append((metric.title, f"{limits['low']:+.4f}", f"{limits['high']:+.4f}", inside))
    return rows


def threshold_rows(table: Sequence[ThresholdRow], *, current: ThresholdRow) -> Rows:
    """Return a table of predictions by threshold, the current threshold among them."""
    rows: Rows = [("Threshold", "Found", "Missed", "False alarms", "Precision", "Recall", "F1", "")]
    shown = table if current in table else (*table, current)
    for row in sorted(shown, key=lambda item: item.threshold):
        counts = (format_number(count) for count in (row.scores.tp, row.scores.fn, row.scores.fp))
        shares = (format_score(row.scores[key]) for key in ("precision", "recall", "f1"))
        rows.append((format_number(row.threshold), *counts, *shares, "current" if row == current else ""))
    return rows


def cheapest_rows(cheapest: Sequence[Cheapest], *, current: ThresholdRow) -> Rows:
    """Return a table of the cheapest threshold by the cost of a missed object, beside the current threshold's cost."""
    heading = ("Cost of a missed one", "Cheapest threshold", "Missed", "False alarms", "Cost", "Current cost")
    rows: Rows = [heading]
    for item in cheapest:
        ratio = format_number(item.cost_ratio)
        rows.append(
            (
                f"{ratio} false alarm{'' if item.cost_ratio == 1 else 's'}",
                format_number(item.row.threshold),
                *(format_number(count) for count in (item.row.scores.fn, item.row.scores.fp)),
                *(format_number(cost) for cost in (item.cost, current.cost(item.cost_ratio))),
            )
        )
    return rows


def calibration_rows(calibration: Calibration) -> Rows:
    """Return a table of the bins of the scores."""
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
    """Return a table of wrong predictions with the rule's answer and the reason."""
    rows: Rows = [("Asteroid", "Error", "Score", "P(hazardous)", "H (mag)", "MOID (au)", "Rule", "Why")]
    for item in mistakes:
        reason = reason_of(item)
        moid = f"{format_number(item.moid_au)} ± {item.sigma_moid_au:.1g}"
        magnitude = format_number(item.absolute_magnitude_mag)
        numbers = (format_score(item.score), f"{item.p_hazardous:.3f}", magnitude, moid)
        rows.append((item.name, item.kind, *numbers, "hazardous" if reason.by_rule else "not hazardous", reason.text))
    return rows


def follow_up_rows(candidates: Sequence[Candidate]) -> Rows:
    """Return a table of the asteroids that are worth another observation."""
    rows: Rows = [("Asteroid", "P(hazardous)", "H (mag)", "Earth MOID (au)", "Error of MOID (au)")]
    for item in candidates:
        numbers = (item.absolute_magnitude_mag, item.moid_au, item.sigma_moid_au)
        rows.append((item.name, f"{item.p_hazardous:.3f}", *(format_number(value) for value in numbers)))
    return rows


def recall_rows(recalls: Sequence[RecallAtAlarms]) -> Rows:
    """Return a table of recall at fixed numbers of false alarms."""
    rows: Rows = [("False alarms", "Found", "Recall")]
    rows += [
        (format_number(item.false_alarms), format_number(item.found), format_score(item.recall)) for item in recalls
    ]
    return rows


def grid_rows(
    candidates: Sequence[Mapping[str, Any]],
    *,
    train_loss: NDArray[np.float64],
    validation_loss: NDArray[np.float64] | None,
    best_index: int | None,
) -> Rows:
    """Return a table of the grid's models with their hyperparameters and losses.

    Args:
        candidates: hyperparameters by name, one mapping per model; empty if unknown.
        train_loss: shape ``(n_models,)``.
        validation_loss: the same on the validation channel; None without one.
        best_index: number of the exported model; None if unknown.
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
