"""Who sends a request, with every policy that limits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
"""A policy document, as read from JSON."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The sender of a request.

    Attributes:
        arn: ``arn:aws:iam::ACCOUNT:root``, ``arn:aws:iam::ACCOUNT:user/NAME`` or
            ``arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION``.
        user_id: the unique id that STS returns.
        role_arn: the ARN of the role, for the session of a role.
        identity_policies: the documents of its inline and attached policies.
        permissions_boundary: the document that bounds them; None if there is none.
        session_policies: the documents that were passed to AssumeRole.
        tags: those of the user or of the session's role.
        is_root: whether it is the account's root user, which only a service control policy can limit.
    """

    arn: str
    user_id: str
    role_arn: str | None = None
    identity_policies: tuple[Document, ...] = ()
    permissions_boundary: Document | None = None
    session_policies: tuple[Document, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    is_root: bool = False
