"""STS: AssumeRole, and the credentials of a role's session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asteroid_ll.emulator.iam.call import parsed
from asteroid_ll.emulator.iam.language import context_of, may_assume
from asteroid_ll.emulator.iam.needs import assume_context
from asteroid_ll.emulator.iam.principals import Document, Principal
from asteroid_ll.emulator.iam.store import AccessKey, Credentials, Entity, Identities, new_secret, unique_id
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport.messages import ApiError

Answer = dict[str, Any]

_SESSION_S = 3_600


@dataclass(frozen=True)
class StsCall:
    """One validated call.

    Attributes:
        identities: the account's roles, users and policies.
        sender: who sends the request.
        params: the request's members, as the service's model names them.
    """

    identities: Identities
    sender: Principal
    params: dict[str, Any]


def assume_role(call: StsCall) -> Answer:
    """AssumeRole, if the role's trust policy allows the sender."""
    sender, role_arn = call.sender, call.params["RoleArn"]
    context = {**context_of(sender), **assume_context(call.params)}
    role = call.identities.role(role_arn)
    if role is None or not may_assume(role.trust_policy, principal=sender, context=context):
        message = f"User: {sender.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        raise ApiError("AccessDenied", message, status=403)
    return open_session(call)


def open_session(call: StsCall) -> Answer:
    """Return the credentials of a new session of the request's role, which exists.

    Raises:
        ApiError: ``ValidationError``: the session would last longer than the role allows.
    """
    identities, params = call.identities, call.params
    role = identities.by_arn(params["RoleArn"])
    assert role is not None
    duration_s = params.get("DurationSeconds", _SESSION_S)
    if duration_s > role.body["max_session_s"]:
        raise ApiError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    now_s = identities.state.now()
    key = AccessKey(
        id=unique_id("ASIA", length=16),
        owner_arn=role.arn,
        created_s=now_s,
        expires_s=now_s + duration_s,
        session=params["RoleSessionName"],
        policies=_session_policies(call),
    )
    credentials = Credentials(new_secret(), token=new_secret())
    with identities.transaction():
        identities.save_key(key, credentials)
    return {
        "Credentials": {
            "AccessKeyId": key.id,
            "SecretAccessKey": credentials.secret,
            "SessionToken": credentials.token,
            "Expiration": key.expires_s,
        },
        "AssumedRoleUser": _assumed(role, key.session),
    }


def _assumed(role: Entity, session: str) -> Answer:
    arn = f"arn:{role.partition}:sts::{ACCOUNT_ID}:assumed-role/{role.name}/{session}"
    return {"AssumedRoleId": f"{role.id}:{session}", "Arn": arn}


def _session_policies(call: StsCall) -> tuple[Document, ...]:
    """Return the documents that limit the session.

    Raises:
        ApiError: ``MalformedPolicyDocument``.
    """
    documents = [parsed(call.params["Policy"], kind="identity")] if "Policy" in call.params else []
    for item in call.params.get("PolicyArns", []):
        document = call.identities.document(item["arn"])
        if document is None:
            raise ApiError("MalformedPolicyDocument", f"Policy {item['arn']} does not exist or is not attachable.")
        documents.append(document)
    return tuple(documents)
