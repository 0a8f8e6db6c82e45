"""The number of positive rows follows from accuracy, precision and recall."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.parity.labels import positive_rows
from asteroid_ll.parity.numbers import Numbers

NAMES = ("binary_classification_accuracy", "precision", "recall")


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_true_number_is_among_those_that_the_scores_allow(data: st.DataObject) -> None:
    n_rows = data.draw(st.integers(2, 400))
    n_positive = data.draw(st.integers(1, n_rows))
    true_positive = data.draw(st.integers(1, n_positive))
    false_positive = data.draw(st.integers(0, n_rows - n_positive))
    right = n_rows - (n_positive - true_positive) - false_positive
    values = [right / n_rows, true_positive / (true_positive + false_positive), true_positive / n_positive]
    assert n_positive in positive_rows(Numbers(np.array(values), NAMES), n_rows=n_rows)


def test_the_scores_of_the_plagiarism_job_of_2021_mean_42_of_70_rows() -> None:
    scores = Numbers(np.array([0.9428571428571428, 0.975, 0.9285714285714286]), NAMES)
    assert positive_rows(scores, n_rows=70) == {42}


def test_nothing_follows_without_a_score_or_from_a_precision_of_zero() -> None:
    assert positive_rows(Numbers(np.array([0.5, 0.5]), NAMES[:2]), n_rows=10) == set()
    assert positive_rows(Numbers(np.array([0.5, 0.0, 0.0]), NAMES), n_rows=10) == set()
