"""Sorted scores with their labels, against Python's own sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner.selection import Ranking

near = st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(near | st.floats(width=32, allow_nan=False), st.booleans()), min_size=1, max_size=30))
def test_rows_are_in_the_order_of_their_scores_and_labels(rows: list[tuple[float, bool]]) -> None:
    scores, labels = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    ranking = Ranking.of(np.stack([scores, -scores], axis=1), labels)
    for model, sign in enumerate((1, -1)):
        expected = sorted((sign * score, label) for score, label in rows)
        assert ranking.scores(0, len(rows))[model].tolist() == [score for score, _ in expected]
        assert ranking.positive[model].tolist() == [label for _, label in expected]


def test_a_score_that_is_not_a_number_is_above_all_others() -> None:
    minus_nan = np.array([0xFFC00000], np.uint32).view(np.float32)[0]
    ranking = Ranking.of(np.array([[minus_nan], [np.inf], [np.nan], [-1.0]], np.float32), np.array([1, 0, 0, 0]))
    assert ranking.scores(0, 2)[0].tolist() == [-1.0, np.inf]
    assert ranking.positive[0].tolist() == [False, False, False, True]
    assert ranking.roc_auc() == pytest.approx((2 + 0.5) / 3)
