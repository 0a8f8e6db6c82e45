"""The metrics that SageMaker reads from a Linear Learner log.

The expressions are those of the built-in algorithm in DescribeTrainingJob. A metric's last line in the log gives its
final value. For the scores that images print since 2022, AWS documents ``validation:rmse`` alone. The others are named
in the same way, so a job here may have more definitions than the 40 of a customer's own request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from asteroid_ll.linear_learner.images import NEWER_SCORES

NAMESPACE = "/aws/sagemaker/TrainingJobs"
"""The namespace of the metrics in CloudWatch (SageMaker developer guide, "Monitor SageMaker with CloudWatch")."""

_QUALITY = r"#quality_metric: host=\S+, "
_ALL = ("train", "validation", "test")
_HELD_OUT = ("validation", "test")
_REGRESSION = ("rmse", "r2", "mae")


def _definitions() -> dict[str, re.Pattern[str]]:
    patterns = {
        "train:progress": r"#progress_metric: host=\S+, completed (\S+) %",
        "train:throughput": r"#throughput_metric: host=\S+, train throughput=(\S+) records/second",
    }

    def add(part: str, suffix: str, logged: str, *, tag: str) -> None:
        patterns[f"{part}:{suffix}"] = _QUALITY + rf"{part} {logged} <{tag}>=(\S+)"

    for part in ("train", "validation"):
        patterns[f"{part}:objective_loss"] = _QUALITY + rf"epoch=\S+, {part} \S+_objective <loss>=(\S+)"
        add(part, "objective_loss:final", r"\S+_objective", tag="loss")
    add("test", "objective_loss", r"\S+_objective", tag="loss")
    for part in _ALL:
        for name in ("mse", "absolute_loss"):
            add(part, name, name, tag="loss")
        for name in ("binary_classification_accuracy", "precision", "recall"):
            add(part, name, name, tag="score")
        add(part, "binary_f_beta", r"binary_f_\S+", tag="score")
    for part in _HELD_OUT:
        for name in ("multiclass_accuracy", "dcg", "macro_recall", "macro_precision", "roc_auc_score"):
            add(part, name, name, tag="score")
        add(part, "multiclass_top_k_accuracy", r"multiclass_top_k_accuracy_\S+", tag="score")
        add(part, "macro_f_beta", r"macro_f_\S+", tag="score")
    for part in ("train", "validation"):
        for name in sorted(NEWER_SCORES):
            add(part, name, name, tag="loss" if name in _REGRESSION else "score")
    return {name: re.compile(pattern) for name, pattern in patterns.items()}


DEFINITIONS = _definitions()
"""The built-in algorithm's ``MetricDefinitions``: an expression per metric, whose first group is the value."""


class Reading(NamedTuple):
    """A value of a metric in a log.

    Attributes:
        name: such as ``train:objective_loss``.
        value: finite.
        time_s: seconds since 1970.
    """

    name: str
    value: float
    time_s: float


def readings(lines: Iterable[tuple[float, str]]) -> Iterator[Reading]:
    """Yield the metrics in a log, without those that are NaN, infinite or text.

    Args:
        lines: (seconds since 1970, text) pairs in order.
    """
    for time_s, text in lines:
        # Most lines of a log are per-model records without any of these metrics.
        if "_metric: host=" not in text:
            continue
        for name, pattern in DEFINITIONS.items():
            match = pattern.search(text)
            value = _finite(match.group(1)) if match else None
            if value is not None:
                yield Reading(name, value, time_s)


def final_metrics(lines: Iterable[tuple[float, str]]) -> list[dict[str, Any]]:
    """Return the last value of every metric in a log, in the order of `DEFINITIONS`.

    Args:
        lines: (seconds since 1970, text) pairs in order.

    Returns:
        ``FinalMetricDataList``. Metrics that are only logged as NaN, infinite or text are left out.
    """
    last = {reading.name: reading for reading in readings(lines)}
    final = [last[name] for name in DEFINITIONS if name in last]
    return [{"MetricName": name, "Value": value, "Timestamp": time_s} for name, value, time_s in final]


def _finite(text: str) -> float | None:
    """Return the number, or None if JSON cannot represent it."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
