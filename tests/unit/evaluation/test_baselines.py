from __future__ import annotations

import numpy as np

from asteroid_ll.evaluation.baselines import scoreboard
from asteroid_ll.evaluation.resamples import Predictions


def _board(labels, train_labels):
    predictions = Predictions([0] * len(labels), np.linspace(0.1, 0.3, len(labels)))
    return scoreboard(labels, predictions, train_labels=train_labels, predicted_by_rule=labels)


def test_baselines_learn_from_the_train_labels_only():
    scores = _board([0, 0, 0, 1], [1, 1, 1, 0]).scores
    assert scores["majority"]["accuracy"] == scores["median"]["accuracy"] == 0.25
    assert scores["majority"]["roc_auc"] == 0.5
    assert scores["rule"]["accuracy"] == 1.0


def test_an_even_train_part_predicts_zero_and_its_median_is_a_half():
    scores = _board([0, 1], [0, 1]).scores
    assert scores["majority"].tp == scores["median"].tp == 0
    assert scores["median"]["mae"] == 0.5
