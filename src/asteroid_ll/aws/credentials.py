"""The credentials of a connection: those that boto3 finds, those of a profile, or those of a role that is assumed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.session import Session

from asteroid_ll.errors import CredentialsError

_LONGEST_SESSION_NAME = 64
_STS = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10, read_timeout=20)


@dataclass(frozen=True)
class Access:
    """How to reach the account.

    Attributes:
        profile: profile of the user's AWS settings; None for boto3's default.
        assume_role: ARN of the role to assume; None for the credentials themselves.
        external_id: the external id that the role's trust policy requires.
        session_name: name of the role's session, which CloudTrail shows.
    """

    profile: str | None = None
    assume_role: str | None = None
    external_id: str | None = None
    session_name: str = "asteroid-ll"


DEFAULT_ACCESS = Access()
"""The credentials that boto3 finds."""


def new_session(access: Access, *, region: str) -> Any:
    """Return a botocore session with the credentials. Nothing is sent yet.

    Raises:
        CredentialsError: there is no such profile, or there are no credentials to assume a role with.
    """
    session = Session(profile=access.profile)
    if access.profile is not None and access.profile not in session.available_profiles:
        raise CredentialsError(
            f"There is no profile {access.profile} in the AWS settings of this machine.",
            hint=_profiles(session.available_profiles),
        )
    if access.assume_role is not None:
        assume(session, access, region=region)
    return session


def assume(session: Any, access: Access, *, region: str) -> None:
    """Replace a session's credentials by those of the role, which are renewed shortly before they expire.

    STS is called in the region when the first request is signed.

    Raises:
        CredentialsError: there are no credentials to assume the role with.
    """
    source = session.get_credentials()
    if source is None:
        raise CredentialsError(
            f"There are no AWS credentials to assume {access.assume_role} with.",
            hint="Name a profile with --profile, or sign in ('aws sso login', 'aws configure').",
        )
    arguments = {"RoleSessionName": session_name(access.session_name)}
    if access.external_id is not None:
        arguments["ExternalId"] = access.external_id

    def client(service: str, **credentials: Any) -> Any:
        return session.create_client(service, region_name=region, config=_STS, **credentials)

    fetcher = AssumeRoleCredentialFetcher(client, source, access.assume_role, extra_args=arguments)
    # botocore has no public way to set refreshable credentials.
    session._credentials = DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)


def session_name(run: str) -> str:
    """Return the name of a role's session for a run: only characters that STS accepts, at most 64."""
    return re.sub(r"[^\w+=,.@-]", "-", run, flags=re.ASCII)[-_LONGEST_SESSION_NAME:]


def _profiles(names: list[str]) -> str:
    """Return the hint that lists the profiles."""
    if not names:
        return "There are none. 'aws configure' makes one. Without --profile, boto3 finds the credentials."
    return f"These exist: {', '.join(sorted(names))}."
