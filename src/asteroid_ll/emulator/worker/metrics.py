"""The metrics that SageMaker reads from a Linear Learner log.

The expressions are those of the built-in algorithm in DescribeTrainingJob. A metric's last line in the log gives its
final value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_QUALITY = r"#quality_metric: host=\S+, "
_ALL = ("train", "validation", "test")
_HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class MetricDefinition:
    """A metric's name and the expression whose first group is its value."""

    name: str
    regex: str


@dataclass(frozen=True)
class MetricValue:
    """A metric's final value and when it was logged, in seconds since 1970."""

    name: str
    value: float
    time_s: float


def _definitions() -> tuple[MetricDefinition, ...]:
    definitions = [
        MetricDefinition("train:progress", r"#progress_metric: host=\S+, completed (\S+) %"),
        MetricDefinition("train:throughput", r"#throughput_metric: host=\S+, train throughput=(\S+) records/second"),
    ]

    def add(part: str, suffix: str, logged: str, *, tag: str) -> None:
        definitions.append(MetricDefinition(f"{part}:{suffix}", _QUALITY + rf"{part} {logged} <{tag}>=(\S+)"))

    for part in ("train", "validation"):
        pattern = _QUALITY + rf"epoch=\S+, {part} \S+_objective <loss>=(\S+)"
        definitions.append(MetricDefinition(f"{part}:objective_loss", pattern))
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
    add("validation", "rmse", "rmse", tag="loss")
    return tuple(definitions)


DEFINITIONS = _definitions()
"""The built-in algorithm's ``AlgorithmSpecification.MetricDefinitions``."""

_COMPILED = tuple((definition.name, re.compile(definition.regex)) for definition in DEFINITIONS)


def final_metrics(lines: Iterable[tuple[float, str]]) -> list[MetricValue]:
    """Return the last value of every metric in a log, in the order of `DEFINITIONS`.

    Args:
        lines: (seconds since 1970, text) pairs in order.

    Returns:
        One value per metric. Metrics that are only logged as NaN, infinite or text are left out.
    """
    last: dict[str, MetricValue] = {}
    for time_s, text in lines:
        # Most lines of a log are per-model records without any of these metrics.
        if "_metric: host=" not in text:
            continue
        for name, pattern in _COMPILED:
            match = pattern.search(text)
            if match:
                value = _finite(match.group(1))
                if value is not None:
                    last[name] = MetricValue(name, value, time_s)
    return [last[name] for name, _ in _COMPILED if name in last]


def _finite(text: str) -> float | None:
    """Return the number, or None if JSON cannot hold it."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
