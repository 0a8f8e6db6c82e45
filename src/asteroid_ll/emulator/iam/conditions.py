"""The conditions of policy statements.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context
keys".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from asteroid_ll.emulator.iam.patterns import Context, expand, matches

_Compare = Callable[[str, str, "Context | None"], bool]
"""Compares a value of the request with one of the policy, whose variables are in the context."""

_QUANTIFIERS = ("ForAllValues:", "ForAnyValue:")
_IF_EXISTS = "IfExists"
_NULL = "Null"


def holds(condition: Mapping[str, Any], context: Context, *, has_variables: bool) -> bool:
    """Return whether every operator of a ``Condition`` holds.

    Args:
        condition: the element, checked with `problem_of`.
        context: the request's values.
        has_variables: whether the document's version has variables.
    """
    variables = context if has_variables else None
    return all(
        _holds(operator, context.get(key.lower(), ()), as_texts(values), variables)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def problem_of(condition: object) -> str:
    """Return a sentence about the first problem of a ``Condition``, empty if there is none."""
    if not isinstance(condition, Mapping):
        return "Condition is not an object."
    for operator, keys in condition.items():
        name = _plain(operator)
        if name != _NULL and name not in _OPERATORS:
            return f"{operator!r} is not a condition operator."
        if not isinstance(keys, Mapping) or not keys:
            return f"Condition.{operator} is not an object with condition keys."
        for key, values in keys.items():
            items = values if isinstance(values, list) else [values]
            if not all(isinstance(item, str | int | float) for item in items):
                return f"Condition.{operator}.{key} is neither a text nor a list of texts."
    return ""


def as_texts(value: object) -> tuple[str, ...]:
    """Return the values of an element that is one value or a list; numbers and booleans as JSON writes them."""
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


def _plain(operator: str) -> str:
    """Return an operator's name without its quantifier and without ``IfExists``."""
    for quantifier in _QUANTIFIERS:
        operator = operator.removeprefix(quantifier)
    return operator.removesuffix(_IF_EXISTS)


def _holds(operator: str, actual: tuple[str, ...], values: tuple[str, ...], variables: Context | None) -> bool:
    """Return whether the request's values of a key satisfy an operator with the policy's values."""
    name = _plain(operator)
    if name == _NULL:
        return any((value.lower() == "true") != bool(actual) for value in values)
    compare, is_negated = _OPERATORS[name]

    def satisfies(text: str) -> bool:
        return any(compare(text, value, variables) for value in values) != is_negated

    if operator.startswith("ForAllValues:"):
        return all(map(satisfies, actual))
    if operator.startswith("ForAnyValue:"):
        return any(map(satisfies, actual))
    if not actual:
        return is_negated or operator.endswith(_IF_EXISTS)
    return all(map(satisfies, actual)) if is_negated else any(map(satisfies, actual))


def _equals(text: str, value: str, variables: Context | None) -> bool:
    return text == expand(value, variables)


def _equals_ignoring_case(text: str, value: str, variables: Context | None) -> bool:
    expanded = expand(value, variables)
    return expanded is not None and text.lower() == expanded.lower()


def _like(text: str, value: str, variables: Context | None) -> bool:
    return matches(value, text, context=variables)


def _arn(text: str, value: str, variables: Context | None) -> bool:
    """Compare each of the six fields of an ARN by itself; ArnEquals and ArnLike are the same."""
    fields, patterns = text.split(":", 5), value.split(":", 5)
    if value == "*":
        return True
    if "${" in value:  # a variable's name can have a colon
        return matches(value, text, context=variables, is_arn=True)
    return len(fields) == len(patterns) and all(map(matches, patterns, fields))


def _bool(text: str, value: str, _variables: Context | None) -> bool:
    return text.lower() == value.lower()


def _number(is_true: Callable[[float, float], bool]) -> _Compare:
    def compare(text: str, value: str, _variables: Context | None) -> bool:
        try:
            return is_true(float(text), float(value))
        except ValueError:
            return False

    return compare


def _date(is_true: Callable[[float, float], bool]) -> _Compare:
    def compare(text: str, value: str, _variables: Context | None) -> bool:
        try:
            return is_true(_seconds(text), _seconds(value))
        except ValueError:
            return False

    return compare


def _seconds(text: str) -> float:
    """Return a time as seconds since 1970: from W3C's profile of ISO 8601, or from such a number."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _ip(text: str, value: str, _variables: Context | None) -> bool:
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "Equals": lambda a, b: a == b,
    "LessThan": lambda a, b: a < b,
    "LessThanEquals": lambda a, b: a <= b,
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanEquals": lambda a, b: a >= b,
}

_OPERATORS: Mapping[str, tuple[_Compare, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    **{f"Numeric{name}": (_number(compare), False) for name, compare in _COMPARISONS.items()},
    "NumericNotEquals": (_number(_COMPARISONS["Equals"]), True),
    **{f"Date{name}": (_date(compare), False) for name, compare in _COMPARISONS.items()},
    "DateNotEquals": (_date(_COMPARISONS["Equals"]), True),
    "Bool": (_bool, False),
    "BinaryEquals": (_equals, False),
    "IpAddress": (_ip, False),
    "NotIpAddress": (_ip, True),
    "ArnEquals": (_arn, False),
    "ArnLike": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnNotLike": (_arn, True),
}
"""The comparison of each operator, and whether the operator holds if no value of the policy compares."""
