"""The hyperparameters of Linear Learner: one table, the check of their texts, and the typed values of a job.

Names, defaults and their order are those of the container's ``default-input.json``, as it prints them. Meanings are
those of the SageMaker developer guide, "Linear learner hyperparameters". Every value is a string, as in
``hyperparameters.json``. The patterns and messages follow the container's published failure texts, which have the
wording of JSON Schema; an open range is checked after the pattern, for which no text of the container is known.
"""

from __future__ import annotations

import math
import pprint
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from asteroid_ll.errors import AsteroidError, DataError

AUTO = "auto"
PredictorType = Literal["regressor", "binary_classifier", "multiclass_classifier"]
PREDICTOR_TYPES: tuple[PredictorType, ...] = ("regressor", "binary_classifier", "multiclass_classifier")

Kind = Literal["word", "flag", "count", "whole", "number", "positive", "nonnegative", "share", "decay", "text"]

RANGES: dict[Kind, tuple[float, bool, float]] = {
    "count": (1, True, math.inf),
    "whole": (0, True, math.inf),
    "number": (-math.inf, False, math.inf),
    "positive": (0, False, math.inf),
    "nonnegative": (0, True, math.inf),
    "share": (0, False, 1),
    "decay": (0, True, 1),
}
"""The lower bound of a number, whether it is included, and the upper bound, which is not."""

_NUMBER = r"^([-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?)$"
_PATTERNS: dict[Kind, str] = {
    **dict.fromkeys(RANGES, _NUMBER),
    "whole": r"^([0-9]+)$",
    "count": r"^([1-9][0-9]*)$",
    "text": r"^(.*)$",
}
_FLAGS = {"true": True, "false": False, "True": True, "False": False}
"""The texts of a flag. SageMaker's Python SDK sends Python's own form, and AWS's container accepts it."""


class ClientError(DataError):
    """The data or the hyperparameters are wrong. The message is the container's.

    The container writes it to ``/opt/ml/output/failure`` with the prefix ``ClientError: `` and exits with 1.
    """


class AlgorithmError(AsteroidError):
    """Training or scoring failed on valid input, for instance because every model diverged.

    The container writes it to ``/opt/ml/output/failure`` with the prefix ``AlgorithmError: `` and exits with 1.
    """


@dataclass(frozen=True)
class LossRecord:
    """A loss function.

    Attributes:
        predictor_type: the predictor type that it trains.
        response: what an endpoint returns for a row: the ``value`` of the weighted sum, the ``probability`` of the
            positive class, or the ``probabilities`` of all classes.
    """

    predictor_type: PredictorType
    response: Literal["value", "probability", "probabilities"] = "value"


LOSSES = {
    "squared_loss": LossRecord("regressor"),
    "absolute_loss": LossRecord("regressor"),
    "eps_insensitive_squared_loss": LossRecord("regressor"),
    "eps_insensitive_absolute_loss": LossRecord("regressor"),
    "quantile_loss": LossRecord("regressor"),
    "huber_loss": LossRecord("regressor"),
    "logistic": LossRecord("binary_classifier", "probability"),
    "hinge_loss": LossRecord("binary_classifier"),
    "softmax_loss": LossRecord("multiclass_classifier", "probabilities"),
}
"""Every loss by name. The first of a predictor type is the one that ``auto`` stands for."""


def losses_of(predictor_type: str) -> tuple[str, ...]:
    """Return the losses of a predictor type, its default first."""
    return tuple(name for name, record in LOSSES.items() if record.predictor_type == predictor_type)


