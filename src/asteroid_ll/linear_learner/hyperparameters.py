"""The hyperparameters of one job: merged with the defaults, checked, and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from asteroid_ll.linear_learner.errors import ClientError
from asteroid_ll.linear_learner.records import PredictorType
from asteroid_ll.linear_learner.spec import HYPERPARAMETERS, LOSSES, OLD_CRITERIA, aws_defaults, losses_of


@dataclass(frozen=True)
class Hyperparameters:
    """All hyperparameters, typed. ``None`` means ``auto``, which the data or the grid resolves.

    ``learning_rate``, ``wd``, ``l1`` and the scheduler's values are the base model's (see ``grid``). The optimizer and
    the bias multipliers apply to every model. ``loss`` is never ``auto``.
    """

    predictor_type: PredictorType
    feature_dim: int | None
    num_classes: int
    mini_batch_size: int
    epochs: int
    use_bias: bool
    num_models: int | None
    loss: str
    optimizer: str | None
    learning_rate: float | None
    wd: float | None
    l1: float | None
    momentum: float
    beta_1: float
    beta_2: float
    bias_lr_mult: float | None
    bias_wd_mult: float
    use_lr_scheduler: bool
    lr_scheduler_step: int | None
    lr_scheduler_factor: float | None
    lr_scheduler_minimum_lr: float | None
    normalize_data: bool
    normalize_label: bool
    unbias_data: bool | None
    unbias_label: bool
    num_point_for_scaler: int
    init_method: Literal["uniform", "normal"]
    init_scale: float
    init_sigma: float
    init_bias: float
    early_stopping_patience: int
    early_stopping_tolerance: float
    binary_classifier_model_selection_criteria: str
    target_recall: float
    target_precision: float
    f_beta: float
    positive_example_weight_mult: float | Literal["balanced", "auto"]
    balance_multiclass_weights: bool
    accuracy_top_k: int
    num_calibration_samples: int | None
    margin: float
    quantile: float
    loss_insensitivity: float
    huber_delta: float

    @property
    def n_outputs(self) -> int:
        """Scores per row: the number of classes for multiclass_classifier, else 1."""
        return self.num_classes if self.predictor_type == "multiclass_classifier" else 1


def merge(values: Mapping[str, str]) -> dict[str, str]:
    """Merge the customer's values with the defaults, as the container's "Final configuration" line shows them.

    Args:
        values: hyperparameters by name, all strings.

    Returns:
        Every hyperparameter of AWS in the container's order, then names without a default (``predictor_type``).

    Raises:
        ClientError: a name is unknown, a value is not a string or not acceptable, or predictor_type is missing.
    """
    unknown = [name for name in values if name not in HYPERPARAMETERS]
    if unknown:
        names = ", ".join(repr(name) for name in unknown)
        verb = "was" if len(unknown) == 1 else "were"
        raise ClientError(f"Additional properties are not allowed ({names} {verb} unexpected)")
    for name, value in values.items():
        if not isinstance(value, str):
            raise ClientError(f"{value!r} is not of type 'string'\n\nOn instance[{name!r}]:\n    {value!r}")
        HYPERPARAMETERS[name].check(value)
    if "predictor_type" not in values:
        raise ClientError("'predictor_type' is a required property", hyperparameter="predictor_type")
    return {**aws_defaults(), **values}


def parse(values: Mapping[str, str]) -> Hyperparameters:
    """Check the customer's values and type them together with the defaults.

    Args:
        values: hyperparameters by name, all strings, as in ``hyperparameters.json``.

    Returns:
        The typed hyperparameters.

    Raises:
        ClientError: an unknown name, an unacceptable value, or values that do not go together.
    """
    merged = merge(values)
    typed: dict[str, Any] = {
        name: record.parse(merged.get(name, record.default or ""))
        for name, record in HYPERPARAMETERS.items()
        if not record.is_internal
    }
    typed["loss"] = _resolve_loss(typed["predictor_type"], typed["loss"])
    if typed["predictor_type"] == "multiclass_classifier" and typed["num_classes"] < 3:
        raise ClientError(
            "For predictor_type 'multiclass_classifier', 'num_classes' should be set to a value greater than 2.",
            hyperparameter="num_classes",
        )
    criterion = typed["binary_classifier_model_selection_criteria"]
    typed["binary_classifier_model_selection_criteria"] = OLD_CRITERIA.get(criterion, criterion)
    if merged["_tuning_objective_metric"]:
        typed["num_models"] = 1
    _switch_off_scaling(typed)
    return Hyperparameters(**typed)


def _resolve_loss(predictor_type: str, loss: str | None) -> str:
    allowed = losses_of(predictor_type)
    if loss is None:
        return allowed[0]
    if loss not in allowed:
        raise ClientError(
            f"The loss '{loss}' is not applicable to predictor_type '{predictor_type}'.",
            hint=f"Use auto or one of {[name for name in allowed if LOSSES[name].on_aws]}.",
            hyperparameter="loss",
        )
    return loss


def _switch_off_scaling(typed: dict[str, Any]) -> None:
    """Scale labels of regressors only, and shift nothing in a model without a bias."""
    if typed["predictor_type"] != "regressor":
        typed["normalize_label"] = typed["unbias_label"] = False
    if not typed["use_bias"]:
        typed["unbias_data"] = typed["unbias_label"] = False
