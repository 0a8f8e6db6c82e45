"""What every client does beyond botocore's own: name the bucket's owner, and take no garbled answer for a whole one.

Each function is a handler of one of botocore's events; `install` registers them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

GARBLED_PAUSE_S = 0.5
"""Pause before a request with a garbled answer is sent again, times the attempts so far."""

_SET_ASIDE = 500


def install(client: Any, *, most_attempts: int, account_id: Callable[[], str]) -> None:
    """Register the handlers with a client.

    Args:
        client: a botocore client.
        most_attempts: how often a request with a garbled answer is sent.
        account_id: the account of the credentials; asked for by an S3 client only.
    """
    events = client.meta.events
    service_id = client.meta.service_model.service_id.hyphenize()
    if service_id == "s3":
        owner = account_id()
        events.register("before-parameter-build.s3", lambda params, model, **_: expect_owner(params, model, owner))

    def pause_s(response: tuple[Any, Mapping[str, Any]] | None, attempts: int, **_: object) -> float | None:
        if response is None or attempts >= most_attempts or not is_garbled(*response):
            return None
        return GARBLED_PAUSE_S * attempts

    # botocore's own handler answers for every response, so a later one is not heard.
    events.register_first(f"needs-retry.{service_id}", pause_s)
    events.register("after-call", refuse_garbled)
    if service_id == "sts":  # S3 has a handler of botocore's own that does the same
        events.register("before-parse.sts", set_aside_cut_xml)


def expect_owner(params: dict[str, Any], model: Any, account_id: str) -> None:
    """Name the bucket's expected owner, so that a bucket of somebody else's is refused and never read or filled."""
    shape = model.input_shape
    members: Mapping[str, Any] = shape.members if shape is not None else {}
    for name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
        if name in members:
            params.setdefault(name, account_id)


def set_aside_cut_xml(response_dict: dict[str, Any], **_: object) -> None:
    """Let an XML answer that breaks off be parsed as a server's failure, which is asked for again.

    botocore's parser would raise instead, before its retries see anything.
    """
    from xml.etree import ElementTree

    try:
        ElementTree.fromstring(response_dict["body"])  # noqa: S314 - parsed by botocore in the same way
    except ElementTree.ParseError:
        response_dict.update(status_code=_SET_ASIDE, body=b"")


def is_garbled(http_response: Any, parsed: Mapping[str, Any]) -> bool:
    """Whether an answer has a body that cannot be read.

    Of JSON, botocore takes such a body for an empty answer where it was a success, and for a refusal that gives no
    reason where it was one.
    """
    status = http_response.status_code
    if parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", status) == _SET_ASIDE != status:
        return True
    if status >= 500 or (status < 300 and set(parsed) - {"ResponseMetadata"}):
        return False
    if "json" not in http_response.headers.get("Content-Type", ""):
        return False
    try:
        return not isinstance(json.loads(http_response.content or b"{}"), dict)
    except ValueError:
        return True


def refuse_garbled(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
    """Refuse an answer that cannot be read, once it was asked for often enough."""
    from botocore.parsers import ResponseParserError

    if is_garbled(http_response, parsed):
        raise ResponseParserError(f"The answer to {model.name} cannot be read.")
