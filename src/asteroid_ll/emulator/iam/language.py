"""The policy language: whether documents are well-formed, and whether they allow a request.

Source: IAM user guide, "IAM JSON policy element reference" and "Policy evaluation logic".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from asteroid_ll.emulator.iam import conditions
from asteroid_ll.emulator.iam.conditions import as_texts
from asteroid_ll.emulator.iam.patterns import Context, matches
from asteroid_ll.emulator.iam.principals import Document, Principal

Kind = Literal["identity", "resource", "trust"]
"""A policy of a user or role, of a resource such as a bucket, or of who may assume a role."""

IDENTITY = "identity-based policy"
RESOURCE = "resource-based policy"
BOUNDARY = "permissions boundary"
SESSION = "session policy"
SERVICE_CONTROL = "service control policy"
"""The types of policies in AWS's messages."""

_VERSIONS = ("2012-10-17", "2008-10-17")
_WITH_VARIABLES = "2012-10-17"
_ELEMENTS = {
    *("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"),
}
_ACTION = re.compile(r"\*|[a-zA-Z0-9*?-]+:[a-zA-Z0-9*?]+")
_BUCKET_POLICY_ACTIONS = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
"""What a bucket's policy cannot take from the account's root user (IAM user guide, "AWS account root user")."""


@dataclass(frozen=True)
class Decision:
    """The answer to one request.

    Attributes:
        allowed: whether it is allowed.
        is_explicit: whether a statement with ``Effect: Deny`` decided; false for a missing allow.
        policy_type: the type of the policy that decided, in the words of AWS's messages; empty if the request is
            allowed to the root user.
    """

    allowed: bool
    is_explicit: bool
    policy_type: str


def decide(
    *,
    action: str,
    resource: str,
    context: Context,
    principal: Principal,
    resource_policy: Document | None = None,
    service_control_policies: Sequence[Document] = (),
) -> Decision:
    """Decide about one action on one resource of the principal's own account.

    Args:
        action: such as ``s3:GetObject``.
        resource: the ARN, or ``*`` if the action knows no resource.
        context: values of condition keys, by the key in lower case; `context_of` has those of the principal.
        principal: the sender.
        resource_policy: the policy of the resource, if it has one.
        service_control_policies: those of the account. ``FullAWSAccess`` counts too if none of them allows anything,
            as the policies of a deny list are attached in addition to it.
    """
    request = _Request(action, resource, context, principal)
    identity, boundary = principal.identity_policies, principal.permissions_boundary
    bounds: tuple[tuple[str, Sequence[Document]], ...] = (
        (BOUNDARY, () if boundary is None else (boundary,)),
        (SESSION, principal.session_policies),
    )
    if principal.is_root:
        identity, bounds = (), ()
    everything = (
        (SERVICE_CONTROL, service_control_policies),
        (RESOURCE, () if resource_policy is None else (resource_policy,)),
        (IDENTITY, identity),
        *bounds,
    )
    for policy_type, documents in everything:
        if request.is_denied_by(documents, has_principals=policy_type == RESOURCE):
            return Decision(False, is_explicit=True, policy_type=policy_type)
    if not request.is_allowed_by_organization(service_control_policies):
        return Decision(False, is_explicit=False, policy_type=SERVICE_CONTROL)
    if principal.is_root:
        return Decision(True, is_explicit=False, policy_type="")
    granted = request.grant_of(resource_policy)
    if granted == "session":
        return Decision(True, is_explicit=False, policy_type=RESOURCE)
    if not granted and not request.is_allowed_by(identity):
        return Decision(False, is_explicit=False, policy_type=IDENTITY)
    for policy_type, documents in bounds:
        if documents and not request.is_allowed_by(documents):
            return Decision(False, is_explicit=False, policy_type=policy_type)
    return Decision(True, is_explicit=False, policy_type=RESOURCE if granted else IDENTITY)


