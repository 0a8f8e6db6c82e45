"""What a user's or a role's policies deny, by IAM's own simulator. Nothing is executed.

The simulator knows the policies of the identity, its permissions boundary and the organization's, but not the policy
of a bucket or a key (IAM API reference, SimulatePrincipalPolicy).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws.errors import aws_call
from asteroid_ll.aws.policy import Document

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

_ANY = "asteroid-ll"
"""Stands for any text in the resource of a statement."""


@dataclass(frozen=True)
class Denied:
    """An action that the policies do not allow.

    Attributes:
        action: such as ``s3:GetObject``.
        cause: why an Allow would change nothing, such as ``an explicit deny``; empty if it would.
    """

    action: str
    cause: str = ""

    def __str__(self) -> str:
        return f"{self.action} ({self.cause})" if self.cause else self.action


def denied(aws: Aws, source_arn: str, statements: Iterable[Document]) -> tuple[Denied, ...]:
    """Return the actions of statements that a user or a role may not do on the statements' resources.

    Args:
        aws: the connection.
        source_arn: the ARN of the user or the role.
        statements: statements that allow actions, as `asteroid_ll.aws.policy` writes them.

    Raises:
        AsteroidError: IAM denies the question, or cannot be reached.
    """
    results = [result for statement in statements for result in _simulate(aws, source_arn, statement)]
    return tuple(dict.fromkeys(_denied(result) for result in results if not _is_allowed(result)))


def _simulate(aws: Aws, source_arn: str, statement: Document) -> Iterator[Mapping[str, Any]]:
    """Yield the results for one statement, each for an action."""
    context = [
        {"ContextKeyName": key, "ContextKeyValues": [value.replace("*", _ANY)], "ContextKeyType": "string"}
        for conditions in statement.get("Condition", {}).values()
        for key, value in conditions.items()
    ]
    with aws_call(f"simulating the policies of {source_arn}", service="iam"):
        pages = aws.iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=source_arn,
            ActionNames=statement["Action"],
            ResourceArns=[_example(resource) for resource in statement["Resource"]],
            ContextEntries=context,
        )
        for page in pages:
            yield from page["EvaluationResults"]


def _example(resource: str) -> str:
    """Return a resource that a statement's pattern matches; the simulator reads a ``*`` inside an ARN as it is."""
    if resource == "*":
        return resource
    return re.sub(r"(?<!\$\{)\*", _ANY, resource).replace("${*}", "*")


def _is_allowed(result: Mapping[str, Any]) -> bool:
    decisions = [inner["EvalResourceDecision"] for inner in result.get("ResourceSpecificResults", ())]
    return all(decision == "allowed" for decision in (result["EvalDecision"], *decisions))


def _denied(result: Mapping[str, Any]) -> Denied:
    cause = "an explicit deny" if result["EvalDecision"] == "explicitDeny" else ""
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        cause = "by the AWS organization"
    elif not result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
        cause = "by the permissions boundary"
    return Denied(result["EvalActionName"], cause)
