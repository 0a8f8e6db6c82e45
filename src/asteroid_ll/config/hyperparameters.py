"""The hyperparameters in a configuration file: known names, and each value as the text that the container gets.

SageMaker passes every hyperparameter as a string, so ``0.10`` in the file arrives as ``0.10``. Loading a file does not
check ranges; ``asteroid_ll.config.validate`` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from asteroid_ll.config.wording import shown
from asteroid_ll.linear_learner.hyperparameters import HYPERPARAMETERS, RANGES, HyperparameterRecord

KNOWN = tuple(name for name, record in HYPERPARAMETERS.items() if not record.is_internal)
"""The hyperparameters that a file may set, in the container's order."""

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "predictor_type": "binary_classifier",
        "mini_batch_size": "100",
        "epochs": "15",
        "binary_classifier_model_selection_criteria": "loss_function",
    }
)
"""The hyperparameters of a file that sets none; a file's own values replace them.

Models are chosen by their loss, because on a validation part of some thousand rows many of the 32 have the same
accuracy.
"""

_CRITERION = "binary_classifier_model_selection_criteria"


def _known_name(name: str) -> str:
    if name not in KNOWN:
        raise PydanticCustomError("unknown_hyperparameter", "is not a hyperparameter of Linear Learner")
    return name


def _value_text(value: object) -> str:
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
    values = {**DEFAULTS, **value}
    if values["predictor_type"] != "binary_classifier" and _CRITERION not in value:
        del values[_CRITERION]
    return values


def _read_only(value: Mapping[str, str]) -> Mapping[str, str]:
    in_table_order = sorted(value, key=KNOWN.index)
    return MappingProxyType({name: value[name] for name in in_table_order})


def _schema(record: HyperparameterRecord) -> dict[str, Any]:
    """Return the JSON schema of a value, which may be written as text too."""
    words = list(record.words)
    forms: list[dict[str, Any]] = [{"enum": words}] if words else []
    if record.kind == "flag":
        forms.append({"type": ["boolean", "string"], "pattern": "^([Tt]rue|[Ff]alse)$"})
    elif record.kind != "word":
        number = "integer" if record.kind == "count" else "number"
        forms.append({"type": [number, "string"], **_bounds(record), "pattern": record.pattern})
    default = DEFAULTS.get(record.name, record.default)
    return {
        **(forms[0] if len(forms) == 1 else {"anyOf": forms}),
        "description": record.meaning,
        "default": default if default in words else json.loads(str(default)),
    }


def _bounds(record: HyperparameterRecord) -> dict[str, float]:
    low, includes_low, high = RANGES[record.kind]
    bounds = {"minimum" if includes_low else "exclusiveMinimum": low, "exclusiveMaximum": high}
    return {keyword: bound for keyword, bound in bounds.items() if math.isfinite(bound)}


HyperparameterTexts = Annotated[
    Mapping[Annotated[str, AfterValidator(_known_name)], Annotated[str, BeforeValidator(_value_text)]],
    BeforeValidator(_with_defaults),
    AfterValidator(_read_only),
    PlainSerializer(lambda value: dict(value), return_type=dict[str, str]),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: _schema(HYPERPARAMETERS[name]) for name in KNOWN},
        }
    ),
]
"""Read-only mapping from name to text, in the order of ``KNOWN``."""
