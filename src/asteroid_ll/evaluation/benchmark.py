"""The benchmark of the bundled catalogue: predictors of the hazard label, each asteroid scored once.

The asteroids are in five folds. A predictor learns from the other folds, and its scores of all folds are measured
together. Whoever publishes scores for the same folds can be put into the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.config import Config
from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.cross_validation import boosting_class, grouped_folds, one_thread
from asteroid_ll.evaluation.metrics import BinaryScores
from asteroid_ll.evaluation.ranking import Floats, precision_recall_curve
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.thresholds import decide, recall_at_false_alarms
from asteroid_ll.linear_learner.training import train
from asteroid_ll.neo.feature_sets import ELEMENTS, LABEL_INPUTS
from asteroid_ll.neo.features import fit
from asteroid_ll.neo.label import MAX_MOID_AU, is_hazardous_by_rule, labels_of
from asteroid_ll.neo.split import Split, training_order
from asteroid_ll.neo.table import IDENTITY

N_FOLDS = 5
VALIDATION = 0.15
SEED = 0
ALARMS = 100
"""False alarms at which recall is compared."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """One predictor of the benchmark.

    Attributes:
        key: its name in JSON.
        title: its name in the table.
        scores: its measures over all asteroids.
        recall_at_alarms: recall at `ALARMS` false alarms; None for a hard rule.
    """

    key: str
    title: str
    scores: BinaryScores
    recall_at_alarms: float | None

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        return {"title": self.title, **self.scores.to_json(), f"recall_at_{ALARMS}_alarms": self.recall_at_alarms}


BOOSTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "boosting-elements": ("orbital elements", ELEMENTS),
    "boosting-uncertainty": ("  and the orbit uncertainty", (*ELEMENTS, "orbit_uncertainty")),
    "boosting-moid": ("  and MOID", (*ELEMENTS, "moid_au")),
    "boosting-label-inputs": ("H and MOID", LABEL_INPUTS),
}
"""Inputs of gradient boosting, with their titles."""

_F1 = {"binary_classifier_model_selection_criteria": "f1"}
LEARNED: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "no-label-inputs": ("no-label-inputs", "no-label-inputs", {}),
    "no-label-inputs-f1": ("  selected by f1", "no-label-inputs", _F1),
    "raw": ("raw", "raw", {}),
    "clean": ("clean", "clean", {}),
    "physics": ("physics", "physics", {}),
    "spline": ("spline", "spline", {}),
}
"""Linear Learners: title, feature set, and hyperparameters other than the defaults."""


def folds_of(table: pd.DataFrame) -> tuple[Split, ...]:
    """Return the benchmark's folds of a table, the test part of each being the fold."""
    return grouped_folds(table[IDENTITY].tolist(), n_folds=N_FOLDS, validation=VALIDATION, seed=SEED)


def entry(key: str, title: str, labels: NDArray[np.bool_], predictions: Predictions) -> Entry:
    """Measure predictions of all rows."""
    scores = binary_scores(labels, predictions.predicted, predictions.scores)
    at_alarms = None
    if predictions.scores is not None:
        at_alarms = recall_at_false_alarms(labels, predictions.scores, counts=(ALARMS,))[0].recall
    return Entry(key, title, scores, at_alarms)


def known_entries(table: pd.DataFrame) -> tuple[Entry, ...]:
    """Return the predictors that learn nothing: the majority class, the MOID alone, and the rule."""
    labels, moid_au = labels_of(table), table["moid_au"].to_numpy(dtype=np.float64)
    by_rule = is_hazardous_by_rule(table["absolute_magnitude_mag"], moid_au)
    return (
        entry("majority", "majority class", labels, Predictions(np.zeros(labels.size, dtype=np.bool_))),
        entry("moid", "MOID at most 0.05 au", labels, Predictions(moid_au <= MAX_MOID_AU, -moid_au)),
        entry("rule", "  and H at most 22 (the rule)", labels, Predictions(by_rule)),
    )


