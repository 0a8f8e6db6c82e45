"""The hyperparameters as the file has them: known names, and each value as the text that the container gets.

SageMaker passes every hyperparameter as a string, so ``0.10`` in the file travels as ``0.10``. Whether a value is
in its range is the algorithm's business, see ``asteroid_ll.config.validate``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from asteroid_ll.config.wording import shown

KNOWN = (
    "predictor_type",
    "feature_dim",
    "num_classes",
    "mini_batch_size",
    "epochs",
    "use_bias",
    "num_models",
    "loss",
    "optimizer",
    "learning_rate",
    "wd",
    "l1",
    "momentum",
    "beta_1",
    "beta_2",
    "bias_lr_mult",
    "bias_wd_mult",
    "use_lr_scheduler",
    "lr_scheduler_step",
    "lr_scheduler_factor",
    "lr_scheduler_minimum_lr",
    "normalize_data",
    "normalize_label",
    "unbias_data",
    "unbias_label",
    "num_point_for_scaler",
    "init_method",
    "init_scale",
    "init_sigma",
    "init_bias",
    "early_stopping_patience",
    "early_stopping_tolerance",
    "binary_classifier_model_selection_criteria",
    "target_recall",
    "target_precision",
    "f_beta",
    "positive_example_weight_mult",
    "balance_multiclass_weights",
    "accuracy_top_k",
    "num_calibration_samples",
    "margin",
    "quantile",
    "loss_insensitivity",
    "huber_delta",
)
"""Public hyperparameters of Linear Learner, in the order of the developer guide's table."""

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "predictor_type": "binary_classifier",
        "mini_batch_size": "100",
        "epochs": "15",
        "binary_classifier_model_selection_criteria": "loss_function",
    }
)
"""What a file that names no hyperparameters gets; names in the file are laid over these.

Models are chosen by their loss: on a validation part of some thousand rows many of the 32 have the same accuracy.
"""

_OF_BINARY_CLASSIFIERS = "binary_classifier_model_selection_criteria"


def _known_name(name: str) -> str:
    if name not in KNOWN:
        raise PydanticCustomError("unknown_hyperparameter", "is not a hyperparameter of Linear Learner")
    return name


def value_text(value: object) -> str:
    """Return a scalar as the text that the container gets; raise pydantic's error for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, str) and value.strip():
        return value
    raise PydanticCustomError(
        "hyperparameter", "must be a word, a finite number, true or false, not {shown}", {"shown": shown(value)}
    )


def _with_defaults(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    laid = {**DEFAULTS, **value}
    if laid["predictor_type"] != "binary_classifier" and _OF_BINARY_CLASSIFIERS not in value:
        del laid[_OF_BINARY_CLASSIFIERS]
    return laid


def _as_dict(value: Mapping[str, str]) -> dict[str, str]:
    return dict(value)


def _read_only(value: Mapping[str, str]) -> Mapping[str, str]:
    in_table_order = sorted(value, key=KNOWN.index)
    return MappingProxyType({name: value[name] for name in in_table_order})


_SCALAR_SCHEMA = {"type": ["string", "number", "boolean"]}

Hyperparameters = Annotated[
    Mapping[
        Annotated[str, AfterValidator(_known_name)],
        Annotated[str, BeforeValidator(value_text)],
    ],
    BeforeValidator(_with_defaults),
    AfterValidator(_read_only),
    PlainSerializer(_as_dict, return_type=dict[str, str]),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {**_SCALAR_SCHEMA, "description": f"Linear Learner's {name}."} for name in KNOWN},
        }
    ),
]
"""Read-only mapping from name to text, in the order of ``KNOWN``."""
