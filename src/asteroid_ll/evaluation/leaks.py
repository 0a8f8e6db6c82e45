"""The leaks of published treatments, and the ceilings: what scores on this data can mean at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.config import Config
from asteroid_ll.evaluation.benchmark import N_FOLDS, SEED, VALIDATION, boosted, folds_of, learned_split
from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.evaluation.cross_validation import grouped_folds
from asteroid_ll.evaluation.metrics import BinaryScores
from asteroid_ll.neo.feature_sets import APPROACH_COLUMNS, ELEMENTS
from asteroid_ll.neo.label import MAX_MOID_AU, is_hazardous_by_rule, labels_of
from asteroid_ll.neo.snapshots import same_asteroids
from asteroid_ll.neo.split import split_by_asteroid, split_by_row
from asteroid_ll.neo.table import IDENTITY, LABEL

N_SEEDS = 10
NEAR_AU = 0.001
"""Distance from the MOID's limit within which a contradiction is explained by how the MOID is computed."""

_P68, _P95 = 0.683, 0.954
"""Shares of a normal distribution within one and within two standard deviations."""


@dataclass(frozen=True)
class Contradictions:
    """The asteroids whose flag is not the rule's answer.

    Attributes:
        n: their number.
        n_flagged: those that are flagged, although the rule's answer is no.
        n_near: those with a MOID within `NEAR_AU` of the limit.
        farthest: designations of the three farthest from the limit, the farthest first.
    """

    n: int
    n_flagged: int
    n_near: int
    farthest: tuple[str, ...]


@dataclass(frozen=True)
class LabelCeiling:
    """What the flags of an earlier year predict of the later ones, for the same asteroids.

    Attributes:
        n_earlier: asteroids in the earlier table.
        n_same: those of them that the later table has, by their orbits.
        lost: flagged then and not now.
        gained: flagged now and not then.
        f1: F1 of the earlier flags, as predictions of the later ones.
        moid_change_au: change that two thirds of the MOIDs stay below.
        magnitude_change_mag: change that 95 % of the magnitudes stay below.
    """

    n_earlier: int
    n_same: int
    lost: int
    gained: int
    f1: float
    moid_change_au: float
    magnitude_change_mag: float


@dataclass(frozen=True)
class RowSplit:
    """What a random split by row measures, on a table with several rows per asteroid.

    Attributes:
        seen_share: share of the test rows whose asteroid is also in training, with the default split's shares.
        auc_by_row: ROC AUC of gradient boosting on orbit and approach, in folds of rows.
        auc_by_asteroid: the same in folds of asteroids.
    """

    seen_share: float
    auc_by_row: float
    auc_by_asteroid: float


@dataclass(frozen=True)
class Seeds:
    """The defaults on the test part of several split seeds.

    Attributes:
        f1: F1 of the model by seed.
        rule_f1: F1 of the rule on the same rows.
    """

    f1: tuple[float, ...]
    rule_f1: tuple[float, ...]

    @property
    def n_reached(self) -> int:
        """Seeds on which the model is at least as good as the rule."""
        return sum(one >= other for one, other in zip(self.f1, self.rule_f1, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the values by seed and their summary as JSON values."""
        return {
            "f1": list(self.f1),
            "rule_f1": list(self.rule_f1),
            "mean_f1": float(np.mean(self.f1)),
            "deviation_f1": float(np.std(self.f1, ddof=1)),
            "mean_rule_f1": float(np.mean(self.rule_f1)),
            "n_reached": self.n_reached,
        }


def contradictions(table: pd.DataFrame) -> Contradictions:
    """Return the asteroids of a table whose flag is not the rule's answer."""
    labels, moid_au = labels_of(table), table["moid_au"].to_numpy(dtype=np.float64)
    rows = np.flatnonzero(is_hazardous_by_rule(table["absolute_magnitude_mag"], moid_au) != labels)
    distance_au = np.abs(moid_au[rows] - MAX_MOID_AU)
    farthest = rows[np.argsort(-distance_au, kind="stable")[:3]]
    return Contradictions(
        n=rows.size,
        n_flagged=int(labels[rows].sum()),
        n_near=int((distance_au <= NEAR_AU).sum()),
        farthest=tuple(table[IDENTITY].iloc[farthest].tolist()),
    )


def label_ceiling(earlier: pd.DataFrame, later: pd.DataFrame) -> LabelCeiling:
    """Compare the flags of the same asteroids in two tables of different years."""
    same = same_asteroids(earlier, later)
    before, after = (table[LABEL].to_numpy(dtype=np.bool_) for table in (same.earlier, same.later))
    scores = binary_scores(after, before)
    return LabelCeiling(
        n_earlier=same.n_earlier,
        n_same=scores.n,
        lost=scores.fp,
        gained=scores.fn,
        f1=scores["f1"] or 0.0,
        moid_change_au=_change(same.earlier, same.later, "moid_au", share=_P68),
        magnitude_change_mag=_change(same.earlier, same.later, "absolute_magnitude_mag", share=_P95),
    )


def row_split(table: pd.DataFrame) -> RowSplit:
    """Compare a split by row with a split by asteroid, on a table with several rows per asteroid."""
    labels, identities = labels_of(table), table[IDENTITY].to_numpy()
    defaults = Config().split
    split = split_by_row(len(table), validation=defaults.validation, test=defaults.test, seed=SEED)
    seen = np.isin(identities[split.test], identities[split.train])
    columns = [*ELEMENTS, *(name for name in APPROACH_COLUMNS if name in table)]
    features = table[columns].to_numpy(dtype=np.float64)
    each_row = [str(row) for row in range(len(table))]
    by_row = grouped_folds(each_row, n_folds=N_FOLDS, validation=VALIDATION, seed=SEED)
    auc = [_auc(labels, features, splits) for splits in (by_row, folds_of(table))]
    return RowSplit(float(seen.mean()), *auc)


def seeds(table: pd.DataFrame, *, n_seeds: int = N_SEEDS) -> Seeds:
    """Train the defaults on each of the split seeds from 0 on, and score their test parts beside the rule."""
    labels, defaults = labels_of(table), Config()
    by_rule = is_hazardous_by_rule(table["absolute_magnitude_mag"], table["moid_au"])
    found: list[tuple[float, float]] = []
    for seed in range(n_seeds):
        split = split_by_asteroid(
            table[IDENTITY].tolist(), validation=defaults.split.validation, test=defaults.split.test, seed=seed
        )
        answer = learned_split(table, labels, split, feature_set=defaults.features.set, hyperparameters={}, seed=seed)
        truth = labels[split.test]
        found.append((_f1(binary_scores(truth, answer.predicted)), _f1(binary_scores(truth, by_rule[split.test]))))
    ours, rule = zip(*found, strict=True)
    return Seeds(ours, rule)


def to_json(item: Contradictions | LabelCeiling | RowSplit) -> dict[str, Any]:
    """Return everything by name as JSON values."""
    return asdict(item)


def _auc(labels: NDArray[np.bool_], features: NDArray[np.float64], splits: Sequence[Any]) -> float:
    predictions = boosted(features, labels, splits)
    return binary_scores(labels, predictions.predicted, predictions.scores)["roc_auc"] or 0.0


def _f1(scores: BinaryScores) -> float:
    return scores["f1"] or 0.0


def _change(earlier: pd.DataFrame, later: pd.DataFrame, name: str, *, share: float) -> float:
    difference = later[name].to_numpy(dtype=np.float64) - earlier[name].to_numpy(dtype=np.float64)
    return float(np.quantile(np.abs(difference), share))