@dataclass(frozen=True)
class HyperparameterRecord:
    """A hyperparameter.

    Attributes:
        name: as in ``hyperparameters.json``; names that begin with an underscore are the container's internal ones.
        kind: the form of values that are not one of the words: ``count`` is a whole number from 1, ``whole`` one from
            0; ``number`` is any number, ``positive`` one above 0, ``nonnegative`` one from 0, ``share`` one between 0
            and 1, ``decay`` one from 0 and below 1.
        default: the container's default, as text; None if it has none.
        description: one sentence.
        words: texts that are accepted as they are, such as ``auto``.
        auto: the value that ``auto`` stands for; empty if the data or the grid decide.
        only: the predictor types, optimizers or losses that use it; empty for all.
    """

    name: str
    kind: Kind
    default: str | None
    description: str
    words: tuple[str, ...] = ()
    auto: str = ""
    only: tuple[str, ...] = ()

    @property
    def is_internal(self) -> bool:
        """Whether the container has it for its own use; a configuration cannot set it."""
        return self.name.startswith("_")

    @property
    def choices(self) -> tuple[str, ...]:
        """The accepted words; the usual form of a flag included."""
        return (*self.words, "true", "false") if self.kind == "flag" else self.words

    @property
    def pattern(self) -> str:
        """The regular expression that other values match; empty if only words are accepted."""
        return _PATTERNS.get(self.kind, "")

    @property
    def interval(self) -> str:
        """The accepted range in the usual notation, such as ``[0, 1)``."""
        low, includes_low, high = RANGES[self.kind]
        return f"{'[' if includes_low else '('}{low:g}, {high:g})"

    @property
    def meaning(self) -> str:
        """The description, with a sentence about what uses it unless everything does."""
        return f"{self.description} Only for {' or '.join(self.only)}." if self.only else self.description

    def check(self, value: str) -> None:
        """Refuse a value that is not of an accepted form; the message lists the accepted forms.

        Raises:
            ClientError: the value has no accepted form, or is outside its range.
        """
        if value in self.choices or (self.kind == "flag" and value in _FLAGS):
            return
        if not self.pattern or not re.fullmatch(self.pattern, value):
            raise ClientError(self._refusal(value))
        if self.kind == "text":
            return
        number = float(value)
        low, includes_low, high = RANGES[self.kind]
        if not (math.isfinite(number) and low <= number < high and (includes_low or number > low)):
            raise ClientError(
                f"The value '{value}' of hyperparameter '{self.name}' is outside its range {self.interval}."
            )

    def _refusal(self, value: str) -> str:
        forms: list[dict[str, object]] = []
        if self.choices:
            forms.append({"enum": list(self.choices), "type": "string"})
        if self.pattern:
            forms.append({"pattern": self.pattern, "type": "string"})
        schema = {"oneOf": forms} if len(forms) > 1 else forms[0]
        keyword = next(iter(schema))
        problem = {
            "oneOf": "is not valid under any of the given schemas",
            "enum": f"is not one of {list(self.choices)!r}",
            "pattern": f"does not match {self.pattern!r}",
        }[keyword]
        dump = pprint.pformat(schema, width=72).replace("\n", "\n    ")
        return (
            f"{value!r} {problem}\n\n"
            f"Failed validating {keyword!r} in schema['properties'][{self.name!r}]:\n    {dump}\n\n"
            f"On instance[{self.name!r}]:\n    {value!r}"
        )

    def parse(self, value: str) -> str | float | bool | None:
        """Return an accepted value typed: a word as text, a number or a flag; None if ``auto`` has no fixed meaning."""
        text = self.auto if value == AUTO else value
        if not text:
            return None if value == AUTO else text
        if self.kind == "flag":
            return _FLAGS[text]
        if text in self.words or self.kind in ("word", "text"):
            return text
        return int(text) if self.kind in ("count", "whole") else float(text)


_AUTO = (AUTO,)
_BINARY = ("binary_classifier",)
_MULTICLASS = ("multiclass_classifier",)
_REGRESSOR = ("regressor",)
_CRITERIA = ("accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function")
_OLD_CRITERIA = {"f1": "f_beta", "cross_entropy_loss": "loss_function"}
"""Names of 2017 for model-selection criteria that are still accepted, and their present names."""
_EPSILON_LOSSES = ("eps_insensitive_squared_loss", "eps_insensitive_absolute_loss")
_LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


def _row(*record: Any, **optional: Any) -> Any:
    """Describe a field of `Hyperparameters` by the values of its `HyperparameterRecord`, without its name."""
    return field(metadata={"record": (record, optional)})


