"""Additions to every botocore client: expect the bucket's owner, and retry unreadable answers.

Each function handles one of botocore's events; `install` registers them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

from asteroid_ll.aws.errors import GarbledAnswerError

GARBLED_PAUSE_S = 0.5
"""Pause before a request with a garbled answer is sent again, times the attempts so far."""

_TRUNCATED_STATUS = 500
"""The status given to a truncated XML answer, so botocore retries it."""


def install(client: Any, *, max_attempts: int, account_id: Callable[[], str]) -> None:
    """Register the handlers with a client.

    Args:
        client: a botocore client.
        max_attempts: how often a request with a garbled answer is sent.
        account_id: returns the account of the credentials; called only for an S3 client.
    """
    events = client.meta.events
    service_id = client.meta.service_model.service_id.hyphenize()
    if service_id == "s3":
        owner = account_id()
        events.register("before-parameter-build.s3", lambda params, model, **_: expect_owner(params, model, owner))

    def pause_s(response: tuple[Any, Mapping[str, Any]] | None, attempts: int, **_: object) -> float | None:
        if response is None or attempts >= max_attempts or not is_garbled(*response):
            return None
        return GARBLED_PAUSE_S * attempts

    # botocore's own handler decides about every response, so a later handler has no effect.
    events.register_first(f"needs-retry.{service_id}", pause_s)
    events.register("after-call", refuse_garbled)
    if service_id == "sts":  # for S3, botocore has such a handler
        events.register("before-parse.sts", mark_truncated_xml)


def expect_owner(params: dict[str, Any], model: Any, account_id: str) -> None:
    """Add the expected owner of the bucket: AWS then refuses a bucket of another account."""
    shape = model.input_shape
    members: Mapping[str, Any] = shape.members if shape is not None else {}
    for name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
        if name in members:
            params.setdefault(name, account_id)


def mark_truncated_xml(response_dict: dict[str, Any], **_: object) -> None:
    """Turn a truncated XML answer into a server error, which is retried.

    botocore's parser would raise instead, before its retries.
    """
    try:
        ElementTree.fromstring(response_dict["body"])  # noqa: S314 - botocore parses it in the same way
    except ElementTree.ParseError:
        response_dict.update(status_code=_TRUNCATED_STATUS, body=b"")


def is_garbled(http_response: Any, parsed: Mapping[str, Any]) -> bool:
    """Return whether the body of an answer is unreadable.

    botocore treats an unreadable JSON body as an empty answer, or as a refusal without a reason.
    """
    status = http_response.status_code
    if parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", status) == _TRUNCATED_STATUS != status:
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
    """Raise `GarbledAnswerError` for an answer that is still unreadable after the last attempt."""
    if is_garbled(http_response, parsed):
        raise GarbledAnswerError(f"The answer to {model.name} cannot be read.")
