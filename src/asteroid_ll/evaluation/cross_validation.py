"""Grouped k-fold cross-validation of the Linear Learner, in this process, beside the baselines on the same folds.

Each fold fits the features on its training rows and trains the whole grid with the configured hyperparameters. Its
validation rows select the model and the threshold. Its test rows belong to asteroids that are in neither part.
The table is read one column at a time, and one fold's rows and features are in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.config import Config
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.evaluation.baselines import constant_scores
from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.fold_scores import CrossValidation, summarise_folds
from asteroid_ll.evaluation.intervals import bootstrap
from asteroid_ll.evaluation.metrics import BinaryScores
from asteroid_ll.evaluation.ranking import Floats
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.scoreboard import TITLES
from asteroid_ll.evaluation.thresholds import DEFAULT_THRESHOLD, decide
from asteroid_ll.formats.columns import Columns, Selected
from asteroid_ll.linear_learner.training import train
from asteroid_ll.neo.features import fit
from asteroid_ll.neo.label import is_hazardous_by_rule, labels_of
from asteroid_ll.neo.split import Split, training_order
from asteroid_ll.neo.table import IDENTITY, locate

_BLOCK_ROWS = 1 << 17

WITHOUT_INTERVAL = ("majority", "median")
"""Predictors of a constant score: its interval would only describe the draw of the rows."""


@dataclass(frozen=True)
class _Table:
    """The table, its labels, the rule's answers, and each row's asteroid, numbered in the order of the identities."""

    rows: Columns
    labels: NDArray[np.bool_]
    asteroid: NDArray[np.int64]
    n_asteroids: int
    by_rule: NDArray[np.bool_]


def cross_validate(
    table: Columns, config: Config, *, n_folds: int, with_boosting: bool, progress: Callable[[str], None]
) -> CrossValidation:
    """Score the configured features and hyperparameters by grouped k-fold.

    Args:
        table: the clean table.
        config: the features, the hyperparameters, and the seed and validation share of the split.
        n_folds: number of folds, at least 2.
        with_boosting: whether to score scikit-learn's gradient boosting too.
        progress: called with a line of text for each fold.

    Returns:
        Means over the folds with 95 % intervals, and the scores of every fold.

    Raises:
        ConfigError: fewer than 2 folds, or scikit-learn is needed and missing.
        DataError: the table has too few asteroids, or does not suit the features.
    """
    if with_boosting:
        boosting_class()
    data = _read(table)
    splits = _folds(
        data.asteroid,
        n_asteroids=data.n_asteroids,
        n_folds=n_folds,
        validation=config.split.validation,
        seed=config.split.seed,
    )
    folds: dict[str, list[BinaryScores]] = {}
    replicates: dict[str, list[dict[str, Floats]]] = {}
    n_features = 0
    for number, split in enumerate(splits):
        started_s = time.monotonic()
        labels = data.labels[split.test]
        predictors, n_features = _predict(data, config, split=split, with_boosting=with_boosting)
        drawn = bootstrap(
            labels,
            {name: item for name, item in predictors.items() if name not in WITHOUT_INTERVAL},
            groups=data.asteroid[split.test],
            seed=number,
        )
        for name, item in predictors.items():
            folds.setdefault(name, []).append(binary_scores(labels, item.predicted, item.scores))
            replicates.setdefault(name, []).append(drawn.get(name, {}))
        model = folds["model"][-1]
        progress(
            f"fold {number + 1} of {n_folds}: {model.n:,} rows, {model.n_errors} wrong, "
            f"F1 {model['f1'] or 0.0:.4f}, {time.monotonic() - started_s:.1f} s"
        )
    return CrossValidation(
        feature_set=config.features.set,
        n_features=n_features,
        n_rows=data.labels.size,
        n_hazardous=int(data.labels.sum()),
        n_asteroids=data.n_asteroids,
        predictors=tuple(
            summarise_folds(name, folds=folds[name], replicates=replicates[name]) for name in TITLES if name in folds
        ),
    )


def grouped_folds(asteroid_ids: Sequence[str], *, n_folds: int, validation: float, seed: int) -> tuple[Split, ...]:
    """Divide the rows into folds, and the rows outside each fold into train and validation.

    Args:
        asteroid_ids: identity per row, shape ``(n_rows,)``; all rows of an asteroid are in the same part.
        n_folds: number of folds, at least 2; their numbers of asteroids differ by at most one.
        validation: share of all asteroids that selects each fold's model, in (0, 1).
        seed: the same seed and identities give the same folds on every machine, in any order of the rows.

    Returns:
        One split per fold, whose test part is the fold. The test parts are disjoint, and together every row once.

    Raises:
        ConfigError: fewer than 2 folds, or no share for validation.
        DataError: too few asteroids for a part.
    """
    unique, number = np.unique(np.asarray(asteroid_ids, dtype=str), return_inverse=True)
    folds = _folds(number.reshape(-1), n_asteroids=unique.size, n_folds=n_folds, validation=validation, seed=seed)
    return tuple(folds)


def _folds(
    asteroid: NDArray[np.int64], *, n_asteroids: int, n_folds: int, validation: float, seed: int
) -> Iterator[Split]:
    """Yield `grouped_folds`, given the number of each row's asteroid; raise its errors before the first fold."""
    if n_folds < 2:
        raise ConfigError(f"{n_folds} folds leave nothing to train on.", hint="asteroid-ll evaluate --folds 5")
    share = validation * n_folds / (n_folds - 1)
    if not 0 < share < 1:
        raise ConfigError(
            f"A share of {validation:g} for validation can't be taken from the rows outside one of {n_folds} folds.",
            hint="Set split.validation to 0.15.",
        )
    place = np.empty(n_asteroids, dtype=np.int64)
    place[training_order(np.arange(n_asteroids, dtype=np.int64), seed=seed)] = np.arange(n_asteroids)
    fold, turn = place % n_folds, place // n_folds
    # The asteroids outside a fold that select its model are evenly spaced in the drawn order.
    selects = np.floor((turn + 1) * share) > np.floor(turn * share)
    parts = [np.where(fold == tested, 2, np.where(selects, 1, 0)).astype(np.int8) for tested in range(n_folds)]
    if any(np.bincount(part, minlength=3).min() == 0 for part in parts):
        raise DataError(
            f"{n_asteroids} asteroids are too few for {n_folds} folds.",
            hint="Use fewer folds or more asteroids.",
        )
    for part in parts:
        of_row = part[asteroid]
        yield Split(*(np.flatnonzero(of_row == kind) for kind in range(3)))


