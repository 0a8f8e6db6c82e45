"""The commands of Amazon's command line that create the roles and policies of a configuration. Nothing is sent."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from asteroid_ll.aws.policy import (
    OIDC_AUDIENCE,
    OIDC_HOST,
    Document,
    Scope,
    caller_policy,
    oidc_trust,
    role_policy,
    trust_policy,
)

_LONGEST_ROLE_NAME = 64


@dataclass(frozen=True)
class Setup:
    """What the commands create.

    Attributes:
        commands: one line each, quoted for ``sh``, in the order in which they must run.
        policy_arn: the caller's managed policy.
        caller_role_arn: the role that GitHub's workflows assume, if there is one.
    """

    commands: tuple[str, ...]
    policy_arn: str
    caller_role_arn: str | None


def setup(scope: Scope, *, repo: str | None = None, branch: str | None = None, environment: str | None = None) -> Setup:
    """Return the commands that create the execution role and the caller's policy.

    Args:
        scope: the account and the resources.
        repo: GitHub repository whose workflows run the pipeline; with it, also the identity provider and the caller's
            role are created.
        branch: see `oidc_trust`.
        environment: see `oidc_trust`.

    Raises:
        ConfigError: no image is known for the region, or a name is not one that GitHub accepts.
    """
    path, name = scope.role_path_and_name
    iam = f"arn:{scope.partition}:iam::{scope.account_id}"
    policy_name = f"{name}-caller"
    policy_arn = f"{iam}:policy/{policy_name}"
    trust = {"assume-role-policy-document": inline(trust_policy(scope))}
    lines: list[tuple[str, dict[str, str]]] = [
        ("create-role", ({"path": f"/{path}/"} if path else {}) | {"role-name": name} | trust),
        (
            "put-role-policy",
            {"role-name": name, "policy-name": "asteroid-ll", "policy-document": inline(role_policy(scope))},
        ),
        ("create-policy", {"policy-name": policy_name, "policy-document": inline(caller_policy(scope))}),
    ]
    caller_role = None
    if repo is not None:
        caller_role = f"{name[: _LONGEST_ROLE_NAME - len('-github')]}-github"
        trust = {
            "assume-role-policy-document": inline(oidc_trust(scope, repo=repo, branch=branch, environment=environment))
        }
        lines += [
            ("create-open-id-connect-provider", {"url": f"https://{OIDC_HOST}", "client-id-list": OIDC_AUDIENCE}),
            ("create-role", {"role-name": caller_role} | trust),
            ("attach-role-policy", {"role-name": caller_role, "policy-arn": policy_arn}),
        ]
    return Setup(
        commands=tuple(aws_command("iam", operation, region=scope.region, **options) for operation, options in lines),
        policy_arn=policy_arn,
        caller_role_arn=caller_role and f"{iam}:role/{caller_role}",
    )


def aws_command(service: str, operation: str, *, region: str, **options: str) -> str:
    """Return one command of Amazon's command line, quoted for ``sh``.

    Args:
        service: such as ``iam``.
        operation: such as ``create-role``.
        region: AWS region. IAM has no regions, but the region selects the partition.
        options: values by option, with ``-`` or ``_`` between the words, such as ``role_name``.
    """
    words = ["aws", service, operation, "--region", region]
    for option, value in options.items():
        words += [f"--{option.replace('_', '-')}", value]
    return shlex.join(words)


def inline(document: Document) -> str:
    """Return a policy document as the value of an option."""
    return json.dumps(document, separators=(",", ":"))