@dataclass(frozen=True)
class Hyperparameters:
    """All hyperparameters of a job, typed, in the order in which the container prints their defaults.

    ``None`` means ``auto``, which the data or the grid resolves. ``learning_rate``, ``wd``, ``l1`` and the scheduler's
    values are the base model's (see ``grid``). The optimizer and the bias multipliers apply to every model. ``loss`` is
    never ``auto``.
    """

    predictor_type: PredictorType = _row(
        "word", None, "Kind of the label: a number, or one of two or more classes.", PREDICTOR_TYPES
    )
    mini_batch_size: int = _row("count", "1000", "Rows per mini-batch, after each of which the weights are updated.")
    epochs: int = _row("count", "15", "Maximum number of passes over the training data.")
    feature_dim: int | None = _row("count", "auto", "Number of features per row; auto reads it from the data.", _AUTO)
    use_bias: bool = _row("flag", "true", "Whether the model has a bias term (intercept).")
    binary_classifier_model_selection_criteria: str = _row(
        "word",
        "accuracy",
        "Measure that selects the model and its threshold, on the validation data if there are any.",
        (*_CRITERIA, *_OLD_CRITERIA),
        only=_BINARY,
    )
    f_beta: float = _row(
        "positive", "1.0", "Weight of recall against precision in the F score.", only=(*_BINARY, *_MULTICLASS)
    )
    target_recall: float = _row("share", "0.8", "Recall for the criterion precision_at_target_recall.", only=_BINARY)
    target_precision: float = _row(
        "share", "0.8", "Precision for the criterion recall_at_target_precision.", only=_BINARY
    )
    num_models: int | None = _row(
        "count", "auto", "Number of models that train in parallel, each with other settings.", _AUTO
    )
    num_calibration_samples: int | None = _row(
        "count", "10000000", "Maximum number of rows that the search for the threshold reads.", _AUTO, only=_BINARY
    )
    init_method: Literal["uniform", "normal"] = _row(
        "word", "uniform", "Distribution that the initial weights are drawn from.", ("uniform", "normal")
    )
    init_scale: float = _row("positive", "0.07", "Largest absolute initial weight of the method uniform.")
    init_sigma: float = _row("positive", "0.01", "Standard deviation of the initial weights of the method normal.")
    init_bias: float = _row("number", "0.0", "Initial value of the bias.")
    optimizer: str | None = _row(
        "word",
        "auto",
        "Algorithm that updates the weights; auto is adam for most models.",
        ("auto", "adam", "sgd", "rmsprop"),
    )
    loss: str = _row(
        "word", "auto", "Loss function to minimise; auto is the first one of the predictor type.", (AUTO, *LOSSES)
    )
    margin: float = _row("nonnegative", "1.0", "Score beyond which a correct row costs nothing.", only=("hinge_loss",))
    quantile: float = _row(
        "share", "0.5", "Share of labels that should lie below their predictions.", only=("quantile_loss",)
    )
    loss_insensitivity: float = _row("positive", "0.01", "Largest error that costs nothing.", only=_EPSILON_LOSSES)
    huber_delta: float = _row("nonnegative", "1.0", "Error from which the loss grows linearly.", only=("huber_loss",))
    num_classes: int = _row("count", "1", "Number of classes, at least 3; labels count from 0.", only=_MULTICLASS)
    accuracy_top_k: int = _row(
        "count", "3", "Top scores among which the true class counts as correct.", only=_MULTICLASS
    )
    wd: float | None = _row("nonnegative", "auto", "Strength of L2 regularisation (weight decay).", _AUTO)
    l1: float | None = _row("nonnegative", "auto", "Strength of L1 regularisation.", _AUTO)
    momentum: float = _row(
        "decay", "auto", "Share of the previous update in each update.", _AUTO, auto="0", only=("sgd",)
    )
    learning_rate: float | None = _row("positive", "auto", "Step size of the optimizer.", _AUTO)
    beta_1: float = _row("decay", "auto", "Decay rate of the mean of gradients.", _AUTO, auto="0.9", only=("adam",))
    beta_2: float = _row(
        "decay", "auto", "Decay rate of the mean of squared gradients.", _AUTO, auto="0.999", only=("adam",)
    )
    bias_lr_mult: float | None = _row(
        "positive", "auto", "Learning rate of the bias as a multiple of learning_rate.", _AUTO
    )
    bias_wd_mult: float = _row(
        "nonnegative", "auto", "L2 strength of the bias as a multiple of wd; auto is 0.", _AUTO, auto="0"
    )
    use_lr_scheduler: bool = _row("flag", "true", "Whether the learning rate decreases during training.")
    lr_scheduler_step: int | None = _row(
        "count", "auto", "Mini-batches between two decreases of the learning rate.", _AUTO
    )
    lr_scheduler_factor: float | None = _row("share", "auto", "Factor of each decrease of the learning rate.", _AUTO)
    lr_scheduler_minimum_lr: float | None = _row(
        "positive", "auto", "Lower bound of the learning rate while it decreases.", _AUTO
    )
    positive_example_weight_mult: float | Literal["balanced", "auto"] = _row(
        "positive",
        "1.0",
        "Weight of a positive row, while a negative one weighs 1; balanced makes both classes count equally.",
        ("balanced", "auto"),
        auto="auto",
        only=_BINARY,
    )
    balance_multiclass_weights: bool = _row(
        "flag", "false", "Whether classes weigh the same in the loss.", only=_MULTICLASS
    )
    normalize_data: bool = _row(
        "flag", "true", "Whether features are scaled to standard deviation 1.", _AUTO, auto="true"
    )
    normalize_label: bool = _row(
        "flag",
        "auto",
        "Whether labels are scaled to standard deviation 1; auto is true.",
        _AUTO,
        auto="true",
        only=_REGRESSOR,
    )
    unbias_data: bool | None = _row(
        "flag", "auto", "Whether features are shifted to a mean of 0; auto leaves sparse data as they are.", _AUTO
    )
    unbias_label: bool = _row(
        "flag", "auto", "Whether labels are shifted to a mean of 0; auto is true.", _AUTO, auto="true", only=_REGRESSOR
    )
    num_point_for_scaler: int = _row(
        "count", "10000", "Rows from which the means and standard deviations are computed."
    )
    _kvstore: str = _row("text", "auto", "MXNet's store that hosts share weights through.")
    _num_gpus: int | None = _row("whole", "auto", "Number of GPUs per host.", _AUTO)
    _num_kv_servers: int | None = _row("whole", "auto", "Number of servers of MXNet's store.", _AUTO)
    _log_level: str = _row("word", "info", "Least severe level of the log.", _LOG_LEVELS)
    _tuning_objective_metric: str = _row("text", "", "Metric of the tuning job; in one, a job trains a single model.")
    early_stopping_patience: int = _row("count", "3", "Epochs in a row without improvement that training tolerates.")
    early_stopping_tolerance: float = _row(
        "positive", "0.001", "Smallest relative improvement of an epoch that counts."
    )
    _enable_profiler: bool = _row("flag", "false", "Whether the container measures its own run time.")

    @property
    def n_outputs(self) -> int:
        """Scores per row: the number of classes for multiclass_classifier, else 1."""
        return self.num_classes if self.predictor_type == "multiclass_classifier" else 1


