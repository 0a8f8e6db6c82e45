"""The stopping rule and the threshold search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner import selection
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters, parse
from asteroid_ll.linear_learner.selection import EarlyStopping, Ranking, search_cuts


def stopping(*, every: bool = False, patience: int = 3) -> EarlyStopping:
    return EarlyStopping(patience=patience, tolerance=0.001, every_epoch_counts=every)


def test_the_housing_job_stops_at_its_fourth_miss_and_keeps_the_last_improved_epoch() -> None:
    row = [
        *(23.561706, 20.584499, 17.504293, 15.885419, 15.364783, 15.133928),
        *(15.112043, 15.115556, 15.134119, 15.209537, 15.309633),
    ]
    rule = stopping()
    improved = [rule.update(value) for value in row]
    assert improved == [True] * 7 + [False] * 4
    assert rule.stops
    assert rule.misses == 4


def test_the_reference_falls_with_every_epoch_even_with_one_that_does_not_count() -> None:
    rule = stopping()
    assert rule.update(1.0)
    assert not rule.update(0.9995)
    assert not rule.update(0.9990)
    assert rule.update(0.9970)
    assert rule.misses == 0


def test_searched_criteria_count_every_epoch() -> None:
    rule = stopping(every=True)
    assert all(rule.update(value) for value in (0.5, 0.6, 0.7, 0.7, 0.9, 1.0))
    assert not rule.stops


def test_an_objective_of_zero_cannot_be_improved() -> None:
    rule = stopping(patience=1)
    assert [rule.update(0.0) for _ in range(3)] == [True, False, False]
    assert rule.stops


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_epoch_without_a_finite_objective_never_improves(bad: float) -> None:
    rule = stopping()
    assert not rule.update(bad)
    assert rule.update(2.0)
    assert not rule.update(bad)
    assert rule.update(1.0)


def settings_of(criterion: str, **values: str) -> Hyperparameters:
    name = "binary_classifier_model_selection_criteria"
    return parse({"predictor_type": "binary_classifier", name: criterion, **values})


@dataclass
class Confusion:
    """The measures of a prediction, each 0 if it is undefined."""

    truth: np.ndarray
    predicted: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.truth == self.predicted))

    @property
    def precision(self) -> float:
        return float(np.sum(self.truth & self.predicted) / max(1, np.sum(self.predicted)))

    @property
    def recall(self) -> float:
        return float(np.sum(self.truth & self.predicted) / max(1, np.sum(self.truth)))

    def f_score(self, beta: float) -> float:
        whole = beta**2 * self.precision + self.recall
        return (1 + beta**2) * self.precision * self.recall / whole if whole else 0.0


def brute_force(scores: np.ndarray, labels: np.ndarray, criterion: str) -> float:
    """The best value over every cut between or at scores, one confusion matrix at a time."""
    best = -1.0
    for threshold in [*scores, -np.inf]:
        counts = Confusion(labels != 0, scores > threshold)
        if criterion == "accuracy":
            value = counts.accuracy
        elif criterion == "f_beta":
            value = counts.f_score(2.0)
        elif criterion == "precision_at_target_recall":
            value = counts.precision if counts.recall >= 0.6 else 0.0
        else:
            value = counts.recall if counts.precision >= 0.6 else 0.0
        best = max(best, value)
    return best


@pytest.mark.parametrize(
    "criterion", ["accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision"]
)
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([-2.5, -1.0, -0.0, 0.25, 0.5, 0.75, 3.0]) | st.floats(-5, 5, width=32), st.booleans()
        ),
        min_size=1,
        max_size=25,
    )
)
def test_the_cut_is_the_best_of_all(criterion: str, rows: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in rows], np.float32)
    labels = np.array([label for _, label in rows], np.float32)
    if criterion != "accuracy" and not labels.any():
        labels[0] = 1
    hp = settings_of(criterion, f_beta="2", target_recall="0.6", target_precision="0.6")
    cut = search_cuts(scores[:, np.newaxis], labels, hyperparameters=hp, near=0.5)[0]
    assert cut.value == pytest.approx(brute_force(scores, labels, criterion))
    counts = Confusion(labels != 0, scores > np.float32(cut.threshold))
    reached = {
        "accuracy": counts.accuracy,
        "f_beta": counts.f_score(2.0),
        "precision_at_target_recall": counts.precision,
        "recall_at_target_precision": counts.recall,
    }[criterion]
    if cut.value > 0:
        assert reached == pytest.approx(cut.value)


def test_every_model_has_its_own_cut() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.random((50, 7), dtype=np.float32), rng.integers(0, 2, 50).astype(np.float32)
    hp = settings_of("accuracy")
    together = search_cuts(scores, labels, hyperparameters=hp, near=0.5)
    alone = [search_cuts(scores[:, [model]], labels, hyperparameters=hp, near=0.5)[0] for model in range(7)]
    assert list(together) == alone


@pytest.mark.parametrize("criterion", ["accuracy", "f_beta", "recall_at_target_precision"])
def test_cuts_do_not_depend_on_how_many_are_compared_at_once(criterion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 9, (60, 5)).astype(np.float32) / 8
    labels = rng.integers(0, 2, 60).astype(np.float32)
    whole = search_cuts(scores, labels, hyperparameters=settings_of(criterion), near=0.5)
    for at_once in (1, 35, 299):
        monkeypatch.setattr(selection, "_CUTS_AT_ONCE", at_once)
        assert search_cuts(scores, labels, hyperparameters=settings_of(criterion), near=0.5) == whole


def test_a_threshold_is_an_observed_score() -> None:
    scores = np.array([[0.1], [0.2], [0.6], [0.9]], np.float32)
    cut = search_cuts(scores, np.array([0, 0, 1, 1], np.float32), hyperparameters=settings_of("accuracy"), near=0.5)[0]
    assert (np.float32(cut.threshold), cut.value) == (np.float32(0.2), 1.0)


def test_of_equally_good_thresholds_the_nearest_to_the_default_is_taken() -> None:
    scores = np.linspace(0.05, 0.95, 10, dtype=np.float32)[:, np.newaxis]
    labels = np.array([0, 1] * 5, np.float32)
    cut = search_cuts(scores, labels, hyperparameters=settings_of("accuracy"), near=0.5)[0]
    assert cut.threshold == pytest.approx(0.45)


def test_where_every_row_is_positive_the_threshold_lies_under_the_lowest_score() -> None:
    scores = np.array([[0.3], [0.4]], np.float32)
    cut = search_cuts(scores, np.ones(2, np.float32), hyperparameters=settings_of("accuracy"), near=0.5)[0]
    assert np.float32(cut.threshold) < np.float32(0.3)
    assert cut.value == 1.0


def test_a_precision_that_cannot_be_reached_gives_the_most_precise_cut_and_the_value_zero() -> None:
    scores = np.array([[0.9], [0.8], [0.7], [0.1]], np.float32)
    labels = np.array([0, 1, 1, 0], np.float32)
    hp = settings_of("recall_at_target_precision", target_precision="0.95")
    cut = search_cuts(scores, labels, hyperparameters=hp, near=0.5)[0]
    assert cut.value == 0.0
    assert Confusion(labels != 0, scores[:, 0] > np.float32(cut.threshold)).precision == pytest.approx(2 / 3)


def test_only_the_calibration_sample_takes_part() -> None:
    scores = np.array([[0.1], [0.9], [0.95], [0.05]], np.float32)
    labels = np.array([0, 1, 0, 1], np.float32)
    hp = settings_of("accuracy", num_calibration_samples="2")
    assert search_cuts(scores, labels, hyperparameters=hp, near=0.5)[0].value == 1.0


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
