"""Checks of requests and answers against the shapes of botocore's service models.

AWS reads a request's JSON first and converts its types. The rules and messages were measured on services of the JSON
1.1 and REST-JSON protocols by the authors of other emulators: Athena (athena-local, 2026), SES v2 (floci) and Kinesis
(kinesalite), which share one framework with SageMaker. Then a request must satisfy the constraints of its shape:
required members, enums, patterns, lengths and ranges. An answer keeps only the members of its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from botocore.model import Shape, StructureShape

from asteroid_ll.emulator.transport.messages import ApiError

NOTHING = StructureShape("Nothing", {"type": "structure", "members": {}})
"""The shape of an operation without input or output."""

_BEYOND_ASCII = r"\u00a1-\U0010ffff"
_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\p{M}": "",
    r"\p{P}": r"!-/:-@\[-`{-~" + _BEYOND_ASCII,
    r"\p{S}": r"$+<=>^`|~" + _BEYOND_ASCII,
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010ffff",
}
"""Java's classes of characters, and its range of surrogate pairs, in Python's syntax."""

_LIMITS: Mapping[str, tuple[float, float]] = {
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "float": (-3.4028235e38, 3.4028235e38),
    "double": (-1.7976931348623157e308, 1.7976931348623157e308),
}
"""The smallest and largest value by type. A number beyond a limit becomes the limit."""

_MAX_TIMESTAMP_S = 1e11
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which has no UTF-8."""

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


def check(shape: Shape, params: Mapping[str, Any], *, code: str = "ValidationException") -> None:
    """Refuse parameters that break the constraints of their shape.

    Raises:
        ApiError: ``code``, with every broken constraint in AWS's format.
    """
    errors = list(_violations(shape, params, path=""))
    if errors:
        count = f"{len(errors)} validation error{'s' if len(errors) > 1 else ''} detected"
        raise ApiError(code, f"{count}: {'; '.join(errors)}")


def project(shape: Shape, values: Any) -> Any:
    """Return a value reduced to the members of its shape; drop None at any depth."""
    if shape.type_name == "structure":
        return {
            name: project(member, values[name])
            for name, member in shape.members.items()
            if values.get(name) is not None
        }
    if shape.type_name == "list":
        return [project(shape.member, value) for value in values]
    return values


def mistyped(message: str) -> ApiError:
    """Return the error for a JSON value of a wrong type."""
    return ApiError("SerializationException", message)


def _scalar(kind: str, value: Any) -> Any:
    """Return a string, a number or a boolean as a scalar type."""
    if isinstance(value, bool):
        if kind == "boolean":
            return value
    elif isinstance(value, str):
        if kind in ("string", "blob", "character") and not _LONE_SURROGATE.search(value):
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


def _violations(shape: Shape, value: Any, *, path: str) -> Iterator[str]:
    """Yield every broken constraint of a value, in AWS's words."""
    if shape.type_name == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"Value null at '{_join(path, name)}' failed to satisfy constraint: Member must not be null"
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _violations(member, value[name], path=_join(path, name))
    elif shape.type_name in {"list", "map"}:
        text = _java_text(value)
        yield from (_violation(text, path, constraint) for constraint in _range(shape, len(value), noun="length"))
        if shape.type_name == "list":
            for number, item in enumerate(value, start=1):
                yield from _violations(shape.member, item, path=f"{path}.{number}.member")
            return
        for key, item in value.items():
            for subject, inner, part in (("Map keys", shape.key, key), ("Map value", shape.value, item)):
                if broken := ", ".join(_broken(inner, part)):
                    yield _violation(text, path, f"{subject} must satisfy constraint: [{broken}]")
    else:
        yield from (_violation(value, path, constraint) for constraint in _broken(shape, value))


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    """Yield the constraints that a scalar breaks."""
    if shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        yield from _range(shape, len(value), noun="length")
        pattern = shape.metadata.get("pattern")
        if pattern and not _compiled(pattern).fullmatch(value):
            yield f"Member must satisfy regular expression pattern: {pattern}"
    elif shape.type_name in {"integer", "long", "float", "double"}:
        yield from _range(shape, value, noun="value")


def _range(shape: Shape, size: float, *, noun: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield f"Member must have {noun} greater than or equal to {low}"
    if high is not None and size > high:
        yield f"Member must have {noun} less than or equal to {high}"


def _violation(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def _java_text(value: Mapping[str, Any] | Sequence[Any]) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={item}" for key, item in value.items()) + "}"
    return "[" + ", ".join(str(item) for item in value) + "]"


def _join(path: str, name: str) -> str:
    lower = name[:1].lower() + name[1:]
    return f"{path}.{lower}" if path else lower


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a Java expression; what the models use and Python lacks is replaced."""
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)
