"""Sentences that say why the scores are what they are: a pure function of numbers.

A finding states a fact with its figures, then what follows from it. Whoever reads only the findings should not be able
to take a model for more, or for less, than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from asteroid_ll.evaluation.metrics import BinaryScores, Scoreboard

NO_GAIN_POINTS = 0.5
"""A gain in accuracy up to this many percentage points over a baseline counts as none."""

_FEW_POSITIVES = 100
_RARE_SHARE = 0.25
_GOOD_RANKING = 0.9


@dataclass(frozen=True)
class Facts:
    """What the findings are drawn from.

    Attributes:
        board: the model and its baselines on the test part.
        predictor_type: Linear Learner's ``binary_classifier`` or ``regressor``.
        loss: Linear Learner's loss, such as ``logistic`` or ``absolute_loss``.
        train_positive_share: share of the train rows whose label is 1, in [0, 1].
        feature_set: name of the feature set.
        label_inputs: those columns among the features' inputs that define the label, by title; empty for a feature
            set without them.
        redundant_columns: feature columns that repeat another one (absolute correlation 1).
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
    """One finding: a stable name for machines, whether it limits what the scores mean, and the sentences."""

    name: str
    level: Literal["note", "warning"]
    text: str


def findings(facts: Facts) -> tuple[Finding, ...]:
    """All findings that hold, warnings first, otherwise in the order of their importance."""
    found = [finding for rule in _RULES for finding in rule(facts)]
    return tuple(sorted(found, key=lambda finding: finding.level != "warning"))


def _no_gain(facts: Facts) -> Iterator[Finding]:
    model = facts.board.model
    for name, said in (("majority", "always answering the majority class"), ("median", "the median train label")):
        baseline = facts.board.get(name)
        if baseline is None:
            continue
        gain_points = 100 * (_errors(baseline) - _errors(model)) / model.n
        if gain_points <= NO_GAIN_POINTS:
            relation = "is no better than" if gain_points <= 0 else f"gains only {gain_points:.2f} points over"
            yield Finding(
                f"no-gain-over-{name}",
                "warning",
                f"The model's accuracy of {_percent(model.accuracy)} {relation} {said} "
                f"({_percent(baseline.accuracy)}): by accuracy it has learned nothing.",
            )
        elif name == "majority":
            yield Finding(
                "gain-over-majority",
                "note",
                f"The model is wrong on {_errors(model):,} of {model.n:,} test rows, where {said} is wrong on "
                f"{_errors(baseline):,}.",
            )


def _conditional_median(facts: Facts) -> Iterator[Finding]:
    if facts.predictor_type != "regressor" or facts.loss != "absolute_loss":
        return
    rarer, common = (1, 0) if facts.train_positive_share < 0.5 else (0, 1)
    share = facts.train_positive_share if rarer else 1 - facts.train_positive_share
    yield Finding(
        "conditional-median",
        "warning",
        f"Absolute loss drives a regressor towards the conditional median of the label. Only {_percent(share)} of the "
        f"train labels are {rarer}, so that median is {common} almost everywhere, and the scores settle near {common}. "
        f"A binary_classifier with logistic loss estimates the probability instead.",
    )


def _nothing_predicted(facts: Facts) -> Iterator[Finding]:
    model = facts.board.model
    if model.tp + model.fp == 0 and model.n_positive:
        yield Finding(
            "nothing-predicted",
            "warning",
            f"At its threshold the model calls no test row hazardous and misses all {model.n_positive:,} that are.",
        )
    elif model.recall is not None and model.recall < 0.5 and (model.roc_auc or 0.0) >= _GOOD_RANKING:
        yield Finding(
            "threshold-too-high",
            "warning",
            f"The scores rank well (ROC AUC {model.roc_auc:.3f}), but at the threshold only {_percent(model.recall)} "
            "of the hazardous rows are found: a lower threshold would find more.",
        )


def _raw_columns(facts: Facts) -> Iterator[Finding]:
    if facts.feature_set != "raw" or not facts.label_inputs:
        return
    repeated = (
        f", and {facts.redundant_columns} of the columns repeat another one and add nothing"
        if facts.redundant_columns
        else ""
    )
    yield Finding(
        "not-linear",
        "warning",
        f"The label is a box of two thresholds, which no weighted sum of raw columns can draw{repeated}. The feature "
        "sets physics and spline give a linear model the bends that it needs.",
    )


def _shared_asteroids(facts: Facts) -> Iterator[Finding]:
    if facts.shared_test_share > 0:
        yield Finding(
            "shared-asteroids",
            "warning",
            f"{_percent(facts.shared_test_share)} of the test rows belong to an asteroid that is in the train part too "
            "(the split is by row): the scores partly measure memory. A split by asteroid measures new asteroids.",
        )


def _rule_inside(facts: Facts) -> Iterator[Finding]:
    if not facts.label_inputs:
        return
    yield Finding(
        "rule-inside-features",
        "note",
        f"The label is defined by {' and '.join(facts.label_inputs)}, which are among the features' inputs: a good "
        "score means that the model has recovered a known rule, not that it has found something new.",
    )


def _against_rule(facts: Facts) -> Iterator[Finding]:
    model, rule = facts.board.model, facts.board.get("rule")
    if rule is None or rule.f1 is None or model.f1 is None:
        return
    relation = "stays below" if model.f1 < rule.f1 else "reaches" if model.f1 == rule.f1 else "exceeds"
    yield Finding(
        "against-rule",
        "note",
        f"On the same rows the CNEOS rule has F1 {rule.f1:.4f} with {_errors(rule):,} errors; the model {relation} it "
        f"with F1 {model.f1:.4f} and {_errors(model):,} errors.",
    )


def _rare_class(facts: Facts) -> Iterator[Finding]:
    model = facts.board.model
    share = model.n_positive / model.n
    if 0 < share < _RARE_SHARE:
        yield Finding(
            "rare-class",
            "note",
            f"Only {_percent(share)} of the test rows are hazardous, so that accuracy starts at {_percent(1 - share)}: "
            "F1 and average precision say more.",
        )


def _few_positives(facts: Facts) -> Iterator[Finding]:
    n_positive = facts.board.model.n_positive
    if 0 < n_positive < _FEW_POSITIVES:
        yield Finding(
            "few-positives",
            "warning",
            f"The test part holds {n_positive} hazardous rows: a single one changes recall by {100 / n_positive:.1f} "
            "points.",
        )


def _undefined(facts: Facts) -> Iterator[Finding]:
    undefined = facts.board.model.undefined
    if undefined:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in undefined.items())
        yield Finding("undefined", "warning", f"Not every metric has a value on the test part ({reasons}).")


_RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _no_gain,
    _conditional_median,
    _nothing_predicted,
    _raw_columns,
    _shared_asteroids,
    _few_positives,
    _undefined,
    _against_rule,
    _rule_inside,
    _rare_class,
)


def _percent(share: float) -> str:
    return "under 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _errors(scores: BinaryScores) -> int:
    return scores.fp + scores.fn
