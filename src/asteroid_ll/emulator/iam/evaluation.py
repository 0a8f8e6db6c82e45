"""Whether policies allow an action, by AWS's rules for one account.

Source: IAM user guide, "Policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from asteroid_ll.emulator.iam.language import Context, Document, Statement, as_texts, matching, statements_of

IDENTITY = "identity-based policy"
RESOURCE = "resource-based policy"
BOUNDARY = "permissions boundary"
SESSION = "session policy"
SERVICE_CONTROL = "service control policy"
"""The types of policies in AWS's messages."""

_BUCKET_POLICY_ACTIONS = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
"""What a bucket's policy cannot take from the account's root user (IAM user guide, "AWS account root user")."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The sender of a request, with every policy that limits it.

    Attributes:
        arn: ``arn:aws:iam::ACCOUNT:root``, ``arn:aws:iam::ACCOUNT:user/NAME`` or
            ``arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION``.
        user_id: the unique id that STS returns.
        role_arn: the ARN of the role, for the session of a role.
        identity_policies: the documents of its inline and attached policies.
        permissions_boundary: the document that bounds them; None if there is none.
        session_policies: the documents that were passed to AssumeRole.
        tags: those of the session's role.
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
    boundary = principal.permissions_boundary
    own: dict[str, Sequence[Document]] = {
        IDENTITY: principal.identity_policies,
        BOUNDARY: () if boundary is None else (boundary,),
        SESSION: principal.session_policies,
    }
    if principal.is_root:
        own = dict.fromkeys(own, ())

    def covered(documents: Sequence[Document], effect: str) -> Iterator[Statement]:
        for document in documents:
            yield from matching(document, effect, action=action, resource=resource, context=context)

    def allows(documents: Sequence[Document]) -> bool:
        return any(True for _ in covered(documents, "Allow"))

    of_resource = () if resource_policy is None else (resource_policy,)
    is_spared = principal.is_root and action in _BUCKET_POLICY_ACTIONS
    for policy_type, documents in {SERVICE_CONTROL: service_control_policies, RESOURCE: of_resource, **own}.items():
        denials = covered(documents, "Deny")
        if policy_type == RESOURCE:
            denials = (one for one in denials if not is_spared and _named(one, principal))
        if any(True for _ in denials):
            return Decision(False, is_explicit=True, policy_type=policy_type)
    if _has_allow(service_control_policies) and not allows(service_control_policies):
        return Decision(False, is_explicit=False, policy_type=SERVICE_CONTROL)
    if principal.is_root:
        return Decision(True, is_explicit=False, policy_type="")
    grants = {_named(statement, principal) for statement in covered(of_resource, "Allow")}
    if "session" in grants:  # neither a permissions boundary nor a session policy limits it
        return Decision(True, is_explicit=False, policy_type=RESOURCE)
    is_granted = "role" in grants
    for policy_type, documents in own.items():
        is_needed = not is_granted if policy_type == IDENTITY else bool(documents)
        if is_needed and not allows(documents):
            return Decision(False, is_explicit=False, policy_type=policy_type)
    return Decision(True, is_explicit=False, policy_type=RESOURCE if is_granted else IDENTITY)


def may_assume(trust_policy: Document, *, principal: Principal | str, context: Context) -> bool:
    """Return whether a role's trust policy lets a principal in.

    Args:
        trust_policy: the document.
        principal: a user or a role, or a service such as ``sagemaker.amazonaws.com``.
        context: values of condition keys.
    """

    def named(effect: str) -> bool:
        statements = matching(trust_policy, effect, action="sts:AssumeRole", resource="", context=context)
        return any(_named(statement, principal) for statement in statements)

    return named("Allow") and not named("Deny")


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


def _has_allow(documents: Sequence[Document]) -> bool:
    return any(statement["Effect"] == "Allow" for document in documents for statement in statements_of(document))


def _named(statement: Statement, principal: Principal | str) -> str:
    """Return how a statement's ``Principal`` names the sender.

    Returns:
        ``session`` if it names the sender, ``role`` if it names the role of the sender's session, ``account`` if it
        leaves the request to the policies of the sender's account, empty if it names none of these.
    """
    element = statement["Principal"]
    if element == "*":
        return "session"
    if isinstance(principal, str):
        return "session" if principal in as_texts(element.get("Service", [])) else ""
    arns = as_texts(element.get("AWS", []))
    account = principal.arn.split(":")[4]
    if "*" in arns or principal.arn in arns:
        return "session"
    if principal.role_arn in arns:
        return "role"
    is_account = account in arns or any(arn.endswith(f":iam::{account}:root") for arn in arns)
    return "account" if is_account else ""
