"""The policy language: whether documents are well-formed, and which of their statements are about a request.

It has what our printed policies, bucket policies and SageMaker's managed policies use. Any other operator, variable or
element is refused when the policy is written.

Source: IAM user guide, "IAM JSON policy element reference", "Condition operators" and "Set operators for multivalued
context keys".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Literal

Kind = Literal["identity", "resource", "trust"]
"""A policy of a user or role, of a resource such as a bucket, or of who may assume a role."""

Document = Mapping[str, Any]
"""A policy document, as read from JSON."""

Context = Mapping[str, tuple[str, ...]]
"""The values of each condition key of a request, by the key in lower case."""

Statement = Mapping[str, Any]

_VERSIONS = ("2012-10-17", "2008-10-17")
_WITH_VARIABLES = "2012-10-17"
_NAMES = {
    "Action": ("Action", "NotAction"),
    "Resource": ("Resource", "NotResource"),
    "Principal": ("Principal",),
}
"""The elements of which a statement has one each. Their values are texts or lists of texts."""
_ABSENT = {"identity": ("Principal",), "resource": (), "trust": ("Resource",)}
_ELEMENTS = ("Sid", "Effect", "Condition", *(name for names in _NAMES.values() for name in names))
_ACTION = re.compile(r"\*|[a-zA-Z0-9*?-]+:[a-zA-Z0-9*?]+")
_USER_NAME = "aws:username"
_VARIABLES = ("${*}", f"${{{_USER_NAME}}}")
_TOKEN = re.compile(r"(\$\{[^}]*\}|[*?])")
_WILDCARDS = {"*": ".*", "?": "."}
_ARN_FIELDS = 6
_QUANTIFIER = re.compile("^(ForAllValues|ForAnyValue):")
_NULL = "Null"


def problem_of(document: object, *, kind: Kind) -> str:
    """Return a sentence about the first problem of a document, empty if it is well-formed."""
    try:
        _check(document, kind)
    except ValueError as problem:
        return str(problem)
    return ""


def statements_of(document: Document) -> list[Statement]:
    """Return the statements of a document that `problem_of` accepts."""
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def as_texts(value: object) -> tuple[str, ...]:
    """Return the values of an element that is one value or a list; numbers and booleans as JSON writes them."""
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


def matching(document: Document, effect: str, *, action: str, resource: str, context: Context) -> Iterator[Statement]:
    """Yield the statements of an effect that are about an action, a resource and a context.

    Args:
        document: a policy that `problem_of` accepts.
        effect: ``Allow`` or ``Deny``.
        action: such as ``s3:GetObject``.
        resource: the ARN; empty for a trust policy, whose statements have none.
        context: the values of condition keys.
    """
    variables = {}
    if document.get("Version") == _WITH_VARIABLES:
        variables = dict(zip(_VARIABLES, ("*", *context.get(_USER_NAME, ())), strict=False))

    def names_action(pattern: str) -> bool:
        return _matches(pattern.lower(), action.lower(), {})

    def names_resource(pattern: str) -> bool:
        return pattern == "*" or _arn_matches(pattern, resource, variables)

    for statement in statements_of(document):
        if (
            statement["Effect"] == effect
            and _names(statement, "Action", names_action)
            and (not resource or _names(statement, "Resource", names_resource))
            and _holds(statement.get("Condition", {}), context, variables)
        ):
            yield statement


def _names(statement: Statement, element: str, is_named: Callable[[str], bool]) -> bool:
    """Return whether an element, or its negation, covers the request."""
    patterns = as_texts(statement.get(element, statement.get(f"Not{element}", ())))
    return any(map(is_named, patterns)) == (element in statement)


def _check(document: object, kind: Kind) -> None:
    if not isinstance(document, Mapping):
        raise ValueError("It is not a JSON object.")
    _refuse_others(document, ("Version", "Id", "Statement"), "a policy")
    if document.get("Version", _WITH_VARIABLES) not in _VERSIONS:
        raise ValueError(f"Version is {document['Version']!r}, not '{_WITH_VARIABLES}'.")
    if not document.get("Statement"):
        raise ValueError("It has no Statement.")
    for number, statement in enumerate(statements_of(document), 1):
        try:
            _check_statement(statement, kind)
        except ValueError as problem:
            raise ValueError(f"Statement {number}: {problem}") from None


def _check_statement(statement: object, kind: Kind) -> None:
    if not isinstance(statement, Mapping):
        raise ValueError("It is not an object.")
    _refuse_others(statement, _ELEMENTS, "a statement")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise ValueError("Effect must be 'Allow' or 'Deny'.")
    for element, names in _NAMES.items():
        given = [name for name in names if name in statement]
        if element in _ABSENT[kind] and given:
            raise ValueError(f"A policy of this kind has no {given[0]}.")
        if element not in _ABSENT[kind] and len(given) != 1:
            raise ValueError(f"It needs {' or '.join(names)}.")
        for name in given:
            _check_values(name, statement[name])
    _check_condition(statement.get("Condition", {}))


def _check_values(name: str, value: Any) -> None:
    if name == "Principal":
        if value != "*" and not isinstance(value, Mapping):
            raise ValueError("Principal is neither '*' nor an object such as {'AWS': ARN}.")
        if value != "*":
            _refuse_others(value, ("AWS", "Service", "Federated"), "Principal")
            for kind, names in value.items():
                _texts(f"Principal.{kind}", names)
        return
    for text in _texts(name, value):
        if name.endswith("Action") and not _ACTION.fullmatch(text):
            raise ValueError(f"{text!r} is not an action, such as 's3:GetObject'.")
        if name.endswith("Resource") and text != "*" and not text.startswith("arn:"):
            raise ValueError(f"The resource {text!r} is neither '*' nor an ARN.")


def _check_condition(condition: object) -> None:
    if not isinstance(condition, Mapping):
        raise ValueError("Condition is not an object.")
    for operator, keys in condition.items():
        if operator != _NULL and _QUANTIFIER.sub("", operator) not in _OPERATORS:
            raise ValueError(f"{operator!r} is not a condition operator of the emulator.")
        if not isinstance(keys, Mapping) or not keys:
            raise ValueError(f"Condition.{operator} is not an object with condition keys.")
        for key, values in keys.items():
            _texts(f"Condition.{operator}.{key}", values, others=(int, float))


def _texts(name: str, value: Any, *, others: tuple[type, ...] = ()) -> tuple[str, ...]:
    """Return the texts of an element.

    Raises:
        ValueError: it has something else, or a variable that the emulator does not have.
    """
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, (str, *others)) for item in items):
        raise ValueError(f"{name} is neither a text nor a list of texts.")
    for token in (token for text in as_texts(items) for token in _TOKEN.findall(text)):
        if token.startswith("$") and token.lower() not in _VARIABLES:
            raise ValueError(f"{token!r} is not a policy variable of the emulator.")
    return as_texts(items)


def _refuse_others(value: Mapping[str, Any], known: Container[str], what: str) -> None:
    for name in sorted(value):
        if name not in known:
            raise ValueError(f"{name!r} is not an element of {what}.")


_Variables = Mapping[str, str]
"""The values of variables; empty for a document of the version without variables."""


def _matches(pattern: str, text: str, variables: _Variables, *, wildcards: Mapping[str, str] = _WILDCARDS) -> bool:
    """Return whether a pattern stands for the whole text: ``*`` for any characters, and ``?`` for one."""
    tokens = _TOKEN.split(pattern)
    parts = [wildcards.get(token) or re.escape(variables.get(token.lower(), token)) for token in tokens]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _arn_matches(pattern: str, text: str, variables: _Variables) -> bool:
    """Compare each field of an ARN by itself. A pattern that ends early has ``*`` for the other fields."""
    patterns, fields = pattern.split(":", _ARN_FIELDS - 1), text.split(":", _ARN_FIELDS - 1)
    patterns += ["*"] * (_ARN_FIELDS - len(patterns))
    if len(fields) < _ARN_FIELDS:
        return False
    return all(_matches(one, field, variables) for one, field in zip(patterns, fields, strict=True))


def _equals(value: str, text: str, variables: _Variables) -> bool:
    return _matches(value, text, variables, wildcards={})


def _equals_in_any_case(value: str, text: str, variables: _Variables) -> bool:
    in_lower_case = {name: one.lower() for name, one in variables.items()}
    return _equals(value.lower(), text.lower(), in_lower_case)


_Compare = Callable[[str, str, _Variables], bool]

_OPERATORS: Mapping[str, tuple[_Compare, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_in_any_case, False),
    "StringLike": (_matches, False),
    "StringNotLike": (_matches, True),
    "ArnEquals": (_arn_matches, False),
    "ArnLike": (_arn_matches, False),
    "Bool": (_equals_in_any_case, False),
}
"""The comparison of each operator, and whether the operator holds if no value of the policy compares."""


def _holds(condition: Mapping[str, Any], context: Context, variables: _Variables) -> bool:
    """Return whether every operator of a ``Condition`` holds for every one of its keys."""
    return all(
        _operator_holds(operator, context.get(key.lower(), ()), as_texts(values), variables)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _operator_holds(operator: str, actual: tuple[str, ...], values: tuple[str, ...], variables: _Variables) -> bool:
    """Return whether the request's values of a key satisfy an operator with the policy's values.

    Without a quantifier, a key that the request does not have fails, or satisfies a negated operator.
    """
    if operator == _NULL:
        return any((value == "true") != bool(actual) for value in values)
    compare, is_negated = _OPERATORS[_QUANTIFIER.sub("", operator)]
    satisfied = [any(compare(value, text, variables) for value in values) != is_negated for text in actual]
    if operator.startswith("ForAnyValue:"):
        return any(satisfied)
    return all(satisfied) if is_negated or operator.startswith("ForAllValues:") else any(satisfied)
