"""Scores of a yes/no classifier, always beside the baselines that it has to beat.

A value that has no denominator (precision where nothing was predicted, a ROC area of one class) is None, with the
reason beside it; it is never NaN and never a zero that looks measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.ranking import as_labels, as_scores, precision_recall_curve, roc_curve

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class BinaryScores:
    """What one set of predictions is worth.

    Attributes:
        n: rows scored.
        n_positive: rows whose label is 1.
        accuracy: share of rows predicted right.
        precision: share of the predicted positives that are positive.
        recall: share of the positives that were found.
        f1: harmonic mean of precision and recall, ``2 tp / (2 tp + fp + fn)``.
        roc_auc: chance that a random positive scores above a random negative, ties counting half.
        average_precision: precision averaged over recall, see `precision_recall_curve`.
        mae: mean absolute difference of score and label; of prediction and label where there are no scores.
        tp: true positives.
        fp: false positives.
        fn: false negatives.
        tn: true negatives.
        undefined: for each value that is None, the reason.
    """

    n: int
    n_positive: int
    accuracy: float
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None
    average_precision: float | None
    mae: float
    tp: int
    fp: int
    fn: int
    tn: int
    undefined: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        """All values by name, plain enough for JSON."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**values, "undefined": dict(self.undefined)}


@dataclass(frozen=True)
class ScoreRow:
    """One line of the scoreboard: a key for machines, a title for people, the scores."""

    name: str
    title: str
    scores: BinaryScores


@dataclass(frozen=True)
class Scoreboard:
    """The model and its baselines, scored on the same rows; the model comes first."""

    rows: tuple[ScoreRow, ...]

    @property
    def model(self) -> BinaryScores:
        """The model's own scores."""
        return self.rows[0].scores

    def get(self, name: str) -> BinaryScores | None:
        """The scores of the row ``name`` (`model`, `majority`, `median`, `rule`), or None where it is not there."""
        return next((row.scores for row in self.rows if row.name == name), None)

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Any]]) -> Scoreboard:
        """The reverse of `to_json`."""
        return cls(
            tuple(
                ScoreRow(name, row["title"], BinaryScores(**{key: row[key] for key in row if key != "title"}))
                for name, row in data.items()
            )
        )

    def to_json(self) -> dict[str, dict[str, Any]]:
        """The rows in order, by name: ``{"model": {"title": ..., "f1": ...}, "majority": ...}``."""
        return {row.name: {"title": row.title, **row.scores.to_json()} for row in self.rows}