def may_assume(
    trust_policy: Document, *, principal: Principal | str, context: Context, action: str = "sts:AssumeRole"
) -> bool:
    """Return whether a role's trust policy lets a principal in.

    Args:
        trust_policy: the document.
        principal: a user or a role; or a service such as ``sagemaker.amazonaws.com``, or the ARN of an identity
            provider.
        context: values of condition keys.
        action: ``sts:AssumeRole``, or ``sts:AssumeRoleWithWebIdentity`` for a provider.
    """
    request = _Request(action, "", context, principal)
    if request.is_denied_by([trust_policy], has_principals=True):
        return False
    return request.grant_of(trust_policy) != "" or request.is_delegated_by(trust_policy)


def context_of(principal: Principal) -> dict[str, tuple[str, ...]]:
    """Return the condition keys that describe the sender, by the key in lower case."""
    account, name = principal.arn.split(":")[4:6]
    kind = "Account" if principal.is_root else "AssumedRole" if principal.role_arn else "User"
    values = {
        "aws:PrincipalArn": principal.role_arn or principal.arn,
        "aws:PrincipalAccount": account,
        "aws:PrincipalType": kind,
        "aws:userid": principal.user_id,
    }
    if kind == "User":
        values["aws:username"] = name.rpartition("/")[2]
    values |= {f"aws:PrincipalTag/{key}": text for key, text in principal.tags.items()}
    return {key.lower(): (value,) for key, value in values.items()}


def problem_of(document: object, *, kind: Kind) -> str:
    """Return a sentence about the first problem of a document, empty if it is well-formed."""
    if not isinstance(document, Mapping):
        return "It is not a JSON object."
    unknown = sorted(set(document) - {"Version", "Id", "Statement"})
    if unknown:
        return f"{unknown[0]!r} is not an element of a policy."
    if document.get("Version", _VERSIONS[1]) not in _VERSIONS:
        return f"Version is {document['Version']!r}, not '{_WITH_VARIABLES}'."
    found = document.get("Statement")
    items = found if isinstance(found, list) else [found]
    if not items or found is None:
        return "It has no Statement."
    for number, statement in enumerate(items, 1):
        problem = _problem_of_statement(statement, kind)
        if problem:
            return f"Statement {number}: {problem}"
    return ""


def _problem_of_statement(statement: object, kind: Kind) -> str:
    if not isinstance(statement, Mapping):
        return "It is not an object."
    unknown = sorted(set(statement) - _ELEMENTS)
    if unknown:
        return f"{unknown[0]!r} is not an element of a statement."
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "Effect must be 'Allow' or 'Deny'."
    pairs = [("Action", True), ("Resource", kind != "trust"), ("Principal", kind != "identity")]
    for element, is_expected in pairs:
        given = [name for name in (element, f"Not{element}") if name in statement]
        if len(given) != int(is_expected):
            return f"It needs {element} or Not{element}." if is_expected and not given else _surplus(given, element)
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement and not _is_texts(statement[name]):
            return f"{name} is neither a text nor a list of texts."
    for action in as_texts(statement.get("Action", statement.get("NotAction", []))):
        if not _ACTION.fullmatch(action):
            return f"{action!r} is not an action, such as 's3:GetObject'."
    for resource in as_texts(statement.get("Resource", statement.get("NotResource", []))):
        if resource != "*" and not resource.startswith("arn:"):
            return f"The resource {resource!r} is neither '*' nor an ARN."
    for element in ("Principal", "NotPrincipal"):
        if element in statement and not _is_principal(statement[element]):
            return f"{element} is neither '*' nor an object such as {{'AWS': ARN}}."
    return conditions.problem_of(statement.get("Condition", {}))


def _surplus(given: Sequence[str], element: str) -> str:
    if len(given) > 1:
        return f"It has both {element} and Not{element}."
    return f"A policy of this kind has no {given[0]}."


def _is_texts(value: object) -> bool:
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, str) for item in items)


def _is_principal(value: object) -> bool:
    if isinstance(value, Mapping):
        return set(value) <= {"AWS", "Service", "Federated", "CanonicalUser"} and all(map(_is_texts, value.values()))
    return value == "*"


