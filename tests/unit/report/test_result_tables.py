from __future__ import annotations

import numpy as np
import pytest

from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.calibration import calibrate
from asteroid_ll.evaluation.fold_scores import CrossValidation, summarise_folds
from asteroid_ll.evaluation.metrics import interval_metrics
from asteroid_ll.evaluation.mistakes import mistakes
from asteroid_ll.evaluation.thresholds import cheapest_thresholds, threshold_table
from asteroid_ll.report import result_tables as tables

LABELS, SCORES = [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]


def _is_rectangular(rows):
    return len({len(row) for row in rows}) == 1


def test_an_interval_stands_below_its_scores_and_nothing_below_those_without_one(board):
    rows = tables.interval_rows(board, {"model": {"accuracy": {"low": 0.5, "high": 0.75}, "f1": None}})
    assert _is_rectangular(rows)
    assert rows[0] == ("", *(metric.title for metric in interval_metrics()))
    assert [row[0] for row in rows[1:4]] == ["Linear Learner", "interval", "Majority class"]
    assert rows[2][rows[0].index("Accuracy")] == "0.5000 to 0.7500"
    assert rows[2][rows[0].index("F1")] == "–"


def test_a_cross_validation_has_an_interval_below_each_predictor_that_has_one():
    folds = [binary_scores([0, 1], [0, 1], [0.1, 0.9])]
    replicates = {metric.key: np.array([0.25, 0.5]) for metric in interval_metrics()}
    model = summarise_folds("model", folds=folds, replicates=[replicates])
    result = CrossValidation("spline", 3, 2, 1, 2, (model, summarise_folds("majority", folds=folds, replicates=[{}])))
    rows = tables.cross_validation_rows(result)
    assert _is_rectangular(rows)
    assert [row[0] for row in rows] == ["", "Linear Learner", "  95 % from", "  95 % to", "Majority class"]
    assert all(float(low) < float(high) for low, high in zip(rows[2][1:], rows[3][1:], strict=True))


def test_a_difference_states_whether_its_interval_contains_zero():
    rows = tables.difference_rows(
        {"f1": {"low": -0.02, "high": 0.0}, "recall": {"low": -0.02, "high": -0.01}, "precision": None}
    )
    assert sorted(rows[1:]) == [("F1", "-0.0200", "+0.0000", "yes"), ("Recall", "-0.0200", "-0.0100", "no")]


def test_the_current_threshold_is_marked_in_its_place():
    (current,) = threshold_table(LABELS, SCORES, thresholds=(0.45,))
    rows = tables.threshold_rows(threshold_table(LABELS, SCORES, thresholds=(0.3, 0.5)), current=current)
    assert [row[0] for row in rows[1:]] == ["0.3", "0.45", "0.5"]
    assert [row[-1] for row in rows[1:]] == ["", "current", ""]
    (same,) = threshold_table(LABELS, SCORES, thresholds=(0.5,))
    assert len(tables.threshold_rows(threshold_table(LABELS, SCORES, thresholds=(0.3, 0.5)), current=same)) == 3


def test_each_cost_of_a_missed_one_has_its_threshold_beside_the_current_cost():
    (current,) = threshold_table(LABELS, SCORES, thresholds=(0.95,))
    rows = tables.cheapest_rows(cheapest_thresholds(LABELS, SCORES), current=current)
    assert [row[0] for row in rows[1:3]] == ["1 false alarm", "3 false alarms"]
    assert [row[-1] for row in rows[1:3]] == ["2", "6"]
    assert _is_rectangular(rows)


def test_calibration_and_mistakes_have_a_row_each():
    assert len(tables.calibration_rows(calibrate(LABELS, SCORES))) == 5
    found = mistakes(
        LABELS,
        SCORES,
        predicted=[0, 1, 0, 1],
        asteroid_ids=list("abcd"),
        names=None,
        columns={
            "absolute_magnitude_mag": np.array([20.0, 21.5, 21.9, 23.0]),
            "moid_au": np.array([0.1, 0.2, 0.03, 0.04]),
        },
    )
    near = "the model is wrong near the limit: H 0.1 mag below the limit"
    far = "the model is wrong far from the limit: MOID 0.15 au above the limit"
    assert tables.mistake_rows(found)[1:] == [
        ("c", "missed", "0.4000", "0.631", "21.9", "0.03 ± 0.0009", "hazardous", near),
        ("b", "false alarm", "0.6000", "0.000", "21.5", "0.2 ± 0.0009", "not hazardous", far),
    ]


@pytest.mark.parametrize("with_settings", [True, False])
def test_every_model_of_the_grid_has_its_losses_and_a_diverged_one_is_marked(with_settings):
    settings = [{"optimizer": "adam", "lr_scheduler_step": 10}, {"optimizer": "sgd", "lr_scheduler_step": 100}]
    rows = tables.grid_rows(
        settings if with_settings else [],
        train_loss=np.array([0.25, np.nan]),
        validation_loss=np.array([0.5, np.inf]),
        best_index=0,
    )
    assert _is_rectangular(rows)
    assert rows[1][-3:] == ("0.250000", "0.500000", "exported")
    assert rows[2][-3:] == ("diverged", "diverged", "")
    assert ("step" in rows[0]) == with_settings


def test_a_job_without_a_validation_channel_has_no_validation_loss():
    rows = tables.grid_rows([], train_loss=np.array([0.25]), validation_loss=None, best_index=None)
    assert rows[1] == ("0", "0.250000", "–", "")
