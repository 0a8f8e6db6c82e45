"""Conditional requests and byte ranges, as S3 reads RFC 9110."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from asteroid_ll.emulator.s3.errors import invalid_argument, s3_error, unsupported_header
from asteroid_ll.emulator.s3.store import Guard, StoredObject

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII | re.IGNORECASE)


def check_read(headers: Mapping[str, str], stored: StoredObject, *, prefix: str = "") -> bool:
    """Check a read's conditions; return False if the answer is "not modified".

    Args:
        headers: the request's headers.
        stored: the object.
        prefix: ``x-amz-copy-source-`` for the conditions of a copy.

    Raises:
        ApiError: ``PreconditionFailed``.
    """
    modified_s = int(stored.modified_s)
    match, unmodified = headers.get(prefix + "if-match"), headers.get(prefix + "if-unmodified-since")
    if match is not None:
        if not matches(match, stored.etag):
            raise s3_error("PreconditionFailed", Condition="If-Match")
    elif unmodified is not None and modified_s > _seconds(unmodified, default=modified_s):
        raise s3_error("PreconditionFailed", Condition="If-Unmodified-Since")
    none_match, since = headers.get(prefix + "if-none-match"), headers.get(prefix + "if-modified-since")
    if none_match is not None:
        return not matches(none_match, stored.etag)
    return since is None or modified_s > _seconds(since, default=modified_s - 1)


def write_guard(headers: Mapping[str, str], key: str) -> Guard | None:
    """Return the check of a write's conditions, to run in the write's own transaction; None without conditions.

    Raises:
        ApiError: ``NotImplemented`` for an ``If-None-Match`` other than ``*``.
    """
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match not in (None, "*"):
        raise unsupported_header("If-None-Match")
    if none_match is None and match is None:
        return None

    def guard(old: StoredObject | None) -> None:
        if none_match is not None and old is not None:
            raise s3_error("PreconditionFailed", Condition="If-None-Match")
        if match is not None and old is None:
            raise s3_error("NoSuchKey", Key=key)
        if match is not None and old is not None and not matches(match, old.etag):
            raise s3_error("PreconditionFailed", Condition="If-Match")

    return guard


def byte_range(text: str, *, size_bytes: int) -> tuple[int, int] | None:
    """Return the range ``[start, stop)`` of a ``Range`` header; None for the whole object.

    A header that S3 does not understand, or one with several ranges, is ignored, as HTTP allows.

    Raises:
        ApiError: ``InvalidRange``: no byte of the object is in the range.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, stop = max(0, size_bytes - int(match[2])), size_bytes
    else:
        start, stop = int(match[1]), min(size_bytes, int(match[2]) + 1 if match[2] else size_bytes)
        if match[2] and int(match[2]) < start:
            return None
    if start >= size_bytes:
        raise s3_error("InvalidRange", RangeRequested=text, ActualObjectSize=size_bytes)
    return start, stop


def copy_range(text: str, *, size_bytes: int) -> tuple[int, int]:
    """Return the range ``[start, stop)`` of an ``x-amz-copy-source-range``, which must be inside the object.

    Raises:
        ApiError: ``InvalidArgument``.
    """
    name, match = "x-amz-copy-source-range", _RANGE.fullmatch(text)
    if match is None or "" in match.groups() or int(match[1]) > int(match[2]):
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            name=name,
            value=text,
        )
    start, stop = int(match[1]), int(match[2]) + 1
    if stop > size_bytes:
        message = f"Range specified is not valid for source object of size: {size_bytes}"
        raise invalid_argument(message, name=name, value=text)
    return start, stop


def matches(condition: str, etag: str) -> bool:
    """Return whether a condition lists an ETag; ``*`` matches any."""
    return any(choice.strip().removeprefix("W/").strip('"') in ("*", etag) for choice in condition.split(","))


def _seconds(text: str, *, default: int) -> float:
    """Return an HTTP date in seconds since 1970; ``default`` for an invalid date, which the caller then ignores."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return default
