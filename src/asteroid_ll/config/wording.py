"""Messages about invalid values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from asteroid_ll.redaction import redacted

MAX_SHOWN = 80
"""Maximum number of characters of a value, or of a key, in a message."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` with the most similar known word, or an empty text.

    A word with the same letters in another order is more similar than all others.
    """
    words = sorted(known)
    near = [other for other in words if sorted(other) == sorted(word)] or get_close_matches(word, words, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def legible(text: str) -> str:
    """Return a text for a message: without secrets, shortened, with unprintable characters escaped."""
    text = redacted(text)
    short = text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
    return short if short.isprintable() else repr(short)


_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to values",
    "mapping_type": "a mapping of names to values",
    "model_type": "a section with keys",
}

_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def sentence(error: Mapping[str, Any], *, raw: str | None = None) -> str:
    """Return the problem of a value, without its key.

    Args:
        error: one entry of ``pydantic.ValidationError.errors()``.
        raw: the value as written in the file, if it is a scalar; by default the parsed value is shown.

    Returns:
        A clause such as ``must be at least 60, not 5``.
    """
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    as_written = shown(value if raw is None else raw)
    if kind == "string_type" and isinstance(value, bool) and raw is not None:
        return f'must be text: unquoted, {as_written} is a YAML boolean; write "{as_written}"'
    if kind == "string_type" and isinstance(value, int | float) and raw is not None:
        return f'must be text: unquoted, {as_written} is a number; write "{as_written}"'
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}, not {as_written}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"must be {words} {context[bound]}, not {as_written}"
    if kind == "literal_error":
        expected = context["expected"].replace("'", "")
        return f"must be {expected}, not {as_written}{did_you_mean(as_written, re.split(', | or ', expected))}"
    if kind in ("too_short", "too_long"):
        words, bound = ("least", "min_length") if kind == "too_short" else ("most", "max_length")
        return f"must have at {words} {context[bound]}, not {context['actual_length']}"
    if kind == "finite_number":
        return f"must be a finite number, not {as_written}"
    if kind == "string_too_short":
        return "must not be empty"
    message = str(error["msg"])
    return message[:1].lower() + message[1:]


def shown(value: object) -> str:
    """Return a value for a message: a scalar itself, or the kind of a larger value."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return legible(str(value))