@dataclass(frozen=True)
class _Request:
    """A request, matched with statements.

    Attributes:
        action: the action.
        resource: the ARN; empty for a trust policy, whose statements have none.
        context: the values of condition keys.
        principal: the sender; a service is its name, an identity provider its ARN.
    """

    action: str
    resource: str
    context: Context
    principal: Principal | str

    def is_denied_by(self, documents: Sequence[Document], *, has_principals: bool) -> bool:
        """Return whether a statement denies the request."""
        if has_principals and self.action in _BUCKET_POLICY_ACTIONS and _is_root(self.principal):
            return False
        return any(
            not has_principals or self._names(statement) != ""
            for document in documents
            for statement in self._matching(document, "Deny")
        )

    def is_allowed_by(self, documents: Sequence[Document]) -> bool:
        """Return whether a statement allows the request."""
        return any(True for document in documents for _ in self._matching(document, "Allow"))

    def is_allowed_by_organization(self, documents: Sequence[Document]) -> bool:
        """Return whether service control policies allow the request."""
        statements = [statement for document in documents for statement in statements_of(document)]
        has_allow = any(statement["Effect"] == "Allow" for statement in statements)
        return not has_allow or self.is_allowed_by(documents)

    def grant_of(self, document: Document | None) -> str:
        """Return how a resource's policy allows the request by itself.

        Returns:
            ``session`` if it names the sender, whom neither a permissions boundary nor a session policy then limits;
            ``role`` if it names the role of the sender's session; empty if it names neither.
        """
        names = {self._names(statement) for statement in self._matching(document or {}, "Allow")}
        return next((name for name in ("session", "role") if name in names), "")

    def is_delegated_by(self, document: Document) -> bool:
        """Return whether a resource's policy leaves the request to the policies of the sender's account."""
        return any(self._names(statement) == "account" for statement in self._matching(document, "Allow"))

    def _matching(self, document: Document, effect: str) -> Iterator[Mapping[str, Any]]:
        """Yield the statements of an effect that are about the action, the resource and the context."""
        has_variables = document.get("Version") == _WITH_VARIABLES
        variables = self.context if has_variables else None
        for statement in statements_of(document):
            if (
                statement["Effect"] == effect
                and self._has_action(statement)
                and self._has_resource(statement, variables)
                and conditions.holds(statement.get("Condition", {}), self.context, has_variables=has_variables)
            ):
                yield statement

    def _has_action(self, statement: Mapping[str, Any]) -> bool:
        action = self.action.lower()
        patterns = as_texts(statement.get("Action", statement.get("NotAction", ())))
        return any(matches(pattern.lower(), action) for pattern in patterns) == ("Action" in statement)

    def _has_resource(self, statement: Mapping[str, Any], variables: Context | None) -> bool:
        # A trust policy has neither element: no pattern matches, and none has to.
        patterns = as_texts(statement.get("Resource", statement.get("NotResource", ())))
        found = any(
            pattern == "*" or matches(pattern, self.resource, context=variables, is_arn=True) for pattern in patterns
        )
        return found == ("Resource" in statement)

    def _names(self, statement: Mapping[str, Any]) -> str:
        """Return how a statement's ``Principal`` names the sender: ``session``, ``role``, ``account``, or not at all.

        A ``NotPrincipal`` that does not name the sender means the sender.
        """
        if "NotPrincipal" in statement:
            return "" if _named(statement["NotPrincipal"], self.principal) else "session"
        return _named(statement.get("Principal", {}), self.principal)


def _named(element: object, principal: Principal | str) -> str:
    """Return how a ``Principal`` element names the sender, see `_Request._names`."""
    if isinstance(principal, str):
        named = element if isinstance(element, Mapping) else {}
        names = (*as_texts(named.get("Service", [])), *as_texts(named.get("Federated", [])))
        return "session" if element == "*" or principal in names else ""
    if not isinstance(element, Mapping):
        return "session" if element == "*" else ""
    arns = as_texts(element.get("AWS", []))
    account = principal.arn.split(":")[4]
    if "*" in arns or principal.arn in arns:
        return "session"
    if principal.role_arn in arns:
        return "role"
    is_account = account in arns or any(arn.endswith(f":iam::{account}:root") for arn in arns)
    return "account" if is_account else ""


def _is_root(principal: Principal | str) -> bool:
    return isinstance(principal, Principal) and principal.is_root


def statements_of(document: Document) -> list[Mapping[str, Any]]:
    """Return the statements of a document that `problem_of` accepts."""
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]
