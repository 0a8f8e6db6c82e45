"""The tags that identify this program's resources without any local state.

Only a resource with `OWNER_TAG` is adopted or deleted. Adoption also requires the same fingerprint and the same run. A
name alone proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from asteroid_ll.errors import ConfigError

NAME_PREFIX = "asteroid-ll-"
"""Begin of the name of every resource that this program creates."""

OWNER_TAG = "asteroid-ll"
"""Key of the tag on every resource that this program creates; its value is `OWNER_VALUE`."""

OWNER_VALUE = "owned"
FINGERPRINT_TAG = "asteroid-ll:fingerprint"
RUN_TAG = "asteroid-ll:run"
EXPIRES_TAG = "asteroid-ll:expires"

_VALUE = re.compile(r"[\w\s.:/=+\-@]{0,256}")


def resource_name(fingerprint: str, run: str) -> str:
    """Return the name of a resource: from its content, and for its run alone.

    Args:
        fingerprint: digest of the content, hexadecimal.
        run: the run's name, which ends in its random digits.
    """
    return f"{NAME_PREFIX}{fingerprint[:16]}-{run.rpartition('-')[2]}"


def tags(
    *, fingerprint: str, run: str = "", expires_s: float | None = None, extra: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the tags of a new resource, key to value.

    Args:
        fingerprint: the content fingerprint in the resource's name.
        run: the run that creates it, as `asteroid_ll.run.identity.Identity.run` names it.
        expires_s: seconds since 1970 after which the resource counts as forgotten; None for never.
        extra: further tags of the user; adoption and deletion never depend on them.

    Raises:
        ConfigError: a value has a character that AWS does not allow in a tag, or is longer than 256.
    """
    values = {**extra, OWNER_TAG: OWNER_VALUE, FINGERPRINT_TAG: fingerprint}
    if run:
        values[RUN_TAG] = run
    if expires_s is not None:
        values[EXPIRES_TAG] = str(int(expires_s))
    for key, value in values.items():
        if not _VALUE.fullmatch(value):
            raise ConfigError(
                f"The tag {key} cannot have the value {value!r}.",
                hint="AWS allows up to 256 letters, digits, spaces and _ . : / = + - @ in a tag.",
            )
    return values


def to_api(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in SageMaker's form: a list of ``{"Key", "Value"}``, sorted by key."""
    return [{"Key": key, "Value": value} for key, value in sorted(values.items())]


def from_api(entries: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return tags from SageMaker's form, key to value."""
    return {entry["Key"]: entry["Value"] for entry in entries}


def owns(values: Mapping[str, str], fingerprint: str | None = None, *, run: str | None = None) -> bool:
    """Return whether tags are ours, and those of the given content and of the given run, if these are given."""
    if values.get(OWNER_TAG) != OWNER_VALUE:
        return False
    return fingerprint in (None, values.get(FINGERPRINT_TAG)) and run in (None, values.get(RUN_TAG))


def expires_s(values: Mapping[str, str]) -> float | None:
    """Return the seconds since 1970 after which the resource counts as forgotten; None for never."""
    text = values.get(EXPIRES_TAG, "")
    return float(text) if text.isdecimal() else None
