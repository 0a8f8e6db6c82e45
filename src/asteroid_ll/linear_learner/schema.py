"""What each hyperparameter may be, refused in the wording of JSON Schema, which the container's own check uses.

Every value is a string, as in ``hyperparameters.json``. The patterns and messages follow the container's published
failure texts; an open range is checked after the pattern, for which no text of the container is known.
"""

from __future__ import annotations

import math
import pprint
import re
from collections.abc import Mapping
from dataclasses import dataclass

from asteroid_ll.linear_learner.errors import ClientError

AUTO = "auto"
POSITIVE_INTEGER = r"^([1-9][0-9]*)$"
INTEGER = r"^([0-9]+)$"
NUMBER = r"^([-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?)$"


@dataclass(frozen=True)
class Rule:
    """What one hyperparameter accepts.

    Args:
        words: strings that are accepted as they are, such as ``auto``.
        pattern: regular expression of accepted numbers; empty when only words are.
        is_text: any text that matches the pattern is accepted, number or not.
        above: the number must be greater than this.
        at_least: the number must be this or more.
        below: the number must be less than this.
    """

    words: tuple[str, ...] = ()
    pattern: str = ""
    is_text: bool = False
    above: float = -math.inf
    at_least: float = -math.inf
    below: float = math.inf

    @property
    def alternatives(self) -> list[dict[str, object]]:
        """The JSON Schema of each accepted form."""
        forms: list[dict[str, object]] = []
        if self.words:
            forms.append({"enum": list(self.words), "type": "string"})
        if self.pattern:
            forms.append({"pattern": self.pattern, "type": "string"})
        return forms

    @property
    def interval(self) -> str:
        """The accepted range in the usual notation, such as ``[0, 1)``."""
        low = f"({self.above:g}" if math.isinf(self.at_least) else f"[{self.at_least:g}"
        return f"{low}, {self.below:g})"

    def check(self, name: str, value: str) -> None:
        """Refuse a value that is none of the accepted forms.

        Args:
            name: the hyperparameter.
            value: its value, as the customer wrote it.

        Raises:
            ClientError: the value is of no accepted form, or outside its range.
        """
        if value in self.words:
            return
        if not self.pattern or not re.fullmatch(self.pattern, value):
            raise ClientError(_no_alternative(name, value, forms=self.alternatives))
        if self.is_text:
            return
        number = float(value)
        if not (math.isfinite(number) and self.above < number < self.below and number >= self.at_least):
            raise ClientError(f"The value '{value}' of hyperparameter '{name}' is outside its range {self.interval}.")


def _no_alternative(name: str, value: str, *, forms: list[dict[str, object]]) -> str:
    if len(forms) > 1:
        what, keyword = "is not valid under any of the given schemas", "oneOf"
    elif "enum" in forms[0]:
        what, keyword = f"is not one of {forms[0]['enum']!r}", "enum"
    else:
        what, keyword = f"does not match {forms[0]['pattern']!r}", "pattern"
    schema = {"oneOf": forms} if len(forms) > 1 else forms[0]
    dump = pprint.pformat(schema, width=72).replace("\n", "\n    ")
    return (
        f"{value!r} {what}\n\nFailed validating {keyword!r} in schema['properties'][{name!r}]:\n    {dump}\n\n"
        f"On instance[{name!r}]:\n    {value!r}"
    )


_FLAG = Rule(words=("true", "false"))
_AUTO_FLAG = Rule(words=(AUTO, "true", "false"))
_COUNT = Rule(pattern=POSITIVE_INTEGER)
_AUTO_COUNT = Rule(words=(AUTO,), pattern=POSITIVE_INTEGER)
_POSITIVE = Rule(pattern=NUMBER, above=0.0)
_AUTO_POSITIVE = Rule(words=(AUTO,), pattern=NUMBER, above=0.0)
_NOT_NEGATIVE = Rule(pattern=NUMBER, at_least=0.0)
_AUTO_NOT_NEGATIVE = Rule(words=(AUTO,), pattern=NUMBER, at_least=0.0)
_SHARE = Rule(pattern=NUMBER, above=0.0, below=1.0)
_AUTO_DECAY = Rule(words=(AUTO,), pattern=NUMBER, at_least=0.0, below=1.0)
_ANY_TEXT = Rule(pattern=r"^(.*)$", is_text=True)