def _records() -> dict[str, HyperparameterRecord]:
    records = {}
    for item in fields(Hyperparameters):
        values, optional = item.metadata["record"]
        records[item.name] = HyperparameterRecord(item.name, *values, **optional)
    return records


HYPERPARAMETERS = _records()
"""Every hyperparameter by name, in the order in which the container prints their defaults."""


def aws_defaults() -> dict[str, str]:
    """Return the defaults that the container prints, in its order."""
    return {name: record.default for name, record in HYPERPARAMETERS.items() if record.default is not None}


def merge(values: Mapping[str, str]) -> dict[str, str]:
    """Merge the customer's values with the defaults, as the container's "Final configuration" line shows them.

    Args:
        values: hyperparameters by name, all strings.

    Returns:
        Every hyperparameter in the container's order, then names without a default (``predictor_type``).

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
    typed: dict[str, Any] = {name: HYPERPARAMETERS[name].parse(value) for name, value in merge(values).items()}
    typed["loss"] = _resolve_loss(typed["predictor_type"], typed["loss"])
    if typed["predictor_type"] == "multiclass_classifier" and typed["num_classes"] < 3:
        raise ClientError(
            "For predictor_type 'multiclass_classifier', 'num_classes' should be set to a value greater than 2.",
            hyperparameter="num_classes",
        )
    criterion = typed["binary_classifier_model_selection_criteria"]
    typed["binary_classifier_model_selection_criteria"] = _OLD_CRITERIA.get(criterion, criterion)
    if typed["_tuning_objective_metric"]:
        typed["num_models"] = 1
    # Labels of regressors alone are scaled, and nothing is shifted in a model without a bias.
    if typed["predictor_type"] != "regressor":
        typed["normalize_label"] = typed["unbias_label"] = False
    if not typed["use_bias"]:
        typed["unbias_data"] = typed["unbias_label"] = False
    return Hyperparameters(**typed)


def _resolve_loss(predictor_type: str, loss: str | None) -> str:
    allowed = losses_of(predictor_type)
    if loss is None:
        return allowed[0]
    if loss not in allowed:
        raise ClientError(
            f"The loss '{loss}' is not applicable to predictor_type '{predictor_type}'.",
            hint=f"Use auto or one of {list(allowed)}.",
            hyperparameter="loss",
        )
    return loss
