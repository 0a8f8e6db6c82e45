"""The tags by which this program knows its own resources, without any state of a run.

A resource is adopted or deleted only when it carries `OWNER_TAG` (and, where a fingerprint is asked for, the
same fingerprint): a name alone proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from asteroid_ll.errors import ConfigError

OWNER_TAG = "asteroid-ll"
"""Key of the tag on everything this program creates; its value is `OWNER_VALUE`."""

OWNER_VALUE = "owned"
FINGERPRINT_TAG = "asteroid-ll:fingerprint"
RUN_TAG = "asteroid-ll:run"
EXPIRES_TAG = "asteroid-ll:expires"

_VALUE = re.compile(r"[\w\s.:/=+\-@]{0,256}")


def tags(*, fingerprint: str, run: str = "", expires_s: float | None = None) -> dict[str, str]:
    """The tags of a new resource.

    Args:
        fingerprint: the content fingerprint that the resource's name was made from.
        run: which workspace made it, in words for the reader of ``asteroid-ll leaks``.
        expires_s: seconds since 1970 after which the resource counts as forgotten; None for never.

    Returns:
        Key to value, as `to_api` wants it.

    Raises:
        ConfigError: a value has a character that AWS does not allow in a tag, or over 256 of them.
    """
    made = {OWNER_TAG: OWNER_VALUE, FINGERPRINT_TAG: fingerprint}
    if run:
        made[RUN_TAG] = run
    if expires_s is not None:
        made[EXPIRES_TAG] = str(int(expires_s))
    for key, value in made.items():
        if not _VALUE.fullmatch(value):
            raise ConfigError(
                f"The tag {key} cannot hold {value!r}.",
                hint="AWS allows up to 256 letters, digits, spaces and _ . : / = + - @ in a tag.",
            )
    return made


def to_api(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as SageMaker's API writes them: a list of ``{"Key", "Value"}``, sorted by key."""
    return [{"Key": key, "Value": value} for key, value in sorted(values.items())]


def from_api(listed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The reverse of `to_api`."""
    return {tag["Key"]: tag["Value"] for tag in listed}


def owns(values: Mapping[str, str], fingerprint: str | None = None) -> bool:
    """Whether these are our tags; with a fingerprint, whether they are of that same content."""
    if values.get(OWNER_TAG) != OWNER_VALUE:
        return False
    return fingerprint is None or values.get(FINGERPRINT_TAG) == fingerprint


def expires_s(values: Mapping[str, str]) -> float | None:
    """Seconds since 1970 after which the resource counts as forgotten; None for never or for no number."""
    written = values.get(EXPIRES_TAG, "")
    return float(written) if written.isdecimal() else None
