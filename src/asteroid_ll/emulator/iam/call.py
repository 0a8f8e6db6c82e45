"""One call of an IAM operation, and what the operations share: lookups, pages and documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from asteroid_ll.emulator.iam.language import Kind, problem_of
from asteroid_ll.emulator.iam.principals import Document, Principal
from asteroid_ll.emulator.iam.store import POLICY, PROVIDER, ROLE, USER, Entity, Identities
from asteroid_ll.emulator.transport.messages import ApiError

Answer = dict[str, Any]

_PAGE = 100
"""AWS's default for MaxItems."""


@dataclass(frozen=True)
class IamCall:
    """One validated call.

    Attributes:
        identities: the account's roles, users and policies.
        partition: the partition of the region that the request was signed for.
        sender: who sends the request.
        params: the request's members, as the service's model names them.
    """

    identities: Identities
    partition: str
    sender: Principal
    params: Mapping[str, Any]

    @property
    def now_s(self) -> float:
        """The time, in seconds since 1970."""
        return self.identities.state.now()

    def holder(self, kind: str) -> Entity:
        """Return the role or user that the request names.

        Raises:
            ApiError: ``NoSuchEntity``.
        """
        name = self.user_name() if kind == USER else self.params["RoleName"]
        entity = self.identities.by_name(kind, self.partition, name)
        if entity is None:
            raise no_entity(f"The {kind} with name {name} cannot be found.")
        return entity

    def user_name(self) -> str:
        """Return the name of the request's user, or of the user who sends it.

        Raises:
            ApiError: ``ValidationError``: neither is known.
        """
        if "UserName" in self.params:
            return str(self.params["UserName"])
        kind, _, name = self.sender.arn.split(":")[5].partition("/")
        if kind != USER:
            raise ApiError("ValidationError", "Must specify userName when calling with non-User credentials")
        return name.rpartition("/")[2]

    def policy(self) -> Entity:
        """Return the account's managed policy that the request names.

        Raises:
            ApiError: ``NoSuchEntity``.
        """
        arn = self.params["PolicyArn"]
        entity = self.identities.by_arn(arn)
        if entity is None or entity.kind != POLICY:
            raise no_entity(f"Policy {arn} was not found.")
        return entity

    def provider(self) -> Entity:
        """Return the identity provider that the request names.

        Raises:
            ApiError: ``NoSuchEntity``.
        """
        arn = self.params["OpenIDConnectProviderArn"]
        entity = self.identities.by_arn(arn)
        if entity is None or entity.kind != PROVIDER:
            raise no_entity(f"OpenIDConnect Provider not found for arn {arn}")
        return entity

    def boundary(self) -> str | None:
        """Return the request's permissions boundary.

        Raises:
            ApiError: ``NoSuchEntity``.
        """
        arn = self.params.get("PermissionsBoundary")
        if arn is not None and self.identities.document(arn) is None:
            raise no_entity(f"Scope ARN: {arn} does not exist or is not attachable.")
        return arn

    def page(self, member: str, items: Sequence[Any]) -> Answer:
        """Return one page of a listing.

        Raises:
            ApiError: ``ValidationError``: the marker is not one of ours.
        """
        marker = self.params.get("Marker", "0")
        if not (marker.isascii() and marker.isdigit()):
            raise ApiError("ValidationError", "Invalid Marker.")
        start = int(marker)
        stop = start + self.params.get("MaxItems", _PAGE)
        more = {"Marker": str(stop)} if stop < len(items) else {}
        return {member: list(items[start:stop]), "IsTruncated": bool(more), **more}

    def document(self, member: str, *, kind: Kind) -> str:
        """Return the text of a policy document of the request.

        Args:
            member: its name, such as ``PolicyDocument``.
            kind: ``identity`` or ``trust``.

        Raises:
            ApiError: ``MalformedPolicyDocument``.
        """
        text = str(self.params[member])
        parsed(text, kind=kind)
        return text


def parsed(text: str, *, kind: Kind) -> Document:
    """Return the document of a text.

    Raises:
        ApiError: ``MalformedPolicyDocument``.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ApiError("MalformedPolicyDocument", "This policy contains invalid Json") from None
    problem = problem_of(document, kind=kind)
    if problem:
        raise ApiError("MalformedPolicyDocument", f"Syntax errors in policy. {problem}")
    return cast(Document, document)


def encoded(text: str) -> str:
    """Return a document as IAM returns it: percent-encoded (RFC 3986)."""
    return quote(text, safe="")


def no_entity(message: str) -> ApiError:
    """Return a ``NoSuchEntity``."""
    return ApiError("NoSuchEntity", message, status=404)


def exists(message: str) -> ApiError:
    """Return an ``EntityAlreadyExists``."""
    return ApiError("EntityAlreadyExists", message, status=409)


def conflict(message: str) -> ApiError:
    """Return a ``DeleteConflict``."""
    return ApiError("DeleteConflict", message, status=409)


def limit_exceeded(message: str) -> ApiError:
    """Return a ``LimitExceeded``."""
    return ApiError("LimitExceeded", message, status=409)


def size_of(text: str) -> int:
    """Return the size of a document by which IAM limits it: characters without white space."""
    return len("".join(text.split()))


def summary(entity: Entity) -> Answer:
    """Return the members that describe a role or a user."""
    kind = "Role" if entity.kind == ROLE else "User"
    boundary = entity.body["boundary"]
    return {
        "Path": entity.path,
        f"{kind}Name": entity.name,
        f"{kind}Id": entity.id,
        "Arn": entity.arn,
        "CreateDate": entity.created_s,
        "PermissionsBoundary": boundary
        and {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": boundary},
        "Tags": entity.body["tags"] or None,
    }
