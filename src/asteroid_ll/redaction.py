"""Removes secrets from everything that is printed or stored: addresses, configurations, messages.

An address can hold a user, a password, and secret parameters such as ``api_key``, ``token`` or ``X-Amz-Signature``.
`redacted` replaces them by ``[removed]`` and leaves the rest, so two addresses that differ otherwise still differ.
`shown` is for messages and drops all parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

REMOVED = "[removed]"
"""Stands in place of a secret."""

_Value = TypeVar("_Value")

_SECRET_WORDS = frozenset(
    ["auth", "code", "jwt", "login", "otp", "pass", "pw", "session", "sid", "sig", "sign", "signed", "ticket", "user"]
)
_SECRET_ENDINGS = (
    "authorization",
    "credential",
    "credentials",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "signature",
    "token",
    "username",
)
_ALSO_WORDS = frozenset(["code", "key", "login", "pass", "session", "sign", "signed", "ticket", "user"])
"""Words that name a secret in an address only: "key=train" in a sentence is none."""

_SECRET_MEMBER = re.compile(r"secret|password|passwd|api_?key|access_?key|(session|security)_?token|credential", re.I)
_MAX_BARE_CHARACTERS = 15
"""Longest part of a query without a name that is kept, such as ``download``; a longer one may be a token."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>\S*)")
_USER_WITH_SPACE = re.compile(r"(://)[^/?#@\s]*:[^/?#@\n]*@")
_BARE = re.compile(rf"(?<=[?&])[^=&\s\"'<>#]{{{_MAX_BARE_CHARACTERS + 1},}}(?=$|[&\s\"'<>#])")
_NAME = re.compile(r"(?P<before>[?&;#]?)(?P<name>[\w.%~-]+)=")
_TEXT = re.compile(r"[^&\s\"'<>#\\]*")
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
_BEARER = re.compile(r"\b(authorization:\s*\w+|bearer)\s+[\w.~+/=-]{12,}", re.I)


def redacted(value: _Value) -> _Value:
    """Return a JSON value or a text without secrets.

    Args:
        value: a text, or a mapping or sequence of JSON values. A member with the name of a secret, such as
            ``api_key``, loses its whole value.
    """
    result: Any = value
    if isinstance(value, str):
        result = _without_secrets(value)
    elif isinstance(value, Mapping):
        result = {
            name: REMOVED if inner and _SECRET_MEMBER.search(str(name)) else redacted(inner)
            for name, inner in value.items()
        }
    elif isinstance(value, list | tuple):
        items = [redacted(inner) for inner in value]
        result = tuple(items) if isinstance(value, tuple) else items
    return result  # type: ignore[no-any-return]


def shown(location: str) -> str:
    """Return a path or an address for a message: without user, password, query and fragment."""
    scheme, separator, rest = location.partition("://")
    if not separator:
        return _without_secrets(location)
    return _without_secrets(scheme + separator + _without_user(re.split("[?#]", rest, maxsplit=1)[0], mark=""))


def _without_secrets(text: str) -> str:
    if "://" in text:
        text = _USER_WITH_SPACE.sub(rf"\1{REMOVED}@", text)
        text = _ADDRESS.sub(lambda match: match["scheme"] + _without_user(match["rest"], mark=f"{REMOVED}@"), text)
    if "?" in text or "&" in text:
        text = _BARE.sub(REMOVED, text)
    if "=" in text:
        text = _without_parameters(text)
    return _BEARER.sub(rf"\1 {REMOVED}", _ACCESS_KEY.sub(REMOVED, text))


def _without_user(rest: str, *, mark: str) -> str:
    """Return the part of an address after ``://`` without its user and password.

    A password with a slash makes an address invalid. Its host then seems to have a port that is not a number.
    """
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    user, at, host = authority.rpartition("@")
    if at:
        return mark + host + rest[len(user) + len(at) + len(host) :]
    if "@" in rest and re.search(r":(?![0-9]*$)[^\]]*$", authority):
        return mark + rest.rpartition("@")[2]
    return rest


def _without_parameters(text: str) -> str:
    """Return a text without the values of parameters whose names are those of secrets."""
    parts, end = [], 0
    for match in _NAME.finditer(text):
        if match.start() >= end and _is_secret(match["name"], in_address=bool(match["before"])):
            value = _TEXT.match(text, match.end())
            parts += [text[end : match.end()], REMOVED if value and value.group() else ""]
            end = value.end() if value else match.end()
    return "".join(parts) + text[end:]


def _is_secret(name: str, *, in_address: bool) -> bool:
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)
    words = [word.lower() for word in _WORD.findall(plain)]
    if not in_address:
        words = [word for word in words if word not in _ALSO_WORDS or len(words) > 1]
    return any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words)
