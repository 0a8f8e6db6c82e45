"""Reads the log of a Linear Learner job, AWS's or ours, back into numbers.

The container prints the losses of every model after every epoch in ``#metrics`` lines, and the exported model's scores
in ``#quality_metric`` lines. Other lines are skipped, and so is any text around a line. Python's warnings, which newer
images print even within an array, are removed first. A log without its ``#metrics`` lines, as people publish it, still
has the losses of model 0.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from asteroid_ll.errors import AsteroidError, DataError
from asteroid_ll.formats.arrays import Float32Array, Float64Array
from asteroid_ll.linear_learner.grid import Candidate, grid
from asteroid_ll.linear_learner.hyperparameters import parse
from asteroid_ll.linear_learner.images import GENERATIONS, NEWER_SCORES, Generation
from asteroid_ll.linear_learner.scaler import Scaler

_NUMBER = r"(-?(?:[\d.]+(?:e[-+]?\d+)?|nan|inf))"
_WARNING = re.compile(r"^/opt/amazon/\S+: \w*Warning: .*\n(?:  .*\n)?", re.MULTILINE)
_WIDTH = re.compile(r"^<NDArray (\d+) @cpu\(0\)>", re.MULTILINE)
_MOMENTS = re.compile(
    r"'(stdev_label|stdev_weight|mean_label|mean_weight)': (?:None|\s*\[([-+\d.einfa\s]*)\]\s*<NDArray (\d+) @cpu)"
)
_CRITERION = re.compile(rf"#early_stopping_criteria_metric: .*epoch=(\d+), criteria=(\S+), value={_NUMBER}")
_IMPROVED = re.compile(r"Epoch (\d+): Loss improved")
_STOPPED = "Early stop condition met"
_QUALITY = re.compile(
    rf"#quality_metric: host=\S+, (?:epoch=(\d+), )?(train|validation|test) (\S+) <(?:loss|score)>={_NUMBER}"
)
_PARTS = ("train", "validation")
# Logs of the Python 2 images print 12 significant digits.
_SAME_RELATIVE = 1e-9
_MAX_LOSSES = 50_000_000


@dataclass(frozen=True)
class QualityMetric:
    """A ``#quality_metric`` line.

    Attributes:
        part: the channel: ``train``, ``validation`` or ``test``.
        name: the metric, such as ``mse_objective``.
        value: its value.
        epoch: the epoch whose model 0 has this loss; None for a final score of the exported model.
    """

    part: str
    name: str
    value: float
    epoch: int | None


@dataclass(frozen=True)
class JobHistory:
    """The facts in a job's log.

    Attributes:
        provided: the job's own hyperparameters; empty if the log lacks its first lines.
        configuration: those merged with the container's defaults; empty in the same case.
        python: version of the container's Python, such as ``3.8``; None in the same case.
        generation: the images that print such a log; None if none is known that does.
        objective_name: the loss by its name in the log, such as ``mse_objective``.
        train_objective: mean loss, shape ``(n_epochs, n_models)``; NaN if the log lacks it, as for epochs before a
            checkpoint, and for other models than 0 without ``#metrics`` lines. A regressor's is in units of the
            standardised label.
        validation_objective: the same over the validation channel, in the label's units; None without one.
        criterion: the name of the measure that decided about stopping and selection.
        criterion_value: the best model's value of it, shape ``(n_epochs,)``; NaN if the log lacks it.
        improved_epochs: the epochs that the log calls improved, in order.
        kept_epoch: the epoch whose models were kept, from 0; None if unknown.
        stopped_early: whether patience ended the job before its last epoch.
        candidates: the grid that follows from the job's hyperparameters; empty if those are unknown.
        best_index: number of the exported model in the grid; None if unknown.
        best_hyperparameters: the exported model's; empty if the job failed.
        scores: final scores by channel and by name, such as ``scores["test"]["mse"]``.
        moments: the printed means and deviations by the log's name, such as ``mean_weight``; None for one that the
            job does not use. The container does not print those of more than 1,000 features in full, so they are
            absent.
        scaler: all moments; None if the log lacks those of features, or the job does not use them.
        quality_metrics: every ``#quality_metric`` line, in order.
        records: every ``#metrics`` line, in order, as the object that it contains.
    """

    provided: Mapping[str, str]
    configuration: Mapping[str, str]
    python: str | None
    generation: Generation | None
    objective_name: str
    train_objective: Float64Array
    validation_objective: Float64Array | None
    criterion: str
    criterion_value: Float64Array
    improved_epochs: tuple[int, ...]
    kept_epoch: int | None
    stopped_early: bool
    candidates: tuple[Candidate, ...]
    best_index: int | None
    best_hyperparameters: Mapping[str, object]
    scores: Mapping[str, Mapping[str, float]]
    moments: Mapping[str, Float32Array | None]
    scaler: Scaler | None
    quality_metrics: tuple[QualityMetric, ...]
    records: tuple[Mapping[str, Any], ...]

    @property
    def n_epochs(self) -> int:
        """Epochs from the first to the last one in the log."""
        return int(self.train_objective.shape[0])

    @property
    def n_models(self) -> int:
        """Models of the grid."""
        return int(self.train_objective.shape[1])


def read_log(text: str) -> JobHistory:
    """Read a job's log.

    Args:
        text: one host's log. Concatenate the logs of a job that was continued.

    Returns:
        The losses of all models, the decisions, and the final scores.

    Raises:
        DataError: there is no model's loss in it, or a damaged line would need more memory than a job has.
    """
    text = _WARNING.sub("", text)
    records = [_loads(rest) for line in text.splitlines() if (rest := line.partition("#metrics ")[2])]
    records = [record for record in records if record]
    quality = [_quality_metric(match) for match in _QUALITY.finditer(text)]
    objective_name, losses = _losses(records)
    train = losses["train"]
    n_models = 1 + max(model for _, model in train) if train else None
    for metric in quality:
        # Epochs without a #metrics line still have the loss of model 0.
        if metric.epoch is not None and metric.part in losses and metric.name.endswith("_objective"):
            objective_name = objective_name or metric.name
            losses[metric.part].setdefault((metric.epoch, 0), metric.value)
    if not train:
        raise DataError(
            "The log has no losses of models: neither a #metrics line with an epoch and a model, nor a "
            "#quality_metric line with an epoch.",
            hint="Give the whole log of a Linear Learner job that trained at least one epoch.",
        )
    configuration = _literal(_last(r"Final configuration: (\{.*\})", text))
    widths = [int(width) for width in _WIDTH.findall(text)]
    candidates = _candidates(configuration, widths, n_models=n_models)
    shape = (1 + max(epoch for epoch, _ in train), n_models or len(candidates) or 1)
    if shape[0] * shape[1] > _MAX_LOSSES:
        raise DataError(
            f"The log has a loss of epoch {shape[0] - 1} and one of model {shape[1] - 1}: a line is damaged.",
            hint="Read the log from CloudWatch once more.",
        )
    objective = {part: _matrix(losses[part], shape) for part in _PARTS}
    validation = objective["validation"] if losses["validation"] else None
    criteria = {int(epoch): (name, float(value)) for epoch, name, value in _CRITERION.findall(text)}
    improved = [int(epoch) for epoch in _IMPROVED.findall(text)]
    criterion = next((name for name, _ in reversed(criteria.values())), "")
    # With a searched criterion the container keeps every epoch.
    kept_epochs = list(criteria) if criterion.startswith("sampled_") else improved
    kept_epoch = kept_epochs[-1] if kept_epochs else None
    best = _loads(_last(r"Best model found for hyperparameters: (\{.*\})", text))
    scores: dict[str, dict[str, float]] = {}
    for metric in quality:
        if metric.epoch is None:
            scores.setdefault(metric.part, {})[metric.name] = metric.value
    python = _last(r"default configuration from \S*/python(\d+\.\d+)/", text) or None
    moments = _read_moments(text)
    return JobHistory(
        provided=read_provided(text),
        configuration=configuration,
        python=python,
        generation=_generation(python, scores),
        objective_name=objective_name,
        train_objective=objective["train"],
        validation_objective=validation,
        criterion=criterion,
        criterion_value=np.array([criteria.get(epoch, ("", np.nan))[1] for epoch in range(shape[0])]),
        improved_epochs=tuple(dict.fromkeys(improved)),
        kept_epoch=kept_epoch,
        stopped_early=_STOPPED in text,
        candidates=candidates,
        best_index=_best_index(best, candidates, objective["train"] if validation is None else validation, kept_epoch),
        best_hyperparameters=best,
        scores=scores,
        moments=moments,
        scaler=_scaler(moments),
        quality_metrics=tuple(quality),
        records=tuple(records),
    )


def read_provided(text: str) -> dict[str, str]:
    """Return the job's own hyperparameters from a log, also of a job that failed before its first epoch ended."""
    return _literal(_last(r"(?:Merging with|Reading) provided configuration from \S+: (\{.*\})", text))


