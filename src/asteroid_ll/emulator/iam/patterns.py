"""The wildcards and variables of the policy language.

``*`` stands for any characters and ``?`` for one. ``${KEY}`` is the value of a context key, ``${KEY, 'text'}`` has a
default, and ``${*}``, ``${?}`` and ``${$}`` are the characters themselves. Source: IAM user guide, "IAM JSON policy
elements: Resource" and "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

Context = Mapping[str, tuple[str, ...]]
"""The values of each condition key of a request, by the key in lower case."""

_VARIABLE = re.compile(r"\$\{\s*([^},]*?)\s*(?:,\s*'([^']*)'\s*)?\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}
_ARN_FIELDS = 6


def matches(pattern: str, text: str, *, context: Context | None = None, is_arn: bool = False) -> bool:
    """Return whether a pattern stands for the whole text.

    Args:
        pattern: text with wildcards, and with variables if there is a context.
        text: the value of the request.
        context: the values of variables; None for a document of a version without variables.
        is_arn: whether a wildcard inside one of the first five fields of an ARN stays in its field. At the end of a
            field it can go on.
    """
    pieces = _split(pattern)
    if context is not None and len(pieces) > 1:
        filled = _fill(pieces, context)
        return filled is not None and _compile(filled, is_arn).fullmatch(text) is not None
    return _compile((pattern,), is_arn).fullmatch(text) is not None


def expand(text: str, context: Context | None) -> str | None:
    """Return text with the values of its variables; None if one has no value."""
    pieces = _split(text)
    if context is None or len(pieces) == 1:
        return text
    filled = _fill(pieces, context)
    return None if filled is None else "".join(filled)


@lru_cache(maxsize=4096)
def _split(text: str) -> tuple[Any, ...]:
    """Return plain text, then a variable's name and its default or None, then plain text, and so on."""
    return tuple(_VARIABLE.split(text)) if "${" in text else (text,)


def _fill(pieces: tuple[Any, ...], context: Context) -> tuple[str, ...] | None:
    """Return plain text and the values of variables in turn; None if a variable has not exactly one value."""
    filled = []
    for plain, name, default in zip(pieces[:-1:3], pieces[1::3], pieces[2::3], strict=True):
        values = (_LITERALS[name],) if name in _LITERALS else context.get(name.lower(), ())
        if len(values) != 1 and default is None:
            return None
        filled += [plain, values[0] if len(values) == 1 else default]
    return (*filled, pieces[-1])


@lru_cache(maxsize=4096)
def _compile(pieces: tuple[str, ...], is_arn: bool) -> re.Pattern[str]:
    """Return the expression for plain text, in which wildcards count, and values, in which they do not, in turn."""
    whole = "".join(pieces)
    expression, n_colons, position = [], 0, 0
    for number, piece in enumerate(pieces):
        for character in piece:
            position += 1
            n_colons += character == ":"
            inside = is_arn and n_colons < _ARN_FIELDS - 1 and whole[position : position + 1] not in ("", ":")
            if number % 2 or character not in "*?":
                expression.append(re.escape(character))
            else:
                one = "[^:]" if inside else "."
                expression.append(one if character == "?" else f"{one}*")
    return re.compile("".join(expression), re.DOTALL)
