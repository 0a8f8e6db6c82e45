"""The hyperparameters: the container's defaults, their check, and one typed value of them all.

Names, defaults and their order are those that the container prints from its ``default-input.json``; meanings are those
of the SageMaker developer guide, "Linear learner hyperparameters".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from asteroid_ll.linear_learner.errors import ClientError
from asteroid_ll.linear_learner.schema import AUTO, LOSSES, OLD_CRITERIA, RULES

PredictorType = Literal["regressor", "binary_classifier", "multiclass_classifier"]

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "mini_batch_size": "1000",
        "epochs": "15",
        "feature_dim": "auto",
        "use_bias": "true",
        "binary_classifier_model_selection_criteria": "accuracy",
        "f_beta": "1.0",
        "target_recall": "0.8",
        "target_precision": "0.8",
        "num_models": "auto",
        "num_calibration_samples": "10000000",
        "init_method": "uniform",
        "init_scale": "0.07",
        "init_sigma": "0.01",
        "init_bias": "0.0",
        "optimizer": "auto",
        "loss": "auto",
        "margin": "1.0",
        "quantile": "0.5",
        "loss_insensitivity": "0.01",
        "huber_delta": "1.0",
        "num_classes": "1",
        "accuracy_top_k": "3",
        "wd": "auto",
        "l1": "auto",
        "momentum": "auto",
        "learning_rate": "auto",
        "beta_1": "auto",
        "beta_2": "auto",
        "bias_lr_mult": "auto",
        "bias_wd_mult": "auto",
        "use_lr_scheduler": "true",
        "lr_scheduler_step": "auto",
        "lr_scheduler_factor": "auto",
        "lr_scheduler_minimum_lr": "auto",
        "positive_example_weight_mult": "1.0",
        "balance_multiclass_weights": "false",
        "normalize_data": "true",
        "normalize_label": "auto",
        "unbias_data": "auto",
        "unbias_label": "auto",
        "num_point_for_scaler": "10000",
        "_kvstore": "auto",
        "_num_gpus": "auto",
        "_num_kv_servers": "auto",
        "_log_level": "info",
        "_tuning_objective_metric": "",
        "early_stopping_patience": "3",
        "early_stopping_tolerance": "0.001",
        "_enable_profiler": "false",
    }
)
"""The container's defaults in the order in which it prints them; ``predictor_type`` has none."""


