"""JSON values as the types of a service model's shapes, with AWS's conversions and its words for what has none.

AWS reads a request's JSON before anything else. The rules and messages were measured on services of the JSON 1.1 and
REST-JSON protocols by the authors of other emulators: Athena (athena-local, 2026), SES v2 (floci) and Kinesis
(kinesalite). These services share one framework with SageMaker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from asteroid_ll.emulator.transport.messages import ApiError

_LIMITS: Mapping[str, tuple[float, float]] = {
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "float": (-3.4028235e38, 3.4028235e38),
    "double": (-1.7976931348623157e308, 1.7976931348623157e308),
}
"""The smallest and largest value by type. A number beyond a limit becomes the limit."""

_MAX_TIMESTAMP_S = 1e11
_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "yes", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0"), False),
}


def typed(shape: Shape, value: Any) -> Any:
    """Return a JSON value as its shape's type, without null and unknown members.

    Raises:
        ApiError: ``SerializationException``: the value has a type that AWS does not convert.
    """
    kind = shape.type_name
    if isinstance(value, dict):
        if kind == "structure":
            present = ((name, member) for name, member in shape.members.items() if value.get(name) is not None)
            return {name: typed(member, value[name]) for name, member in present}
        if kind == "map":
            items = ((typed(shape.key, key), item) for key, item in value.items() if item is not None)
            return {key: typed(shape.value, item) for key, item in items}
        raise mistyped("Start of structure or map found where not expected.")
    if isinstance(value, list):
        if kind == "list":
            return [typed(shape.member, item) for item in value if item is not None]
        raise mistyped("Start of list found where not expected")
    if kind in ("structure", "list", "map"):
        raise mistyped({"structure": "Expected null"}.get(kind, f"Expected {kind} or null"))
    return _scalar(kind, value)


def mistyped(message: str) -> ApiError:
    """Return the error for a JSON value of a wrong type."""
    return ApiError("SerializationException", message)


def _scalar(kind: str, value: Any) -> Any:
    """Return a string, a number or a boolean as a scalar type."""
    if isinstance(value, bool):
        if kind == "boolean":
            return value
    elif isinstance(value, str):
        if kind in ("string", "blob", "character") and not _has_lone_surrogate(value):
            return value
        if kind == "boolean" and value.lower() in _BOOLEANS:
            return _BOOLEANS[value.lower()]
    elif kind in _LIMITS:
        low, high = _LIMITS[kind]
        number = max(low, min(value, high))
        return int(number) if kind in ("integer", "long") else number
    elif kind == "timestamp" and abs(value) <= _MAX_TIMESTAMP_S:
        return value
    raise mistyped(f"{_token(value)} can not be converted to {_target(kind, value)}")


def _has_lone_surrogate(text: str) -> bool:
    """Return whether a string is no text: a lone surrogate has no UTF-8."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _token(value: str | float) -> str:
    """Return AWS's name of a JSON scalar."""
    if isinstance(value, bool):
        return f"{value}_VALUE".upper()
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"


def _target(kind: str, value: str | float) -> str:
    """Return AWS's name of a type, with an article."""
    if kind == "timestamp":
        return "milliseconds since epoch"
    has_n = kind == "integer" or (kind == "boolean" and isinstance(value, str))  # AWS writes "an Boolean" for a string
    return f"{'an' if has_n else 'a'} {kind.title()}"
