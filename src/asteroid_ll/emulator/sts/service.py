"""STS: whose credentials these are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asteroid_ll.emulator.iam.principals import Principal
from asteroid_ll.emulator.iam.store import Identities
from asteroid_ll.emulator.query_protocol import QueryService
from asteroid_ll.emulator.state import ACCOUNT_ID

Answer = dict[str, Any]

ANYONE = Principal(arn=f"arn:aws:iam::{ACCOUNT_ID}:user/emulator", user_id="AIDAEMULATOR")
"""Who has an access key that IAM did not make."""


@dataclass(frozen=True)
class StsCall:
    """One validated call.

    Attributes:
        identities: the account's roles, users and policies.
        sender: who sends the request; None for a key that IAM did not make.
        params: the request's members, as the service's model names them.
    """

    identities: Identities
    sender: Principal | None
    params: dict[str, Any]


def get_caller_identity(call: StsCall) -> Answer:
    """GetCallerIdentity."""
    sender = call.sender or ANYONE
    return {"Arn": sender.arn, "UserId": sender.user_id, "Account": ACCOUNT_ID}


SERVICE = QueryService[StsCall]("sts", operations={"GetCallerIdentity": get_caller_identity})