@dataclass(frozen=True)
class Hyperparameters:
    """All hyperparameters, typed. ``None`` means ``auto`` that only the data or the grid can resolve.

    ``learning_rate``, ``wd``, ``l1`` and the scheduler's values are the base model's (see ``grid``); the optimiser and
    the bias multipliers hold for every model. ``loss`` is never ``auto``.
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
    selection_criterion: str
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
        """Scores of a row: the number of classes for multiclass_classifier, else 1."""
        return self.num_classes if self.predictor_type == "multiclass_classifier" else 1


class _Values:
    """The merged strings, read as typed values."""

    def __init__(self, strings: Mapping[str, str]) -> None:
        self._strings = strings

    def word(self, name: str) -> str:
        return self._strings[name]

    def flag(self, name: str) -> bool:
        return self._strings[name] == "true"

    def integer(self, name: str) -> int:
        return int(self._strings[name])

    def number(self, name: str) -> float:
        return float(self._strings[name])

    def auto_flag(self, name: str) -> bool | None:
        return None if self._strings[name] == AUTO else self.flag(name)

    def auto_integer(self, name: str) -> int | None:
        return None if self._strings[name] == AUTO else self.integer(name)

    def auto_number(self, name: str) -> float | None:
        return None if self._strings[name] == AUTO else self.number(name)


def merge(values: Mapping[str, str]) -> dict[str, str]:
    """Lay the customer's values over the defaults, as the container's "Final configuration" line shows them.

    Args:
        values: hyperparameters by name, all strings.

    Returns:
        Every hyperparameter in the container's order; names without a default (``predictor_type``) last.

    Raises:
        ClientError: a name is unknown, a value is not a string or not acceptable, or predictor_type is missing.
    """
    unknown = [name for name in values if name not in RULES]
    if unknown:
        names = ", ".join(repr(name) for name in unknown)
        verb = "was" if len(unknown) == 1 else "were"
        raise ClientError(f"Additional properties are not allowed ({names} {verb} unexpected)")
    for name, value in values.items():
        if not isinstance(value, str):
            raise ClientError(f"{value!r} is not of type 'string'\n\nOn instance[{name!r}]:\n    {value!r}")
        RULES[name].check(name, value)
    if "predictor_type" not in values:
        raise ClientError("'predictor_type' is a required property")
    return {**DEFAULTS, **values}


def parse(values: Mapping[str, str]) -> Hyperparameters:
    """Check the customer's values and type them together with the defaults.

    Args:
        values: hyperparameters by name, all strings, as in ``hyperparameters.json``.

    Returns:
        The typed hyperparameters.

    Raises:
        ClientError: an unknown name, an unacceptable value, or values that do not go together.
    """
    read = _Values(merge(values))
    predictor_type = read.word("predictor_type")
    loss = _resolve_loss(predictor_type, read.word("loss"))
    if predictor_type == "multiclass_classifier" and read.integer("num_classes") < 3:
        raise ClientError(
            "For predictor_type 'multiclass_classifier', 'num_classes' should be set to a value greater than 2."
        )
    mult = read.word("positive_example_weight_mult")
    criterion = read.word("binary_classifier_model_selection_criteria")
    optimizer = read.word("optimizer")
    use_bias = read.flag("use_bias")
    is_regressor = predictor_type == "regressor"
    unbias_label = read.auto_flag("unbias_label")
    return Hyperparameters(
        predictor_type=predictor_type,  # type: ignore[arg-type]  # the schema's enumeration holds just these
        feature_dim=read.auto_integer("feature_dim"),
        num_classes=read.integer("num_classes"),
        mini_batch_size=read.integer("mini_batch_size"),
        epochs=read.integer("epochs"),
        use_bias=use_bias,
        num_models=1 if read.word("_tuning_objective_metric") else read.auto_integer("num_models"),
        loss=loss,
        optimizer=None if optimizer == AUTO else optimizer,
        learning_rate=read.auto_number("learning_rate"),
        wd=read.auto_number("wd"),
        l1=read.auto_number("l1"),
        momentum=_or(read.auto_number("momentum"), 0.0),
        beta_1=_or(read.auto_number("beta_1"), 0.9),
        beta_2=_or(read.auto_number("beta_2"), 0.999),
        bias_lr_mult=read.auto_number("bias_lr_mult"),
        bias_wd_mult=_or(read.auto_number("bias_wd_mult"), 0.0),
        use_lr_scheduler=read.flag("use_lr_scheduler"),
        lr_scheduler_step=read.auto_integer("lr_scheduler_step"),
        lr_scheduler_factor=read.auto_number("lr_scheduler_factor"),
        lr_scheduler_minimum_lr=read.auto_number("lr_scheduler_minimum_lr"),
        normalize_data=read.auto_flag("normalize_data") is not False,
        normalize_label=is_regressor and read.auto_flag("normalize_label") is not False,
        unbias_data=read.auto_flag("unbias_data") if use_bias else False,
        unbias_label=is_regressor and use_bias and unbias_label is not False,
        num_point_for_scaler=read.integer("num_point_for_scaler"),
        init_method="normal" if read.word("init_method") == "normal" else "uniform",
        init_scale=read.number("init_scale"),
        init_sigma=read.number("init_sigma"),
        init_bias=read.number("init_bias"),
        early_stopping_patience=read.integer("early_stopping_patience"),
        early_stopping_tolerance=read.number("early_stopping_tolerance"),
        selection_criterion=OLD_CRITERIA.get(criterion, criterion),
        target_recall=read.number("target_recall"),
        target_precision=read.number("target_precision"),
        f_beta=read.number("f_beta"),
        positive_example_weight_mult=mult if mult in ("balanced", "auto") else float(mult),  # type: ignore[arg-type]
        balance_multiclass_weights=read.flag("balance_multiclass_weights"),
        accuracy_top_k=read.integer("accuracy_top_k"),
        num_calibration_samples=read.auto_integer("num_calibration_samples"),
        margin=read.number("margin"),
        quantile=read.number("quantile"),
        loss_insensitivity=read.number("loss_insensitivity"),
        huber_delta=read.number("huber_delta"),
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _resolve_loss(predictor_type: str, loss: str) -> str:
    allowed = LOSSES[predictor_type]
    if loss == AUTO:
        return allowed[0]
    if loss not in allowed:
        raise ClientError(
            f"The loss '{loss}' is not applicable to predictor_type '{predictor_type}'.",
            hint=f"Use auto or one of {list(allowed)}.",
        )
    return loss