def _last(pattern: str, text: str) -> str:
    """Return the group of the last match of a pattern; empty without one."""
    return next(iter(re.findall(pattern, text)[-1:]), "")


def _quality_metric(match: re.Match[str]) -> QualityMetric:
    epoch, part, name, value = match.groups()
    return QualityMetric(part, name, float(value), None if epoch is None else int(epoch))


def _generation(python: str | None, scores: Mapping[str, Mapping[str, float]]) -> Generation | None:
    """Return the images that print such a log: by the version of Python and, if there are any, the final scores."""
    names = {name for part in scores.values() for name in part}
    for generation in GENERATIONS.values():
        has_newer = bool(names & NEWER_SCORES) if names else generation.has_newer_scores
        if (python, has_newer) == (generation.python, generation.has_newer_scores):
            return generation
    return None


def _losses(records: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, dict[tuple[int, int], float]]]:
    """Return the objective's name and, by channel, the losses by epoch and model."""
    objective, losses = "", {part: dict[tuple[int, int], float]() for part in _PARTS}
    for record in records:
        try:
            dimensions, metrics = record["Dimensions"], record["Metrics"]
            place = (int(dimensions["epoch"]), int(dimensions["model"]))
            found = {name: float(value["sum"]) for name, value in metrics.items() if name.endswith("_objective")}
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        for name, loss in found.items():
            part, _, rest = name.partition("_")
            if part in losses and min(place) >= 0:
                objective, losses[part][place] = rest, loss
    return objective, losses


