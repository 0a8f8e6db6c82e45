"""STS: AssumeRoleWithWebIdentity, the way in of GitHub's workflows. The request is not signed; its token is a JWT.

The claims of the token count, its signature does not: the emulator fetches no issuer's keys.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator.iam.language import may_assume
from asteroid_ll.emulator.iam.store import PROVIDER, Entity, Identities
from asteroid_ll.emulator.sts.sessions import Answer, StsCall, open_session
from asteroid_ll.emulator.transport.messages import ApiError

OPERATION = "AssumeRoleWithWebIdentity"


def assume_role(call: StsCall) -> Answer:
    """AssumeRoleWithWebIdentity, if the role's trust policy allows the token's provider and claims."""
    claims = _claims(call.params["WebIdentityToken"])
    role_arn = call.params["RoleArn"]
    provider = _provider(call.identities, claims, partition=f"{role_arn}:".split(":")[1])
    if claims.get("aud") not in provider.body["clients"]:
        raise ApiError("InvalidIdentityToken", "Incorrect token audience")
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= call.identities.state.now():
        raise ApiError("ExpiredTokenException", "Token expired")
    role = call.identities.role(role_arn)
    context = {f"{provider.name}:{name}".lower(): (str(claims.get(name, "")),) for name in ("aud", "sub")}
    if role is None or not may_assume(
        role.trust_policy, principal=provider.arn, context=context, action=f"sts:{OPERATION}"
    ):
        raise ApiError("AccessDenied", f"Not authorized to perform sts:{OPERATION}", status=403)
    session = open_session(call)
    return {
        **session,
        "SubjectFromWebIdentityToken": claims.get("sub"),
        "Provider": provider.arn,
        "Audience": claims["aud"],
    }


def _provider(identities: Identities, claims: Mapping[str, Any], *, partition: str) -> Entity:
    issuer = str(claims.get("iss", ""))
    provider = identities.by_name(PROVIDER, partition, issuer.removeprefix("https://").rstrip("/"))
    if provider is None:
        raise ApiError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
    return provider


def _claims(token: str) -> Mapping[str, Any]:
    """Return the claims of a JSON Web Token (RFC 7519): the second of three parts.

    Raises:
        ApiError: ``InvalidIdentityToken``.
    """
    parts = token.split(".")
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))) if len(parts) == 3 else None
        json.dumps(claims, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise ApiError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
    return claims
