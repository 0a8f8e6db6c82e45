"""STS: whose credentials these are, and temporary credentials of roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asteroid_ll.emulator.iam.evaluation import Principal, context_of, may_assume
from asteroid_ll.emulator.iam.language import Document
from asteroid_ll.emulator.iam.needs import request_context
from asteroid_ll.emulator.iam.operations import parsed
from asteroid_ll.emulator.iam.store import Identities, in_session, new_secret
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.service import Service
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


def get_caller_identity(call: StsCall) -> Answer:
    """GetCallerIdentity."""
    return {"Arn": call.sender.arn, "UserId": call.sender.user_id, "Account": call.identities.state.account_id}


def assume_role(call: StsCall) -> Answer:
    """AssumeRole, if the role's trust policy allows the sender."""
    identities, sender, params = call.identities, call.sender, call.params
    role, trust = identities.by_arn(params["RoleArn"]), identities.trust_policy(params["RoleArn"])
    context = {**context_of(sender), **request_context("sts", params)}
    if role is None or trust is None or not may_assume(trust, principal=sender, context=context):
        message = f"User: {sender.arn} is not authorized to perform: sts:AssumeRole on resource: {params['RoleArn']}"
        raise ApiError("AccessDenied", message, status=403)
    duration_s = params.get("DurationSeconds", _SESSION_S)
    if duration_s > role.body["max_session_s"]:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise ApiError("ValidationError", message)
    session = params["RoleSessionName"]
    limits = {"policies": _session_policies(call), "expires_s": identities.state.now() + duration_s}
    with identities.transaction():
        key = identities.new_key("ASIA", role.arn, token=new_secret(), session=session, **limits)
    user = in_session(Principal(arn=role.arn, user_id=role.id), session)
    return {
        "Credentials": {
            "AccessKeyId": key.id,
            "SecretAccessKey": key.secret,
            "SessionToken": key.token,
            "Expiration": key.expires_s,
        },
        "AssumedRoleUser": {"AssumedRoleId": user.user_id, "Arn": user.arn},
    }


def _session_policies(call: StsCall) -> tuple[Document, ...]:
    """Return the documents that limit the session.

    Raises:
        ApiError: ``MalformedPolicyDocument``.
    """
    documents = [parsed(call.params["Policy"])] if "Policy" in call.params else []
    for item in call.params.get("PolicyArns", []):
        document = call.identities.document(item["arn"])
        if document is None:
            raise ApiError("MalformedPolicyDocument", f"Policy {item['arn']} does not exist or is not attachable.")
        documents.append(document)
    return tuple(documents)


SERVICE = Service[StsCall](
    "sts",
    QUERY,
    invalid_code="ValidationError",
    operations={"GetCallerIdentity": get_caller_identity, "AssumeRole": assume_role},
    missing={"AssumeRole": "`Tags` and `TransitiveTagKeys` have no effect"},
)
