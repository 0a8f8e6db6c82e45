"""The numbers that a job's log prints, and its model's, as arrays under the same names for every run of the job.

Names with ``/`` have a channel or a kind behind them, such as ``loss/train``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asteroid_ll.formats.arrays import Float64Array
from asteroid_ll.linear_learner.artifact import Artifact
from asteroid_ll.linear_learner.log_reader import JobHistory

_PROGRESS = re.compile(r"#progress_metric: host=\S+, completed ([\d.]+) %")
_PASS = re.compile(r"epoch_stats=(\{.*\})")
_FAILED = re.compile(r"ERROR \d+\] (.*)")
_ALGORITHM = re.compile(r'"Algorithm": "([^"]+)"')
_HOST = re.compile(r'host=algo-(\d+)\b|"Host": "algo-(\d+)"')
OURS = "Linear Learner"
_TO_DIGITS = 1e-6
OF_ARTIFACT = ("weight", "bias", "threshold")
_ROWS, _BATCHES = "Number of Records Since Last Reset", "Number of Batches Since Last Reset"


@dataclass(frozen=True)
class Numbers:
    """Numbers of one kind.

    Attributes:
        values: any shape; NaN for a number that is absent.
        axes: what the axes count, such as ``("epoch", "model")``, or the names along the only axis; empty for the name
            of a number that is the only one of its kind.
    """

    values: Float64Array
    axes: tuple[str, ...]

    @property
    def has_names(self) -> bool:
        """Whether each number has a name of its own."""
        one_each = self.values.ndim == 1 and len(self.axes) == len(self.values)
        return one_each and self.axes not in (("epoch",), ("feature",), ("output",))

    def place(self, index: tuple[int, ...]) -> str:
        """Return where a number is, in words."""
        if self.has_names:
            return self.axes[index[0]]
        return ", ".join(f"{axis} {number}" for axis, number in zip(self.axes, index, strict=True))


def numbers_of(log: str, history: JobHistory, model: Artifact | None) -> dict[str, Numbers]:
    """Return all numbers of a job by their kind, in the order of the log.

    Args:
        log: the log.
        history: the facts that the log reader has found in it.
        model: the job's model, if it is at hand.
    """
    found: dict[str, Numbers] = {}
    for kind, moment in (
        ("mean", "mean_weight"),
        ("deviation", "stdev_weight"),
        ("label mean", "mean_label"),
        ("label deviation", "stdev_label"),
    ):
        values = history.moments.get(moment)
        if values is not None and ("label" not in kind or len(values) == 1):
            found[kind] = Numbers(values.astype(np.float64), ("",) if "label" in kind else ("feature",))
    found["loss/train"] = Numbers(history.train_objective, ("epoch", "model"))
    if history.validation_objective is not None:
        found["loss/validation"] = Numbers(history.validation_objective, ("epoch", "model"))
    for part in ("train", "validation"):
        found |= _named(f"loss of model 0/{part}", _losses_of_model_0(history, part))
    found["criterion"] = Numbers(history.criterion_value, ("epoch",))
    for part, scores in history.scores.items():
        found |= _named(f"score/{part}", scores)
    found |= _named("progress", _progress(log))
    found |= _named("count", dict(_counts(log, history)))
    if model is not None:
        found["weight"] = Numbers(model.arrays["fc0_weight"].astype(np.float64), ("feature", "output"))
        found["bias"] = Numbers(model.arrays["fc0_bias"].ravel().astype(np.float64), ("output",))
        threshold = model.additional_params.get("threshold")
        if isinstance(threshold, int | float):
            found |= _named("threshold", {"threshold": float(threshold)})
    return found


def failure_of(log: str) -> str:
    """Return the last error in a log; empty if there is none."""
    errors = _FAILED.findall(log)
    return str(errors[-1]) if errors else ""


def algorithm_of(log: str) -> str:
    """Return the algorithm that the log names in its ``#metrics`` lines; empty if it names none."""
    match = _ALGORITHM.search(log)
    return match.group(1) if match else ""


