"""The metrics of a binary classifier, one record each: to add one, add it to `METRICS`.

An undefined value (precision if nothing is predicted positive, ROC AUC of one class) is None and has a reason. It is
never NaN, and never a zero that looks measured. Nothing here needs numpy, so that stored scores are shown quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asteroid_ll.evaluation.ranking import Floats
    from asteroid_ll.evaluation.resamples import Resamples

_NOT_STORED = "not computed by the version that stored these scores"


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        key: its name in JSON files.
        title: its name in tables.
        formula: value per resample, shape ``(n_resamples,)``, NaN when undefined.
        undefined: the reason for an undefined value; empty for a metric that is always defined.
        needs_scores: whether a hard rule, which has predictions only, has no value.
        has_interval: whether it is shown with a bootstrap interval.
    """

    key: str
    title: str
    formula: Callable[[Resamples], Floats]
    undefined: str = ""
    needs_scores: bool = False
    has_interval: bool = True


METRICS: tuple[Metric, ...] = (
    Metric("accuracy", "Accuracy", lambda s: s.ratio(s.tp + s.tn, s.tp + s.fp + s.fn + s.tn)),
    Metric("precision", "Precision", lambda s: s.ratio(s.tp, s.tp + s.fp), "nothing is predicted positive"),
    Metric("recall", "Recall", lambda s: s.ratio(s.tp, s.tp + s.fn), "no label is positive"),
    Metric(
        "f1", "F1", lambda s: s.ratio(2 * s.tp, 2 * s.tp + s.fp + s.fn), "no label is positive and none is predicted"
    ),
    Metric("roc_auc", "ROC AUC", lambda s: s.roc_auc, "all labels are equal", needs_scores=True),
    Metric(
        "average_precision", "Avg. precision", lambda s: s.average_precision, "no label is positive", needs_scores=True
    ),
    Metric("mae", "MAE", lambda s: s.mean(abs(s.scores - s.labels)), has_interval=False),
)


def interval_metrics() -> tuple[Metric, ...]:
    """Return the metrics that are shown with an interval."""
    return tuple(metric for metric in METRICS if metric.has_interval)


@dataclass(frozen=True)
class BinaryScores:
    """The scores of one set of predictions; ``scores["f1"]`` is a metric's value, None when undefined.

    Attributes:
        tp: true positives.
        fp: false positives.
        fn: false negatives.
        tn: true negatives.
        values: each metric's value by key.
        undefined: the reason for each value that is None, by key.
    """

    tp: int
    fp: int
    fn: int
    tn: int
    values: Mapping[str, float | None]
    undefined: Mapping[str, str]

    def __getitem__(self, key: str) -> float | None:
        return self.values[key]

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def n_positive(self) -> int:
        """Number of rows whose label is 1."""
        return self.tp + self.fn

    @property
    def n_errors(self) -> int:
        """Number of rows whose prediction is wrong."""
        return self.fp + self.fn

    def to_json(self) -> dict[str, Any]:
        """Return the counts, the values by key and the reasons as JSON values."""
        counts = {"tp": self.tp, "fp": self.fp, "fn": self.fn, "tn": self.tn}
        rows = {"n": self.n, "n_positive": self.n_positive}
        return {**rows, **self.values, **counts, "undefined": dict(self.undefined)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BinaryScores:
        """Read what `to_json` wrote, possibly in another version: a metric without a stored value is undefined."""
        missing = {metric.key: _NOT_STORED for metric in METRICS if metric.key not in data}
        return cls(
            **{name: data[name] for name in ("tp", "fp", "fn", "tn")},
            values={metric.key: data.get(metric.key) for metric in METRICS},
            undefined={**data["undefined"], **missing},
        )
