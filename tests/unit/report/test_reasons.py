from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from asteroid_ll.evaluation.mistakes import Mistake
from asteroid_ll.report.reasons import reason_of, why_epochs

MISSED = Mistake("1", "One", "missed", 0.1, 20.0, 0.04, 0.0009, 1.0, "https://ssd.jpl.nasa.gov/")
SETTINGS = {"epochs": "15", "early_stopping_patience": "3", "early_stopping_tolerance": "0.001"}


@pytest.mark.parametrize(
    ("kind", "magnitude", "moid", "by_rule", "text"),
    [
        # 2004 KE17 and 2003 XM of the catalogue of 2026.
        ("missed", 21.5, 0.0705045, False, "the label contradicts the rule: MOID 0.021 au above the limit"),
        ("missed", 19.28, 0.0506702, False, "label noise near the limit: MOID 0.00067 au above the limit"),
        ("false alarm", 19.02, 0.0495283, True, "label noise near the limit: MOID 0.00047 au below the limit"),
        ("missed", 22.4, 0.01, False, "label noise near the limit: H 0.4 mag above the limit"),
        ("missed", 21.9, 0.01, True, "the model is wrong near the limit: H 0.1 mag below the limit"),
        ("false alarm", 25.0, 0.01, False, "the model is wrong far from the limit: H 3 mag above the limit"),
    ],
)
def test_a_wrong_prediction_has_the_rules_answer_and_the_nearest_limit(kind, magnitude, moid, by_rule, text):
    reason = reason_of(replace(MISSED, kind=kind, absolute_magnitude_mag=magnitude, moid_au=moid))
    assert (reason.by_rule, reason.text) == (by_rule, text)


def _history(n, *, improved, stopped_early, kept=None, configuration=SETTINGS):
    return SimpleNamespace(
        n_epochs=n,
        configuration=configuration,
        improved_epochs=improved,
        stopped_early=stopped_early,
        kept_epoch=kept,
        criterion="binary_classification_cross_entropy_objective",
    )


def test_an_early_end_names_the_epochs_that_did_not_improve():
    assert why_epochs(_history(9, improved=(0, 1, 2, 3, 4), stopped_early=True, kept=7)) == (
        "9 of 15 epochs ran: none of the last 4 improved the binary classification cross entropy objective by 0.1 % or "
        "more, and early_stopping_patience tolerates 3 such epochs in a row. The models are those of epoch 8."
    )


def test_a_full_training_names_the_patience_that_was_never_exhausted():
    text = why_epochs(_history(15, improved=tuple(range(15)), stopped_early=False))
    assert text.startswith("All 15 epochs ran: there were never more than 3 in a row that did not improve ")


def test_a_log_without_its_first_lines_still_counts_the_epochs():
    assert why_epochs(_history(4, improved=(), stopped_early=False, configuration={})) == "4 of 4 epochs ran."