def of_first_host(log: str) -> str:
    """Return a log without the lines that name another host than the first: all hosts of a job print the same."""

    def is_other(line: str) -> bool:
        match = _HOST.search(line)
        return match is not None and (match.group(1) or match.group(2)) != "1"

    return "\n".join(line for line in log.splitlines() if not is_other(line))


def rows_per_epoch(numbers: Mapping[str, Numbers]) -> tuple[int, int] | None:
    """Return the rows and mini-batches that the first host reads in an epoch; None if the log does not count them."""
    of = _counted(numbers)
    pairs = [
        (int(rows), int(of.get(name.replace(_ROWS, _BATCHES), 0)))
        for name, rows in of.items()
        if name.startswith("epoch ") and name.endswith(_ROWS)
    ]
    return _most_frequent(pairs)


def bytes_per_pass(numbers: Mapping[str, Numbers]) -> tuple[int, int] | None:
    """Return the bytes and mini-batches of a whole pass over train; None if the log has no pass, as for CSV."""
    of = _counted(numbers)
    pairs = [
        (int(value), int(of.get(name.replace("num_bytes", "num_examples"), 0)))
        for name, value in of.items()
        if name.endswith("of train: num_bytes")
    ]
    return _most_frequent(pairs)


def epochs_by_progress(numbers: Mapping[str, Numbers]) -> int | None:
    """Return the number of epochs of which the log's progress is a share; None if there is no such line."""
    progress = numbers.get("progress")
    shares = [] if progress is None else [share for share in progress.values.tolist() if 0 < share < 100]
    n_epochs = round(100 / shares[0]) if shares else 0
    # A log that lacks a line gives no number of epochs.
    is_exact = all(abs(share - 100 * (epoch + 1) / n_epochs) < _TO_DIGITS for epoch, share in enumerate(shares))
    return n_epochs if shares and is_exact else None


def _most_frequent(values: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Return the most frequent value, the largest of several: a damaged line does not count."""
    return max(values, key=lambda value: (values.count(value), value), default=None)


def _counted(numbers: Mapping[str, Numbers]) -> dict[str, float]:
    counts = numbers.get("count")
    return {} if counts is None else dict(zip(counts.axes, counts.values.tolist(), strict=True))


def _named(kind: str, values: Mapping[str, float]) -> dict[str, Numbers]:
    return {kind: Numbers(np.array(list(values.values()), np.float64), tuple(values))} if values else {}


def _losses_of_model_0(history: JobHistory, part: str) -> dict[str, float]:
    """Return the losses of the ``#quality_metric`` lines, which repeat those of model 0."""
    metrics = (metric for metric in history.quality_metrics if metric.part == part and metric.epoch is not None)
    return {f"epoch {metric.epoch}": metric.value for metric in metrics if metric.name.endswith("_objective")}


def _progress(log: str) -> dict[str, float]:
    return {f"line {number}": float(share) for number, share in enumerate(_PROGRESS.findall(log))}


def _counts(log: str, history: JobHistory) -> Iterator[tuple[str, float]]:
    """Yield the counts of the reader's passes, and of records and batches after each epoch."""
    # These lines do not name their host.
    passes = [] if "Create Store: dist" in log else _PASS.findall(log)
    for text in passes:
        try:
            stats = json.loads(text)
            place = f"pass {stats['epoch']} of {str(stats['data_pipeline']).rpartition('/')[2]}"
            for name in ("num_examples", "num_bytes"):
                yield f"{place}: {name}", float(stats[name])
        except (ValueError, KeyError, TypeError):
            continue
    for record in history.records:
        try:
            dimensions = record["Dimensions"]
            if "Meta" not in dimensions:
                continue
            place = f"epoch {dimensions['epoch']}" if "epoch" in dimensions else str(dimensions["Meta"])
            for name, summary in record["Metrics"].items():
                yield f"{place}: {name}", float(summary["max"])
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
