"""Grouped k-fold through our own Linear Learner, in this process, beside the baselines on the same folds.

Every fold fits the features on its own training rows, trains the whole grid with the configured hyperparameters, lets
its validation rows select the model and the threshold, and scores rows of asteroids that took part in neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.evaluation.folds import grouped_folds
from asteroid_ll.formats.table import load_table
from asteroid_ll.run import paths
from asteroid_ll.scoring.scoring import decide
from asteroid_ll.stages.stage import Context

if TYPE_CHECKING:
    import pandas as pd

    from asteroid_ll.evaluation.cross_validation import CrossValidation
    from asteroid_ll.evaluation.intervals import Floats
    from asteroid_ll.evaluation.metrics import BinaryScores
    from asteroid_ll.neo.split import Split

BOOSTING = "boosting"
TITLES = {
    "model": "Linear Learner",
    BOOSTING: "Gradient boosting",
    "rule": "CNEOS rule (H, MOID)",
    "majority": "Majority class",
    "median": "Median train label",
}
CONSTANT = ("majority", "median")
"""Predictors whose scores say nothing but the share of hazardous rows: an interval would only describe the draw."""


@dataclass(frozen=True)
class _Table:
    """The rows with what every fold needs of them."""

    rows: pd.DataFrame
    labels: NDArray[np.bool_]
    asteroid_ids: NDArray[Any]
    by_rule: NDArray[np.bool_]


@dataclass
class _Collected:
    """One predictor's results so far."""

    folds: list[BinaryScores] = field(default_factory=list)
    replicates: list[dict[str, Floats]] = field(default_factory=list)


Answer = tuple[NDArray[np.bool_], "NDArray[Any] | None"]


def evaluate(
    context: Context, *, n_folds: int, with_boosting: bool, say: Callable[[str], None] = lambda _: None
) -> CrossValidation:
    """Score the configured features and hyperparameters by grouped k-fold.

    Args:
        context: of a stage that needs the clean table, which is up to date.
        n_folds: how many folds, at least 2.
        with_boosting: put scikit-learn's gradient boosting beside the model; needs scikit-learn.
        say: is given a line a fold.

    Returns:
        Means over the folds with 95 % intervals, and every fold's scores.

    Raises:
        ConfigError: fewer than 2 folds, or scikit-learn is wanted and missing.
        DataError: the table has too few asteroids, or does not suit the features.
    """
    from asteroid_ll.evaluation.cross_validation import CrossValidation, summarise_folds
    from asteroid_ll.evaluation.intervals import Answers, bootstrap
    from asteroid_ll.evaluation.metrics import binary_scores

    config = context.config
    if with_boosting:
        _boosting_class()
    table = _load(context)
    splits = grouped_folds(
        table.asteroid_ids.tolist(), n_folds=n_folds, validation=config.split.validation, seed=config.split.seed
    )
    collected: dict[str, _Collected] = {}
    n_features = 0
    for number, split in enumerate(splits):
        started_s = time.monotonic()
        labels = table.labels[split.test]
        answers, n_features = _answers(context, table, split=split, with_boosting=with_boosting)
        drawn = bootstrap(
            labels,
            {name: Answers(*answer) for name, answer in answers.items() if name not in CONSTANT},
            groups=table.asteroid_ids[split.test],
            seed=number,
        )
        for name, (predicted, scores) in answers.items():
            item = collected.setdefault(name, _Collected())
            item.folds.append(binary_scores(labels, scores, predicted=predicted))
            item.replicates.append(drawn.get(name, {}))
        model = collected["model"].folds[-1]
        say(
            f"fold {number + 1} of {n_folds}: {model.n:,} rows, {model.fp + model.fn} wrong, "
            f"F1 {0.0 if model.f1 is None else model.f1:.4f}, {time.monotonic() - started_s:.1f} s"
        )
    return CrossValidation(
        feature_set=config.features.set,
        n_features=n_features,
        n_rows=table.labels.size,
        n_hazardous=int(table.labels.sum()),
        n_asteroids=int(np.unique(table.asteroid_ids).size),
        predictors=tuple(
            summarise_folds(name, TITLES[name], folds=collected[name].folds, replicates=collected[name].replicates)
            for name in TITLES
            if name in collected
        ),
    )


def has_boosting() -> bool:
    """Whether scikit-learn is installed."""
    from importlib.util import find_spec

    return find_spec("sklearn") is not None


def _load(context: Context) -> _Table:
    from asteroid_ll.neo.label import is_hazardous_by_rule, labels_of
    from asteroid_ll.neo.table import IDENTITY, locate

    rows = load_table(context.path(paths.CLEANED_TABLE))
    names = locate(rows.columns, [IDENTITY, "absolute_magnitude_mag", "moid_au"])
    identity, magnitude, moid = (rows[name].to_numpy() for name in names.values())
    return _Table(rows, labels_of(rows), identity.astype(str), is_hazardous_by_rule(magnitude, moid))


def _answers(context: Context, table: _Table, *, split: Split, with_boosting: bool) -> tuple[dict[str, Answer], int]:
    """Every predictor's answers for the fold's test rows: predictions, and scores where it ranks."""
    from asteroid_ll.formats.payload import Scores
    from asteroid_ll.linear_learner import train
    from asteroid_ll.neo.features import fit
    from asteroid_ll.neo.split import training_order

    config = context.config
    order = training_order(split.train, seed=config.split.seed) if config.encode.shuffle else split.train
    fitted = fit(config.features.set, table.rows.iloc[split.train], n_knots=config.features.n_knots)
    features = {
        name: fitted.transform(table.rows.iloc[rows])
        for name, rows in (("train", order), ("validation", split.validation), ("test", split.test))
    }
    labels = table.labels.astype(np.float32)
    trained = train(
        features["train"],
        labels[order],
        config.hyperparameters,
        validation=(features["validation"], labels[split.validation]),
    )
    answered = trained.model.predict(features["test"])
    own = answered.predicted_label
    answer = Scores(answered.score, None if own is None else own.astype(np.float32))
    answers: dict[str, Answer] = {"model": (decide(answer, threshold=config.predict.threshold), answer.score)}
    known_labels = table.labels[np.concatenate((order, split.validation))]
    if with_boosting:
        known = np.concatenate((features["train"], features["validation"]))
        answers[BOOSTING] = _boosted(known, known_labels, features["test"])
    n_test = split.test.size
    answers["rule"] = (table.by_rule[split.test], None)
    answers["majority"] = (np.full(n_test, 2 * np.count_nonzero(known_labels) > known_labels.size), None)
    answers["median"] = (np.full(n_test, np.median(known_labels) > 0.5), None)
    return answers, features["train"].shape[1]


def _boosted(features: NDArray[Any], labels: NDArray[np.bool_], tested: NDArray[Any]) -> Answer:
    """Gradient boosting with scikit-learn's defaults, on train and validation rows together: it selects nothing."""
    model = _boosting_class()(random_state=0).fit(features, labels)
    scores = np.asarray(model.predict_proba(tested)[:, 1])
    return scores > 0.5, scores


def _boosting_class() -> Any:
    from asteroid_ll.errors import ConfigError

    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError:
        raise ConfigError(
            "Gradient boosting needs scikit-learn, which is not installed.",
            hint="pip install scikit-learn   or   asteroid-ll evaluate --no-boosting",
        ) from None
    return HistGradientBoostingClassifier