def _read_moments(text: str) -> dict[str, Float32Array | None]:
    moments: dict[str, Float32Array | None] = {}
    for match in _MOMENTS.finditer(text):
        numbers = match.group(2)
        if numbers is None:
            moments[match.group(1)] = None
        # Three dots stand for the middle of a long array.
        elif "..." not in numbers and len(numbers.split()) == int(match.group(3)):
            # A number of a damaged line may be none, or none of float32.
            with suppress(ValueError), np.errstate(over="ignore"):
                moments[match.group(1)] = np.array(numbers.split()).astype(np.float32)
    return moments


def _scaler(moments: Mapping[str, Float32Array | None]) -> Scaler | None:
    mean, std = moments.get("mean_weight"), moments.get("stdev_weight")
    if mean is None or std is None or mean.shape != std.shape:
        return None
    label_mean, label_std = (moments.get(name) for name in ("mean_label", "stdev_label"))
    if label_mean is None or label_std is None:
        return Scaler(mean, std, None, None)
    return Scaler(mean, std, label_mean[0], label_std[0])


def _loads(text: str) -> dict[str, Any]:
    """Return the JSON object at the start of a text; empty if there is none."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _literal(text: str) -> dict[str, str]:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError):
        return {}
    return {str(name): str(setting) for name, setting in value.items()} if isinstance(value, dict) else {}


def _matrix(values: Mapping[tuple[int, int], float], shape: tuple[int, int]) -> Float64Array:
    matrix = np.full(shape, np.nan)
    for (row, column), value in values.items():
        if row < shape[0] and column < shape[1]:
            matrix[row, column] = value
    return matrix


def _candidates(
    configuration: Mapping[str, str], widths: Sequence[int], *, n_models: int | None
) -> tuple[Candidate, ...]:
    """Return the grid of the logged configuration; empty if the log has another number of models."""
    if "predictor_type" not in configuration or not widths:
        return ()
    try:
        candidates = grid(parse(configuration), feature_dim=max(widths))
    except AsteroidError:
        return ()
    return candidates if n_models in (None, len(candidates)) else ()


def _best_index(
    best: Mapping[str, object], candidates: tuple[Candidate, ...], judged: Float64Array, kept_epoch: int | None
) -> int | None:
    """Return the model with the exported one's hyperparameters; of several, the one with the lowest kept loss."""
    if not best:
        return None
    numbers = list(_matching(best, candidates)) if candidates else list(range(judged.shape[1]))
    if len(numbers) == 1:
        return numbers[0]
    if kept_epoch is None or kept_epoch >= len(judged):
        return None
    losses = {number: judged[kept_epoch, number] for number in numbers}
    finite = {number: loss for number, loss in losses.items() if np.isfinite(loss)}
    return min(finite, key=lambda number: finite[number]) if finite else None


def _matching(best: Mapping[str, object], candidates: tuple[Candidate, ...]) -> Iterator[int]:
    for number, candidate in enumerate(candidates):
        settings = candidate.as_logged()
        if settings.keys() == best.keys() and all(_same(settings[name], best[name]) for name in best):
            yield number


def _same(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= _SAME_RELATIVE * max(abs(one), abs(other))
    return one == other