def binary_scores(
    labels: ArrayLike,
    scores: ArrayLike | None,
    *,
    threshold: float | None = None,
    predicted: ArrayLike | None = None,
) -> BinaryScores:
    """Score predictions against labels.

    Args:
        labels: 0 or 1 a row, shape ``(n_rows,)``.
        scores: a probability or another number that grows with the belief in 1, shape ``(n_rows,)``. None for a hard
            rule, which has predictions only: it gets no ranking metrics.
        threshold: a row is predicted 1 where its score is above it, as Linear Learner does; 0.5 where neither
            it nor ``predicted`` is given.
        predicted: the predicted labels where something else decided them, 0 or 1, shape ``(n_rows,)``.

    Raises:
        DataError: empty, of different lengths, a label other than 0 and 1, or a score that is not finite.
        ValueError: both ``threshold`` and ``predicted`` are given, or there are neither scores nor predictions.
    """
    truth = as_labels(labels)
    values = None if scores is None else as_scores(scores, truth.size)
    guess = _predictions(values, n_rows=truth.size, threshold=threshold, predicted=predicted)
    tp = int(np.count_nonzero(guess & truth))
    fp = int(np.count_nonzero(guess)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    tn = truth.size - tp - fp - fn
    undefined: dict[str, str] = {}
    roc_auc, average_precision = _ranking(truth, values, undefined=undefined)
    return BinaryScores(
        n=truth.size,
        n_positive=tp + fn,
        accuracy=(tp + tn) / truth.size,
        precision=_ratio(tp, tp + fp, name="precision", reason="nothing is predicted positive", into=undefined),
        recall=_ratio(tp, tp + fn, name="recall", reason="no label is positive", into=undefined),
        f1=_ratio(
            2 * tp, 2 * tp + fp + fn, name="f1", reason="no label is positive and none is predicted", into=undefined
        ),
        roc_auc=roc_auc,
        average_precision=average_precision,
        mae=float(np.mean(np.abs((guess if values is None else values) - truth.astype(np.float64)))),
        tp=tp,
        fp=fp,
        fn=fn,
        tn=tn,
        undefined=MappingProxyType(undefined),
    )


def baselines(
    labels: ArrayLike, train_labels: ArrayLike, *, rule_predicted: ArrayLike | None = None
) -> tuple[ScoreRow, ...]:
    """Score the predictors that know no features, and the rule that defines the label.

    `majority` predicts the train part's more frequent class everywhere (0 where they are equal). `median` predicts
    the median train label as a number and cuts it at 0.5: the tutorial's baseline. `rule` is the CNEOS definition of
    a potentially hazardous asteroid, H <= 22.0 mag and Earth MOID <= 0.05 au.

    Args:
        labels: 0 or 1 a row of the part that is scored, shape ``(n_rows,)``.
        train_labels: 0 or 1 a row of the part that the model learned from.
        rule_predicted: the rule's answers for the rows of ``labels``, shape ``(n_rows,)``; None leaves it out.

    Raises:
        DataError: see `binary_scores`.
    """
    n_rows = as_labels(labels).size
    known = as_labels(train_labels)
    majority = float(2 * np.count_nonzero(known) > known.size)
    median = float(np.median(known.astype(np.float64)))
    rows = [
        ScoreRow("majority", "Majority class", binary_scores(labels, np.full(n_rows, majority))),
        ScoreRow("median", "Median train label", binary_scores(labels, np.full(n_rows, median))),
    ]
    if rule_predicted is not None:
        rows.append(ScoreRow("rule", "CNEOS rule (H, MOID)", binary_scores(labels, None, predicted=rule_predicted)))
    return tuple(rows)


def scoreboard(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    train_labels: ArrayLike,
    threshold: float | None = None,
    predicted: ArrayLike | None = None,
    rule_predicted: ArrayLike | None = None,
    title: str = "Linear Learner",
) -> Scoreboard:
    """Score the model and its `baselines` on the same rows.

    Args:
        labels: as in `binary_scores`.
        scores: as in `binary_scores`, of the model.
        train_labels: as in `baselines`.
        threshold: as in `binary_scores`.
        predicted: as in `binary_scores`, of the model.
        rule_predicted: as in `baselines`.
        title: the model's title for people.

    Raises:
        DataError: see `binary_scores`.
        ValueError: both ``threshold`` and ``predicted`` are given.
    """
    model = ScoreRow("model", title, binary_scores(labels, scores, threshold=threshold, predicted=predicted))
    return Scoreboard((model, *baselines(labels, train_labels, rule_predicted=rule_predicted)))


def _predictions(
    scores: NDArray[np.float64] | None, *, n_rows: int, threshold: float | None, predicted: ArrayLike | None
) -> NDArray[np.bool_]:
    if predicted is not None:
        if threshold is not None:
            raise ValueError("A threshold has no effect on predictions that are given.")
        guess = as_labels(predicted)
        if guess.size != n_rows:
            raise DataError(
                f"There are {n_rows} labels and {guess.size} predictions.",
                hint="Predict again: asteroid-ll predict --force.",
            )
        return guess
    if scores is None:
        raise ValueError("Without scores, predictions are needed.")
    above: NDArray[np.bool_] = scores > (DEFAULT_THRESHOLD if threshold is None else threshold)
    return above


def _ranking(
    truth: NDArray[np.bool_], scores: NDArray[np.float64] | None, *, undefined: dict[str, str]
) -> tuple[float | None, float | None]:
    if scores is None:
        undefined["roc_auc"] = undefined["average_precision"] = "a hard rule does not rank"
        return None, None
    roc, precision_recall = roc_curve(truth, scores), precision_recall_curve(truth, scores)
    if roc is None:
        undefined["roc_auc"] = "all labels are equal"
    if precision_recall is None:
        undefined["average_precision"] = "no label is positive"
    return (None if roc is None else roc.area), (None if precision_recall is None else precision_recall.area)


def _ratio(part: int, whole: int, *, name: str, reason: str, into: dict[str, str]) -> float | None:
    if whole == 0:
        into[name] = reason
        return None
    return part / whole
