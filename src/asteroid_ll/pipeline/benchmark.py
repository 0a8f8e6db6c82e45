"""The benchmark as one computation: its predictors, its ceilings and its leaks, as values and as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from asteroid_ll.errors import ConfigError
from asteroid_ll.evaluation import leaks
from asteroid_ll.evaluation.benchmark import (
    ALARMS,
    N_FOLDS,
    Entry,
    Progress,
    boosted_entries,
    entry,
    folds_of,
    known_entries,
    learned_entries,
)
from asteroid_ll.evaluation.cross_validation import boosting_class
from asteroid_ll.formats.table import write_csv
from asteroid_ll.neo.cleaning import clean
from asteroid_ll.neo.label import labels_of
from asteroid_ll.neo.sources.tabular import read
from asteroid_ll.neo.table import IDENTITY
from asteroid_ll.scoring.their_predictions import read_predictions

KNOWN, BOOSTING, LEARNER, THEIRS = "Without learning", "Gradient boosting on", "Linear Learner on", "Yours"

CHANCE_F1 = 0.002
"""Gain over the rule that chance can explain: about one deviation of F1 between split seeds."""


@dataclass(frozen=True)
class Benchmark:
    """The results of the benchmark.

    Attributes:
        n_rows: asteroids.
        n_hazardous: flagged ones among them.
        groups: the predictors by the heading of their group.
        contradictions: the asteroids that contradict the rule.
        seeds: the defaults on several split seeds; None if another's predictions were scored.
        label_ceiling: what an earlier year's flags predict; None without the export.
        row_split: what a split by row measures on the export; None without it.
    """

    n_rows: int
    n_hazardous: int
    groups: Mapping[str, tuple[Entry, ...]]
    contradictions: leaks.Contradictions
    seeds: leaks.Seeds | None = None
    label_ceiling: leaks.LabelCeiling | None = None
    row_split: leaks.RowSplit | None = None

    def entries(self) -> dict[str, Entry]:
        """Return the predictors by key."""
        return {item.key: item for group in self.groups.values() for item in group}

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        return {
            "n_rows": self.n_rows,
            "n_hazardous": self.n_hazardous,
            "n_folds": N_FOLDS,
            "scores": {key: item.to_json() for key, item in self.entries().items()},
            "contradictions": leaks.to_json(self.contradictions),
            "seeds": None if self.seeds is None else self.seeds.to_json(),
            "label_ceiling": None if self.label_ceiling is None else leaks.to_json(self.label_ceiling),
            "row_split": None if self.row_split is None else leaks.to_json(self.row_split),
        }


def load_catalogue() -> pd.DataFrame:
    """Return the bundled catalogue, cleaned."""
    return clean(read(Path(str(files("asteroid_ll").joinpath("data", "catalogue.csv.gz")))).table).table


def run_benchmark(export: Path | None, *, progress: Progress) -> Benchmark:
    """Train and score everything.

    Args:
        export: the 40-column NeoWs export, for the label ceiling and the split by row; None to leave them out.
        progress: called with a line of text for each step.

    Raises:
        ConfigError: scikit-learn is missing.
        DataError: the export cannot be read.
    """
    _require_boosting()
    earlier = None if export is None else clean(read(export).table).table
    table = load_catalogue()
    splits = folds_of(table)
    groups = {
        KNOWN: known_entries(table),
        BOOSTING: boosted_entries(table, splits, progress=progress),
        LEARNER: learned_entries(table, splits, progress=progress),
    }
    progress(f"the defaults on {leaks.N_SEEDS} split seeds")
    seeds = leaks.seeds(table)
    if earlier is None:
        return _results(table, groups, seeds=seeds)
    progress("the export: its flags, and a split by row")
    return _results(
        table,
        groups,
        seeds=seeds,
        label_ceiling=leaks.label_ceiling(earlier, table),
        row_split=leaks.row_split(earlier),
    )


def _require_boosting() -> None:
    try:
        boosting_class()
    except ConfigError as error:
        raise ConfigError(error.what, hint="pip install scikit-learn") from error


def score_theirs(path: Path) -> Benchmark:
    """Score another's predictions beside the predictors that learn nothing.

    Raises:
        DataError: see `read_predictions`.
    """
    table = load_catalogue()
    predictions = read_predictions(path, designations=table[IDENTITY].tolist())
    theirs = entry("theirs", "stdin" if str(path) == "-" else path.name, labels_of(table), predictions)
    return _results(table, {KNOWN: known_entries(table), THEIRS: (theirs,)})


def write_folds(path: Path) -> int:
    """Write the designation and the fold (from 1) of every asteroid as CSV; return their number."""
    table = load_catalogue()
    fold = pd.Series(0, index=table.index)
    for number, split in enumerate(folds_of(table), start=1):
        fold.iloc[split.test] = number
    write_csv(path, pd.DataFrame({"designation": table[IDENTITY], "fold": fold}))
    return len(table)


def _results(table: pd.DataFrame, groups: Mapping[str, tuple[Entry, ...]], **parts: Any) -> Benchmark:
    labels = labels_of(table)
    return Benchmark(
        n_rows=labels.size,
        n_hazardous=int(labels.sum()),
        groups=groups,
        contradictions=leaks.contradictions(table),
        **parts,
    )


def sentences(result: Benchmark) -> list[str]:
    """Return what the figures mean: ceilings, leaks, and the defaults on other seeds."""
    found, entries = result.contradictions, result.entries()
    rule = _f1(entries["rule"])
    thresholds = "Without labels, a score above 0.5 counts as hazardous."
    if "theirs" not in entries:
        thresholds = "Thresholds are chosen on validation rows."
    texts = [
        f"R@{ALARMS} is the recall with {ALARMS} false alarms. {thresholds}",
        f"Ceiling of the rule: {found.n} asteroids contradict it, {found.n_near} of them within {leaks.NEAR_AU:g} au "
        f"of the limit, so it has F1 {rule:.4f}. A model that sees H and MOID repeats a definition.",
    ]
    if result.label_ceiling is not None:
        label = result.label_ceiling
        texts.append(
            f"Ceiling of the label: the export's flags predict the catalogue's with F1 {label.f1:.4f} ({label.lost} "
            f"lost, {label.gained} gained of {label.n_same:,} asteroids). Scores above it describe one day's list."
        )
    if "theirs" in entries:
        return [*texts, *_about_theirs(entries["theirs"], rule)]
    if result.label_ceiling is None:
        texts.append("The ceiling of the label and the split by row need --export nasa_asteroids.csv.")
    auc = {key: item.scores["roc_auc"] or 0.0 for key, item in entries.items()}
    texts += [
        f"Ceiling of geometry: elements and MOID together have ROC AUC {auc['boosting-moid']:.3f}. Only the brightness "
        "is missing.",
        f"Leak 1, H and MOID as inputs: ROC AUC {auc['boosting-label-inputs']:.4f} instead of "
        f"{auc['boosting-elements']:.3f}, because they define the label.",
        f"Leak 2, the orbit uncertainty as an input: ROC AUC {auc['boosting-uncertainty']:.3f}, because bright "
        "asteroids are observed more often.",
    ]
    if result.row_split is not None:
        split = result.row_split
        texts.append(
            f"Leak 3, a random split by row: {split.seen_share:.0%} of the export's test rows belong to an asteroid of "
            f"the training part, and ROC AUC is {split.auc_by_row:.3f} instead of {split.auc_by_asteroid:.3f}."
        )
    if result.seeds is not None:
        seeds = result.seeds.to_json()
        texts.append(
            f"The defaults on {len(result.seeds.f1)} split seeds: F1 {seeds['mean_f1']:.4f} with a deviation of "
            f"{seeds['deviation_f1']:.4f} (rule {seeds['mean_rule_f1']:.4f}), at least the rule's on "
            f"{seeds['n_reached']} of them."
        )
    return texts


def _about_theirs(theirs: Entry, rule_f1: float) -> list[str]:
    """Return a warning if scores are clearly better than the definition itself."""
    if _f1(theirs) - rule_f1 <= CHANCE_F1:
        return []
    return [
        f"F1 {_f1(theirs):.4f} is more than {CHANCE_F1:g} above the rule's: the labels of the tested asteroids may "
        "have been used."
    ]


def _f1(item: Entry) -> float:
    return item.scores["f1"] or 0.0
