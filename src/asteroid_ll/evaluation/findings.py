"""Sentences that explain the scores.

A finding states a fact with its numbers, then its consequence. The findings alone should give a fair picture of the
model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from asteroid_ll.evaluation.scoreboard import Scoreboard

NO_GAIN_POINTS = 0.5
"""A gain in accuracy over a baseline of at most this many percentage points counts as none."""

_FEW_POSITIVES = 100
_RARE_SHARE = 0.25
_GOOD_RANKING = 0.9
_CONSTANTS = {"majority": "always predicting the majority class", "median": "the median train label"}


@dataclass(frozen=True)
class Facts:
    """The facts that findings are derived from.

    Attributes:
        board: the model and its baselines on the test part.
        predictor_type: Linear Learner's ``binary_classifier`` or ``regressor``.
        loss: Linear Learner's loss, such as ``logistic`` or ``absolute_loss``.
        train_positive_share: share of the train rows whose label is 1, in [0, 1].
        feature_set: name of the feature set.
        label_inputs: names, for a sentence, of the features' input columns that define the label.
        redundant_columns: number of feature columns that repeat another one (absolute correlation 1).
        shared_test_share: share of the test rows whose asteroid is in the train part too, in [0, 1].
    """

    board: Scoreboard
    predictor_type: str
    loss: str
    train_positive_share: float
    feature_set: str
    label_inputs: tuple[str, ...] = ()
    redundant_columns: int = 0
    shared_test_share: float = 0.0


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        name: a stable name for machines.
        level: ``warning`` if it limits the meaning of the scores.
        text: one or two sentences.
    """

    name: str
    level: Literal["note", "warning"]
    text: str


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Return all findings that apply: warnings first, each group in order of importance."""
    every = [
        *_baselines(facts),
        *_training(facts),
        *_decisions(facts),
        *_test_part(facts),
        *_rule(facts),
    ]
    return tuple(sorted(every, key=lambda finding: finding.level != "warning"))


def _baselines(facts: Facts) -> Iterator[Finding]:
    model = facts.board.model
    for name, title in _CONSTANTS.items():
        baseline = facts.board.scores[name]
        gain_points = 100 * (baseline.n_errors - model.n_errors) / model.n
        if gain_points <= NO_GAIN_POINTS:
            relation = "is not better than" if gain_points <= 0 else f"is only {gain_points:.2f} points above"
            yield Finding(
                f"no-gain-over-{name}",
                "warning",
                f"The model's accuracy of {_percent(1 - model.n_errors / model.n)} {relation} {title} "
                f"({_percent(1 - baseline.n_errors / model.n)}). By accuracy it has learned nothing.",
            )
        elif name == "majority":
            yield Finding(
                "gain-over-majority",
                "note",
                f"The model is wrong on {model.n_errors:,} of {model.n:,} test rows; {title} is wrong on "
                f"{baseline.n_errors:,}.",
            )


def _training(facts: Facts) -> Iterator[Finding]:
    if facts.predictor_type == "regressor" and facts.loss == "absolute_loss":
        rarer, common = (1, 0) if facts.train_positive_share < 0.5 else (0, 1)
        share = facts.train_positive_share if rarer else 1 - facts.train_positive_share
        yield Finding(
            "conditional-median",
            "warning",
            f"Absolute loss fits the conditional median of the label. Only {_percent(share)} of the train labels are "
            f"{rarer}, so the median is {common} almost everywhere and the scores are close to {common}. A "
            "binary_classifier with logistic loss estimates the probability instead.",
        )
    if facts.feature_set == "raw" and facts.label_inputs:
        repeated = f" {facts.redundant_columns} of the columns only repeat another one."
        yield Finding(
            "not-linear",
            "warning",
            "The label is defined by two thresholds, which no weighted sum of raw columns can represent."
            f"{repeated if facts.redundant_columns else ''} The feature sets physics and spline give a linear model "
            "the bends that it needs.",
        )


def _decisions(facts: Facts) -> Iterator[Finding]:
    model = facts.board.model
    recall, roc_auc = model["recall"], model["roc_auc"]
    if model.tp + model.fp == 0 and model.n_positive:
        yield Finding(
            "nothing-predicted",
            "warning",
            f"At its threshold the model predicts no test row as hazardous and misses all {model.n_positive:,} "
            "hazardous rows.",
        )
    elif recall is not None and recall < 0.5 and (roc_auc or 0.0) >= _GOOD_RANKING:
        yield Finding(
            "threshold-too-high",
            "warning",
            f"The scores rank well (ROC AUC {roc_auc:.3f}), but the model finds only {_percent(recall)} of the "
            "hazardous rows at its threshold. A lower threshold would find more.",
        )


def _test_part(facts: Facts) -> Iterator[Finding]:
    model = facts.board.model
    if facts.shared_test_share > 0:
        yield Finding(
            "shared-asteroids",
            "warning",
            f"{_percent(facts.shared_test_share)} of the test rows belong to an asteroid that is in the train part too "
            "(the split is by row), so the scores partly measure memory. A split by asteroid measures new asteroids.",
        )
    if 0 < model.n_positive < _FEW_POSITIVES:
        yield Finding(
            "few-positives",
            "warning",
            f"The test part has only {model.n_positive} hazardous rows. Each of them changes recall by "
            f"{100 / model.n_positive:.1f} points.",
        )
    if model.undefined:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in model.undefined.items())
        yield Finding("undefined", "warning", f"Some metrics are undefined on the test part ({reasons}).")


def _rule(facts: Facts) -> Iterator[Finding]:
    model, rule = facts.board.model, facts.board.rule
    model_f1, rule_f1 = model["f1"], rule["f1"]
    if model_f1 is not None and rule_f1 is not None:
        relation = "is below" if model_f1 < rule_f1 else "equals" if model_f1 == rule_f1 else "exceeds"
        yield Finding(
            "against-rule",
            "note",
            f"On the same rows the CNEOS rule has F1 {rule_f1:.4f} with {_errors(rule.n_errors)}. The model {relation} "
            f"it with F1 {model_f1:.4f} and {_errors(model.n_errors)}.",
        )
    if facts.label_inputs:
        yield Finding(
            "rule-inside-features",
            "note",
            f"The label is defined by {' and '.join(facts.label_inputs)}, and the features use them. A good score "
            "means that the model has recovered a known rule, not that it has found something new.",
        )
    share = model.n_positive / model.n
    if 0 < share < _RARE_SHARE:
        yield Finding(
            "rare-class",
            "note",
            f"Only {_percent(share)} of the test rows are hazardous, so predicting none of them gives an "
            f"accuracy of {_percent(1 - share)}. F1 and average precision are more informative.",
        )


def _errors(n: int) -> str:
    return "1 error" if n == 1 else f"{n:,} errors"


def _percent(share: float) -> str:
    return "under 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"
