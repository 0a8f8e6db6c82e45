"""Additions to every botocore client: expect the bucket's owner, and retry unreadable answers.

Each function handles one of botocore's events; `install` registers them. `asteroid_ll.aws.answers` decides which
answers are unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from asteroid_ll.aws.answers import UNREADABLE

GARBLED_PAUSE_S = 0.5
"""Pause before a request with an unreadable answer is sent again, times the attempts so far."""


def install(client: Any, *, max_attempts: int, account_id: Callable[[], str]) -> None:
    """Register the handlers with a client.

    Args:
        client: a botocore client.
        max_attempts: how often a request with an unreadable answer is sent.
        account_id: returns the account of the credentials; called only for an S3 client.
    """
    events = client.meta.events
    service_id = client.meta.service_model.service_id.hyphenize()
    if service_id == "s3":
        owner = account_id()
        events.register("before-parameter-build.s3", lambda params, model, **_: expect_owner(params, model, owner))

    def pause_s(response: tuple[Any, Mapping[str, Any]] | None, attempts: int, **_: object) -> float | None:
        if response is None or attempts >= max_attempts or not is_unreadable(*response):
            return None
        return GARBLED_PAUSE_S * attempts

    # botocore's own handler decides about every response, so a later handler has no effect.
    events.register_first(f"needs-retry.{service_id}", pause_s)
    events.register("after-call", refuse_unreadable)


def expect_owner(params: dict[str, Any], model: Any, account_id: str) -> None:
    """Add the expected owner of the bucket: AWS then refuses a bucket of another account."""
    shape = model.input_shape
    members: Mapping[str, Any] = shape.members if shape is not None else {}
    for name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
        if name in members:
            params.setdefault(name, account_id)


def is_unreadable(http_response: Any, parsed: Mapping[str, Any]) -> bool:
    """Return whether an answer was set aside, by our decoder or by botocore's for S3: its status was replaced."""
    status: int = http_response.status_code
    return bool(parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", status) != status)


def refuse_unreadable(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
    """Raise ClientError for an answer that is still unreadable after the last attempt."""
    if is_unreadable(http_response, parsed):
        reason = parsed.get("Error", {}).get("Message") or "it is damaged"
        raise ClientError({**parsed, "Error": {"Code": UNREADABLE, "Message": reason}}, model.name)