LOSSES = {
    "regressor": (
        "squared_loss",
        "absolute_loss",
        "eps_insensitive_squared_loss",
        "eps_insensitive_absolute_loss",
        "quantile_loss",
        "huber_loss",
    ),
    "binary_classifier": ("logistic", "hinge_loss"),
    "multiclass_classifier": ("softmax_loss",),
}
"""The losses of each predictor type; the first is what ``auto`` means."""

CRITERIA = ("accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function")
"""The model-selection criteria of a binary classifier."""

OLD_CRITERIA = {"f1": "f_beta", "cross_entropy_loss": "loss_function"}
"""Names of 2017 that are still accepted, and what they are called now."""

RULES: Mapping[str, Rule] = {
    "predictor_type": Rule(words=tuple(LOSSES)),
    "feature_dim": _AUTO_COUNT,
    "num_classes": _COUNT,
    "mini_batch_size": _COUNT,
    "epochs": _COUNT,
    "use_bias": _FLAG,
    "num_models": _AUTO_COUNT,
    "loss": Rule(words=(AUTO, *(loss for losses in LOSSES.values() for loss in losses))),
    "optimizer": Rule(words=(AUTO, "adam", "sgd", "rmsprop")),
    "learning_rate": _AUTO_POSITIVE,
    "wd": _AUTO_NOT_NEGATIVE,
    "l1": _AUTO_NOT_NEGATIVE,
    "momentum": _AUTO_DECAY,
    "beta_1": _AUTO_DECAY,
    "beta_2": _AUTO_DECAY,
    "bias_lr_mult": _AUTO_POSITIVE,
    "bias_wd_mult": _AUTO_NOT_NEGATIVE,
    "use_lr_scheduler": _FLAG,
    "lr_scheduler_step": _AUTO_COUNT,
    "lr_scheduler_factor": Rule(words=(AUTO,), pattern=NUMBER, above=0.0, below=1.0),
    "lr_scheduler_minimum_lr": _AUTO_POSITIVE,
    "normalize_data": _AUTO_FLAG,
    "normalize_label": _AUTO_FLAG,
    "unbias_data": _AUTO_FLAG,
    "unbias_label": _AUTO_FLAG,
    "num_point_for_scaler": _COUNT,
    "init_method": Rule(words=("uniform", "normal")),
    "init_scale": _POSITIVE,
    "init_sigma": _POSITIVE,
    "init_bias": Rule(pattern=NUMBER),
    "early_stopping_patience": _COUNT,
    "early_stopping_tolerance": _POSITIVE,
    "binary_classifier_model_selection_criteria": Rule(words=(*CRITERIA, *OLD_CRITERIA)),
    "target_recall": _SHARE,
    "target_precision": _SHARE,
    "f_beta": _POSITIVE,
    "positive_example_weight_mult": Rule(words=("balanced", AUTO), pattern=NUMBER, above=0.0),
    "balance_multiclass_weights": _FLAG,
    "accuracy_top_k": _COUNT,
    "num_calibration_samples": _AUTO_COUNT,
    "margin": _NOT_NEGATIVE,
    "quantile": _SHARE,
    "loss_insensitivity": _POSITIVE,
    "huber_delta": _NOT_NEGATIVE,
    "_kvstore": _ANY_TEXT,
    "_num_gpus": Rule(words=(AUTO,), pattern=INTEGER),
    "_num_kv_servers": Rule(words=(AUTO,), pattern=INTEGER),
    "_log_level": Rule(words=("debug", "info", "warning", "error", "critical")),
    "_tuning_objective_metric": _ANY_TEXT,
    "_enable_profiler": _FLAG,
}
"""What each hyperparameter accepts, by name."""
