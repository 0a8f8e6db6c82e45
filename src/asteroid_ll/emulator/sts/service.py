"""STS: whose credentials these are, and temporary credentials of roles."""

from __future__ import annotations

from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.service import Service
from asteroid_ll.emulator.sts import web_identity
from asteroid_ll.emulator.sts.sessions import Answer, StsCall, assume_role


def get_caller_identity(call: StsCall) -> Answer:
    """GetCallerIdentity."""
    return {"Arn": call.sender.arn, "UserId": call.sender.user_id, "Account": call.identities.state.account_id}


SERVICE = Service[StsCall](
    "sts",
    QUERY,
    invalid_code="ValidationError",
    operations={
        "GetCallerIdentity": get_caller_identity,
        "AssumeRole": assume_role,
        "AssumeRoleWithWebIdentity": web_identity.assume_role,
    },
    missing={
        "AssumeRole": "`Tags` and `TransitiveTagKeys` have no effect",
        "AssumeRoleWithWebIdentity": "the signature of the token is not checked",
    },
)
