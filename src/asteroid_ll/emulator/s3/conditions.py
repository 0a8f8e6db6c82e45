"""Conditional requests and byte ranges, as S3 reads RFC 9110."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from asteroid_ll.emulator.s3.call import no_such_key
from asteroid_ll.emulator.s3.store import Guard, StoredObject
from asteroid_ll.emulator.transport.messages import ApiError

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def check_read(headers: Mapping[str, str], found: StoredObject, *, prefix: str = "") -> bool:
    """Whether a read is to be answered with the object (True), or with "not modified" (False).

    Args:
        headers: the request's.
        found: the object.
        prefix: ``x-amz-copy-source-`` for the conditions of a copy.

    Raises:
        ApiError: ``PreconditionFailed``.
    """
    modified_s = int(found.modified_s)
    match, unmodified = headers.get(prefix + "if-match"), headers.get(prefix + "if-unmodified-since")
    if match is not None:
        if not _matches(match, found.etag):
            raise _failed("If-Match")
    elif unmodified is not None and modified_s > _seconds(unmodified, otherwise=modified_s):
        raise _failed("If-Unmodified-Since")
    none_match, since = headers.get(prefix + "if-none-match"), headers.get(prefix + "if-modified-since")
    if none_match is not None:
        return not _matches(none_match, found.etag)
    return since is None or modified_s > _seconds(since, otherwise=modified_s - 1)


def write_guard(headers: Mapping[str, str], key: str) -> Guard | None:
    """The conditions of a write, to be checked in the write's own transaction; None where there are none.

    Raises:
        ApiError: ``NotImplemented`` for an ``If-None-Match`` other than ``*``.
    """
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match not in (None, "*"):
        raise ApiError(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            status=501,
            Header="If-None-Match",
        )
    if none_match is None and match is None:
        return None

    def guard(old: StoredObject | None) -> None:
        if none_match is not None and old is not None:
            raise _failed("If-None-Match")
        if match is not None and old is None:
            raise no_such_key(key)
        if match is not None and old is not None and not _matches(match, old.etag):
            raise _failed("If-Match")

    return guard


def byte_range(text: str, *, size_bytes: int) -> tuple[int, int] | None:
    """The range ``[start, stop)`` that a ``Range`` header asks for; None for the whole object.

    A header that S3 does not understand, or one with several ranges, is ignored, as HTTP allows.

    Raises:
        ApiError: ``InvalidRange``: nothing of the object lies in the range.
    """
    asked = _RANGE.fullmatch(text.strip())
    if asked is None or asked[1] == asked[2] == "":
        return None
    if asked[1] == "":
        start, stop = max(0, size_bytes - int(asked[2])), size_bytes
    else:
        start, stop = int(asked[1]), min(size_bytes, int(asked[2]) + 1 if asked[2] else size_bytes)
        if asked[2] and int(asked[2]) < start:
            return None
    if start >= size_bytes:
        raise ApiError(
            "InvalidRange",
            "The requested range is not satisfiable",
            status=416,
            RangeRequested=text,
            ActualObjectSize=size_bytes,
        )
    return start, stop


def _matches(condition: str, etag: str) -> bool:
    """Whether an ETag is among those of a condition; ``*`` is any."""
    return any(choice.strip().removeprefix("W/").strip('"') in ("*", etag) for choice in condition.split(","))


def _seconds(text: str, *, otherwise: int) -> float:
    """An HTTP date in seconds since 1970; a date that is none counts as ``otherwise``, so that it is ignored."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return otherwise


def _failed(condition: str) -> ApiError:
    return ApiError(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        status=412,
        Condition=condition,
    )
