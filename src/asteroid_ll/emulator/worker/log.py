"""What jobs and endpoints print: the rows of CloudWatch Logs, and the metrics that SageMaker reads from them.

The expressions are those of the built-in algorithm in DescribeTrainingJob. A metric's last line in the log gives its
final value. For the scores that images print since 2022, AWS documents ``validation:rmse`` alone. The others are named
in the same way, so a job here may have more definitions than the 40 of a customer's own request.

A job's worker process writes its containers' output here, so nothing heavy is imported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from asteroid_ll.emulator.state import State
from asteroid_ll.linear_learner.images import NEWER_SCORES

TRAINING_GROUP = "/aws/sagemaker/TrainingJobs"
TRANSFORM_GROUP = "/aws/sagemaker/TransformJobs"
PROCESSING_GROUP = "/aws/sagemaker/ProcessingJobs"
ENDPOINT_GROUP_PREFIX = "/aws/sagemaker/Endpoints/"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_streams (
    id INTEGER PRIMARY KEY, region TEXT NOT NULL, log_group TEXT NOT NULL, name TEXT NOT NULL,
    created_ms INTEGER NOT NULL, UNIQUE (region, log_group, name));
CREATE TABLE IF NOT EXISTS log_events (
    id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL, message TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS log_events_stream ON log_events (stream, id);
"""


class LogStore:
    """The log streams of an account. A group exists as long as it has a stream.

    Args:
        state: the account's state.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        state.ensure(_SCHEMA)

    def append(self, region: str, group: str, stream: str, *, lines: Iterable[tuple[float, str]]) -> None:
        """Add lines to a stream, and create the stream and its group if they are missing.

        Args:
            region: the region of the group.
            group: such as ``/aws/sagemaker/TrainingJobs``.
            stream: such as ``JOB/algo-1-1700000000``.
            lines: (seconds since 1970, text) pairs in order; empty texts are left out, as CloudWatch refuses them.
        """
        with self.state.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO log_streams (region, log_group, name, created_ms) VALUES (?, ?, ?, ?)",
                (region, group, stream, int(self.state.now() * 1000)),
            )
            (number,) = db.execute(
                "SELECT id FROM log_streams WHERE region = ? AND log_group = ? AND name = ?", (region, group, stream)
            ).fetchone()
            db.executemany(
                "INSERT INTO log_events (stream, timestamp_ms, message) VALUES (?, ?, ?)",
                [(number, int(time_s * 1000), text) for time_s, text in lines if text],
            )

    def lines(self, region: str, group: str, stream: str) -> list[tuple[float, str]]:
        """Return all lines of a stream as (seconds since 1970, text); none if there is no such stream."""
        rows = self.state.connection.execute(
            "SELECT e.timestamp_ms, e.message FROM log_events e JOIN log_streams s ON s.id = e.stream"
            " WHERE s.region = ? AND s.log_group = ? AND s.name = ? ORDER BY e.id",
            (region, group, stream),
        )
        return [(row["timestamp_ms"] / 1000, row["message"]) for row in rows]

    def stream_names(self, region: str, group: str, *, prefix: str = "") -> list[str]:
        """Return the names of a group's streams that start with a prefix, oldest first."""
        rows = self.state.connection.execute(
            "SELECT name FROM log_streams WHERE region = ? AND log_group = ? AND substr(name, 1, ?) = ? ORDER BY id",
            (region, group, len(prefix), prefix),
        )
        return [row["name"] for row in rows]

    def delete(self, region: str, group: str, names: Iterable[str]) -> None:
        """Delete streams of a group with their lines."""
        with self.state.transaction() as db:
            for name in names:
                of_stream = (region, group, name)
                db.execute(
                    "DELETE FROM log_events WHERE stream IN"
                    " (SELECT id FROM log_streams WHERE region = ? AND log_group = ? AND name = ?)",
                    of_stream,
                )
                db.execute("DELETE FROM log_streams WHERE region = ? AND log_group = ? AND name = ?", of_stream)


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