def boosted_entries(table: pd.DataFrame, splits: Sequence[Split], *, progress: Progress) -> tuple[Entry, ...]:
    """Return gradient boosting on each of the inputs `BOOSTED`.

    Raises:
        ConfigError: scikit-learn is missing.
    """
    labels = labels_of(table)
    found = []
    for key, (title, columns) in BOOSTED.items():
        progress(f"gradient boosting: {title.strip()}")
        features = table[list(columns)].to_numpy(dtype=np.float64)
        found.append(entry(key, title, labels, boosted(features, labels, splits)))
    return tuple(found)


def boosted(features: Floats, labels: NDArray[np.bool_], splits: Sequence[Split]) -> Predictions:
    """Return gradient boosting's predictions of the test part of every split, with scikit-learn's defaults.

    The threshold of each split is the one with the best F1 on its validation part.
    """
    scores, predicted = np.empty(labels.size), np.zeros(labels.size, dtype=np.bool_)
    learner = boosting_class()
    with one_thread():
        for split in splits:
            model = learner(random_state=0).fit(features[split.train], labels[split.train])
            chances = model.predict_proba(features)[:, 1]
            threshold = best_f1_threshold(labels[split.validation], chances[split.validation])
            scores[split.test] = chances[split.test]
            predicted[split.test] = chances[split.test] >= threshold
    return Predictions(predicted, scores)


def best_f1_threshold(labels: NDArray[np.bool_], scores: Floats) -> float:
    """Return the score from which on rows must be predicted hazardous for the best F1."""
    curve = precision_recall_curve(labels, scores)
    if curve is None:
        return 1.0
    levels = np.unique(scores)[::-1]
    recall, precision = curve.x[1:], curve.y[1:]
    f1 = 2 * recall * precision / np.maximum(recall + precision, np.finfo(np.float64).tiny)
    return float(levels[int(np.argmax(f1))])


def learned_entries(table: pd.DataFrame, splits: Sequence[Split], *, progress: Progress) -> tuple[Entry, ...]:
    """Return Linear Learner with each of the settings `LEARNED`."""
    labels = labels_of(table)
    found = []
    for key, (title, feature_set, hyperparameters) in LEARNED.items():
        progress(f"Linear Learner: {title.strip()}")
        predictions = learned(table, labels, splits, feature_set=feature_set, hyperparameters=hyperparameters)
        found.append(entry(key, title, labels, predictions))
    return tuple(found)


def learned(
    table: pd.DataFrame,
    labels: NDArray[np.bool_],
    splits: Sequence[Split],
    *,
    feature_set: str,
    hyperparameters: Mapping[str, str],
) -> Predictions:
    """Return the defaults' predictions of the test part of every split, with other hyperparameters."""
    scores, predicted = np.empty(labels.size), np.zeros(labels.size, dtype=np.bool_)
    for split in splits:
        answer = learned_split(
            table, labels, split, feature_set=feature_set, hyperparameters=hyperparameters, seed=SEED
        )
        scores[split.test], predicted[split.test] = answer.scores, answer.predicted
    return Predictions(predicted, scores)


def learned_split(
    table: pd.DataFrame,
    labels: NDArray[np.bool_],
    split: Split,
    *,
    feature_set: str,
    hyperparameters: Mapping[str, str],
    seed: int,
) -> Predictions:
    """Return the predictions of the test part of one split, as the pipeline with this ``split.seed`` makes them."""
    config = Config()
    numbers = labels.astype(np.float32)
    order = training_order(split.train, seed=seed)
    matrix = fit(feature_set, table.iloc[split.train], n_knots=config.features.n_knots).transform(table)
    answer = train(
        matrix[order],
        numbers[order],
        {**config.hyperparameters, **hyperparameters},
        validation=(matrix[split.validation], numbers[split.validation]),
    ).model.predict(matrix[split.test])
    return Predictions(decide(answer, threshold=None), answer.score)
