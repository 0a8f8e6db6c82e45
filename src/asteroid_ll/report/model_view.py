"""A description of a trained model: the weight of each feature, and the losses of the grid's models.

The artifact has weights in the features' own units. A standardised weight is the change of the score per standard
deviation of the feature (for a regressor, in standard deviations of the label); the job's log has these deviations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.export.named import feature_names
from asteroid_ll.linear_learner.log_reader import JobHistory, read_log
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.run.files import read_json

FORMAT_VERSION = 1


@dataclass(frozen=True)
class FeatureWeight:
    """The weight of one feature.

    Attributes:
        name: the feature's name.
        variable: the variable of a ramp; else the name.
        start: start of a ramp in the variable's unit; None for another feature.
        end: end of a ramp, above which its value is 1; None for another feature.
        weight: per output, in the feature's own unit; for a ramp, the change of the score from start to end.
        standardised: per output, per standard deviation of the feature; None without a log.
    """

    name: str
    variable: str
    start: float | None
    end: float | None
    weight: tuple[float, ...]
    standardised: tuple[float, ...] | None


@dataclass(frozen=True)
class GridModel:
    """A model of the grid with its loss in the kept epoch.

    Attributes:
        number: its number in the grid, from 0.
        exported: whether it is the artifact's model.
        hyperparameters: as in the log.
        train_objective: mean loss before the updates; None if it is not finite.
        validation_objective: mean loss over the validation channel; None without one.
    """

    number: int
    exported: bool
    hyperparameters: dict[str, object]
    train_objective: float | None
    validation_objective: float | None


@dataclass(frozen=True)
class ModelView:
    """A model and its training.

    Attributes:
        predictor_type: ``regressor``, ``binary_classifier`` or ``multiclass_classifier``.
        loss: its loss function.
        feature_set: name of the feature set; None if unknown.
        threshold: score above which a binary classifier predicts 1; None for other models.
        bias: per output, in the label's own unit.
        features: one per weight, in the order of the model's inputs.
        objective_name: name of the loss in the log; None without a log.
        kept_epoch: the epoch whose models were kept, from 0.
        grid: the job's models by their loss, best first; empty without a log.
        scores: final scores by channel and name.
    """

    predictor_type: str
    loss: str
    feature_set: str | None
    threshold: float | None
    bias: tuple[float, ...]
    features: tuple[FeatureWeight, ...]
    objective_name: str | None
    kept_epoch: int | None
    grid: tuple[GridModel, ...]
    scores: dict[str, dict[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values."""
        return {"version": FORMAT_VERSION, **asdict(self)}


def view(
    model: Model,
    *,
    fitted: FittedFeatures | None,
    history: JobHistory | None,
    names: Sequence[str] | None = None,
) -> ModelView:
    """Describe a model.

    Args:
        model: the model.
        fitted: its features; None without a run.
        history: the log of its training job; None without one.
        names: names of the features; None for those of ``fitted``, or ``f0``, ``f1`` and so on.

    Raises:
        ConfigError: the names are not distinct, or not as many as the features.
        DataError: the features or the log belong to a model with another number of features.
    """
    if fitted is not None and len(fitted.columns) != model.feature_dim:
        raise DataError(
            f"The model takes {model.feature_dim} features, but the fitted feature set has {len(fitted.columns)}.",
            hint="asteroid-ll train   trains on the features in the run directory.",
        )
    scores = {} if history is None else {part: dict(values) for part, values in history.scores.items()}
    return ModelView(
        predictor_type=model.predictor_type,
        loss=model.loss,
        feature_set=None if fitted is None else fitted.name,
        threshold=model.threshold if model.predictor_type == "binary_classifier" else None,
        bias=tuple(model.bias.tolist()),
        features=tuple(_features(model, fitted, history, names=names)),
        objective_name=None if history is None else history.objective_name,
        kept_epoch=None if history is None else history.kept_epoch,
        grid=() if history is None else _grid(history),
        scores=scores,
    )


def load(
    model: Model, *, features: Path | None, log: Path | None, names: Sequence[str] | None = None
) -> tuple[ModelView, FittedFeatures | None]:
    """Describe a model with the files of its run.

    Args:
        model: the model.
        features: the run's ``features.json``; None without one.
        log: the job's log; None without one.
        names: see `view`.

    Returns:
        The description, and the features of the run.

    Raises:
        ConfigError: the names are not distinct, or not as many as the features.
        DataError: a file is missing or damaged, or the files do not belong together.
    """
    fitted = None if features is None else FittedFeatures.from_json(read_json(features))
    try:
        history = None if log is None else read_log(log.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise DataError(
            f"The log {log} cannot be read: {error.strerror}.", hint="asteroid-ll train   or   --log FILE"
        ) from error
    return view(model, fitted=fitted, history=history, names=names), fitted


def _features(
    model: Model, fitted: FittedFeatures | None, history: JobHistory | None, *, names: Sequence[str] | None
) -> Iterator[FeatureWeight]:
    if names is None and fitted is not None:
        names = fitted.columns
    names = feature_names(model.feature_dim, names)
    scaler = None if history is None else history.scaler
    if scaler is not None and len(scaler.std_features) != model.feature_dim:
        raise DataError(
            f"The model takes {model.feature_dim} features, but the log's job has {len(scaler.std_features)}.",
            hint="Give the log of the job that trained the model.",
        )
    factors: Sequence[float] | None = None
    if scaler is not None:
        factors = (scaler.std_features / (1 if scaler.std_label is None else scaler.std_label)).tolist()
    ramps = _ramps(fitted)
    for number, (name, weight) in enumerate(zip(names, model.weight.tolist(), strict=True)):
        variable, start, end = ramps.get(number, (name, None, None))
        standardised = None if factors is None else tuple(value * factors[number] for value in weight)
        yield FeatureWeight(name, variable, start, end, tuple(weight), standardised)


def _ramps(fitted: FittedFeatures | None) -> dict[int, tuple[str, float, float]]:
    """Return the variable and the two knots of each column of a spline set, by the column's number."""
    if fitted is None:
        return {}
    ramps = [(variable, start, end) for variable, knots in fitted.knots.items() for start, end in pairwise(knots)]
    return dict(enumerate(ramps))


def _grid(history: JobHistory) -> tuple[GridModel, ...]:
    epoch = history.n_epochs - 1 if history.kept_epoch is None else history.kept_epoch
    validation = history.validation_objective
    models = [
        GridModel(
            number=number,
            exported=number == history.best_index,
            hyperparameters=dict(history.candidates[number].as_logged()) if history.candidates else {},
            train_objective=_number(history.train_objective[epoch, number]),
            validation_objective=None if validation is None else _number(validation[epoch, number]),
        )
        for number in range(history.n_models)
    ]
    return tuple(sorted(models, key=_loss))


def _loss(model: GridModel) -> tuple[bool, float]:
    value = model.train_objective if model.validation_objective is None else model.validation_objective
    return value is None, value or 0.0


def _number(value: float) -> float | None:
    """Return a finite value, or None, because JSON has neither NaN nor infinity."""
    return float(value) if abs(value) < float("inf") else None