def has_boosting() -> bool:
    """Return whether scikit-learn is installed."""
    return find_spec("sklearn") is not None


def _read(table: Columns) -> _Table:
    names = locate(table.columns, [IDENTITY, "absolute_magnitude_mag", "moid_au"])
    identity, magnitude, moid = names.values()
    unique, asteroid = np.unique(table[identity].to_numpy(dtype=object).astype(str), return_inverse=True)
    by_rule = is_hazardous_by_rule(table[magnitude].to_numpy(), table[moid].to_numpy())
    return _Table(table, labels_of(table), asteroid.reshape(-1), unique.size, by_rule)


def _predict(data: _Table, config: Config, *, split: Split, with_boosting: bool) -> tuple[dict[str, Predictions], int]:
    """Return the predictions of each predictor for the fold's test rows, and the number of features."""
    order = training_order(split.train, seed=config.split.seed) if config.encode.shuffle else split.train
    fitted = fit(config.features.set, Selected(data.rows, rows=split.train), n_knots=config.features.n_knots)
    known, n_train = np.concatenate((order, split.validation)), order.size
    features, labels = fitted.transform(Selected(data.rows, rows=known)), data.labels[known]
    numbers = labels.astype(np.float32)
    trained = train(
        features[:n_train],
        numbers[:n_train],
        config.hyperparameters,
        validation=(features[n_train:], numbers[n_train:]),
    )
    n_features = features.shape[1]
    tested = fitted.transform(Selected(data.rows, rows=split.test))
    answer = trained.model.predict(tested)
    predictors = {"model": Predictions(decide(answer, threshold=config.predict.threshold), answer.score)}
    if with_boosting:
        doubles = features.astype(np.float64)
        del features  # scikit-learn makes further copies
        predictors["boosting"] = _boosted(doubles, labels, tested)
    predictors["rule"] = Predictions(data.by_rule[split.test])
    for name, score in constant_scores(labels).items():
        predictors[name] = Predictions(np.full(split.test.size, score > DEFAULT_THRESHOLD))
    return predictors, n_features


def _boosted(features: NDArray[Any], labels: NDArray[np.bool_], tested: NDArray[Any]) -> Predictions:
    """Train gradient boosting with scikit-learn's defaults on train and validation rows: it selects nothing."""
    learner = boosting_class()(random_state=0)
    with one_thread():
        learner.fit(features, labels)
        blocks = (tested[start : start + _BLOCK_ROWS] for start in range(0, len(tested), _BLOCK_ROWS))
        scores = np.concatenate([learner.predict_proba(block)[:, 1] for block in blocks])
    return Predictions(scores > 0.5, scores)


def boosting_class() -> Any:
    """Return scikit-learn's gradient boosting.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError:
        raise ConfigError(
            "Gradient boosting needs scikit-learn, which is not installed.",
            hint="pip install scikit-learn   or   asteroid-ll evaluate --no-boosting",
        ) from None
    return HistGradientBoostingClassifier


def one_thread() -> Any:
    """Return a context in which scikit-learn uses one thread: results do not depend on the machine's cores."""
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]
    except ImportError:  # it comes with scikit-learn
        return nullcontext()
    return threadpool_limits(1)
