"""Checks of requests and answers against botocore's service models.

A request must satisfy the constraints of its input shape: required members, enums, patterns, lengths and ranges.
Refusals have AWS's format. An answer keeps only the members of its output shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

from asteroid_ll.emulator.json_types import typed
from asteroid_ll.emulator.transport.messages import ApiError

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

Authorize = Callable[[str, str, Mapping[str, Any]], None]
"""Refuses an operation of a service with these parameters, or does nothing."""


class ApiModel:
    """The service models, each loaded at its first use.

    Args:
        loader: a botocore data loader. A client's has already read the models.
    """

    def __init__(self, loader: Loader | None = None) -> None:
        self.loader = loader or Loader()
        self._services: dict[str, ServiceModel] = {}

    def operation(self, service: str, name: str) -> OperationModel:
        """Return the model of an operation.

        Args:
            service: botocore's name of the service, such as ``sagemaker``.
            name: such as ``CreateModel``.

        Raises:
            ApiError: ``UnknownOperationException``.
        """
        if service not in self._services:
            self._services[service] = ServiceModel(self.loader.load_service_model(service, "service-2"), service)
        model = self._services[service]
        if name not in model.operation_names:
            raise ApiError("UnknownOperationException", f"The requested operation {name} is not supported.")
        return model.operation_model(name)

    def read(self, service: str, name: str, *, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the members of the operation's input that are set, without null and unknown ones.

        Raises:
            ApiError: ``SerializationException``: a member has a JSON type that AWS does not convert.
        """
        shape = self.operation(service, name).input_shape
        return {} if shape is None else typed(shape, params)

    def check(self, service: str, name: str, *, params: Mapping[str, Any], code: str = "ValidationException") -> None:
        """Refuse parameters that break the operation's constraints.

        Raises:
            ApiError: ``code``, with every broken constraint in AWS's format.
        """
        shape = self.operation(service, name).input_shape
        errors = [] if shape is None else list(_violations(shape, params, path=""))
        if errors:
            count = f"{len(errors)} validation error{'s' if len(errors) > 1 else ''} detected"
            raise ApiError(code, f"{count}: {'; '.join(errors)}")

    def answer(self, service: str, name: str, *, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the members of the operation's output that are set; drop None and unknown members."""
        shape = self.operation(service, name).output_shape
        return {} if shape is None else project(shape, values)


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


def _violations(shape: Shape, value: Any, *, path: str) -> Iterator[str]:
    """Yield every broken constraint of a value, in AWS's words."""
    if shape.type_name == "structure":
        if not isinstance(value, Mapping):
            yield _violation(value, path, "Member must be a structure")
            return
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
            yield from _inner(shape.key, key, text, path=path, subject="Map keys")
            yield from _inner(shape.value, item, text, path=path, subject="Map value")
    else:
        yield from (_violation(value, path, constraint) for constraint in _broken(shape, value))


def _inner(shape: Shape, value: Any, whole: str, *, path: str, subject: str) -> Iterator[str]:
    broken = list(_broken(shape, value))
    if broken:
        yield _violation(whole, path, f"{subject} must satisfy constraint: [{', '.join(broken)}]")


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
