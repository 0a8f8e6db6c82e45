"""``iam``: print the policies of a configuration and the commands that create them. No command changes an account."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from asteroid_ll.aws import policy
from asteroid_ll.aws.iam_commands import setup as setup_of
from asteroid_ll.aws.policy import Document, Scope
from asteroid_ll.aws.session import connect, partition_of
from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import CommonOptions, on_account
from asteroid_ll.config.models import AUTO, EMULATOR_ROLE_ARN
from asteroid_ll.errors import ConfigError, CredentialsError
from asteroid_ll.pipeline.access import access_of
from asteroid_ll.pipeline.scope import scope_of
from asteroid_ll.run import paths

if TYPE_CHECKING:
    from asteroid_ll.config import Config

_ROLE_NAME = "asteroid-ll"
_NO_ROLE = re.compile(r"\brole_arn: (?:is required|still has the placeholder)")

_account = click.option(
    "--account", "account_id", metavar="ID", help="The account's 12 digits; without it and a role_arn, STS is asked."
)


def _github(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the options that name a workflow of GitHub."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option("--environment", metavar="NAME", help="Trust only jobs of this GitHub environment."),
            click.option("--branch", metavar="NAME", help="Trust only workflows on this branch.  [default: main]"),
            click.option("--repo", metavar="OWNER/NAME", required=required, help="The GitHub repository to trust."),
        ):
            function = option(function)
        return function

    return add


@click.group("iam", epilog="Example:  asteroid-ll iam setup --dry-run")
def iam() -> None:
    """Print the IAM policies of a configuration, and the commands that create them.

    They are for exactly its bucket, prefix, role and region. No command changes an account. If role_arn is not set yet,
    the role is named asteroid-ll.
    """


@iam.command("caller-policy", epilog="Example:  asteroid-ll iam caller-policy > caller.json")
@on_account
@_account
def caller_policy(options: CommonOptions, account_id: str | None) -> None:
    """Print the policy of the user or role that runs asteroid-ll."""
    _show("caller-policy", options, policy.caller_policy(_scope(options, account_id)))


@iam.command("role-policy", epilog="Example:  asteroid-ll iam role-policy > role.json")
@on_account
@_account
def role_policy(options: CommonOptions, account_id: str | None) -> None:
    """Print the policy of the execution role."""
    _show("role-policy", options, policy.role_policy(_scope(options, account_id)))


@iam.command("trust-policy", epilog="Example:  asteroid-ll iam trust-policy > trust.json")
@on_account
@_account
def trust_policy(options: CommonOptions, account_id: str | None) -> None:
    """Print the trust policy of the execution role.

    Only SageMaker can assume it, and only for resources of this account.
    """
    _show("trust-policy", options, policy.trust_policy(_scope(options, account_id)))


@iam.command("oidc-trust", epilog="Example:  asteroid-ll iam oidc-trust --repo me/asteroids --branch main")
@on_account
@_account
@_github(required=True)
def oidc_trust(
    options: CommonOptions, account_id: str | None, repo: str, branch: str | None, environment: str | None
) -> None:
    """Print the trust policy of a role for GitHub Actions.

    Workflows then need no access key. Only those of one repository and branch, or environment, can assume the role.
    A * in --branch stands for any characters.
    """
    document = policy.oidc_trust(_scope(options, account_id), repo=repo, branch=branch, environment=environment)
    _show("oidc-trust", options, document)
    _note_about_ids(options, repo)


@iam.command("setup", epilog="Example:  asteroid-ll iam setup --dry-run --account 123456789012")
@on_account
@_account
@_github(required=False)
@click.option("--dry-run", is_flag=True, help="Print the commands. Required, because nothing else is done.")
def setup(
    options: CommonOptions,
    account_id: str | None,
    repo: str | None,
    branch: str | None,
    environment: str | None,
    dry_run: bool,
) -> None:
    """Print the aws commands that create all of it.

    They create the execution role and the caller's policy, and with --repo also GitHub's identity provider and a role
    that its workflows assume. There is one command per line, ready to paste into sh.
    """
    if not dry_run:
        raise ConfigError(
            "iam setup only prints commands and never changes an account.", hint="asteroid-ll iam setup --dry-run"
        )
    if repo is None and (branch or environment):
        raise ConfigError("--branch and --environment go with --repo.", hint="Add --repo OWNER/NAME.")
    scope = _scope(options, account_id)
    made = setup_of(scope, repo=repo, branch=branch, environment=environment)
    console = Console(as_json=options.as_json)
    if options.as_json:
        console.envelope(
            "iam setup",
            commands=made.commands,
            role_arn=scope.role_arn,
            policy_arn=made.policy_arn,
            caller_role_arn=made.caller_role_arn,
        )
        return
    for command in made.commands:
        console.line(command)
    console.note(f"Nothing was changed. An administrator of account {scope.account_id} can run these commands.")
    console.note("If a resource exists, its create command fails with EntityAlreadyExists and leaves it as it is.")
    console.note("The other commands can be repeated.")
    if made.caller_role_arn is None:
        console.note(
            "Then attach the policy to the user who runs asteroid-ll, for example:   "
            f"aws iam attach-user-policy --user-name NAME --policy-arn {made.policy_arn}"
        )
    else:
        console.note(f"Workflows assume {made.caller_role_arn}.")
        _note_about_ids(options, str(repo))
    console.note(f"The configuration needs:   role_arn: {scope.role_arn}")


def _show(name: str, options: CommonOptions, document: Document) -> None:
    """Print a document as JSON alone, which can be written to a file, or in an envelope."""
    if options.as_json:
        Console(as_json=True).envelope(f"iam {name}", document=document)
    else:
        Console().line(json.dumps(document, indent=2))


def _note_about_ids(options: CommonOptions, repo: str) -> None:
    """Explain the second form of a repository's name in GitHub's tokens, if the first was given."""
    if options.as_json or "@" in repo:
        return
    owner_and_name = r'"\(.owner.login)@\(.owner.id)/\(.name)@\(.id)"'
    Console().note(
        "Is the repository from July 2026 or later? Then its tokens have its numbers, so give --repo OWNER@ID/NAME@ID."
        f"\nThis prints it:   gh api repos/{repo} --jq '{owner_and_name}'"
    )


def _scope(options: CommonOptions, account_id: str | None) -> Scope:
    """Return what the documents are for. A request is sent only if nothing else gives the account.

    Raises:
        ConfigError: the configuration is wrong, or the account or the region contradicts the role.
        CredentialsError: STS had to be asked and there are no valid credentials.
        AwsError: STS cannot be reached.
    """
    config, role_arn = configuration_without_role(options)
    partition = partition_of(config.region)
    if account_id is not None and not re.fullmatch("[0-9]{12}", account_id):
        raise ConfigError(f"{account_id!r} is not an account's 12 digits.", hint="Write it as --account 123456789012.")
    if role_arn is None:
        account_id = account_id or _account_of(options, config)
        role_arn = f"arn:{partition}:iam::{account_id}:role/{_ROLE_NAME}"
    _, role_partition, _, _, role_account = role_arn.split(":")[:5]
    if role_partition != partition:
        raise ConfigError(
            f"role_arn is in partition {role_partition}, and region {config.region} is in {partition}.",
            hint=f"Set 'role_arn' to a role of {partition}, or 'region' to a region of {role_partition}.",
        )
    if account_id not in (None, role_account):
        raise ConfigError(
            f"role_arn is in account {role_account}, not in {account_id}: SageMaker takes only a role of its account.",
            hint="Leave out --account, or set 'role_arn' to a role of that account.",
        )
    return scope_of(config, role_arn=role_arn, account_id=role_account, partition=partition)


def configuration_without_role(options: CommonOptions) -> tuple[Config, str | None]:
    """Return the configuration and its role; None if the role is yet to be created."""
    try:
        config = options.config
    except ConfigError as error:
        problems = error.context.get("problems")
        if not (isinstance(problems, tuple) and any(map(_NO_ROLE.search, problems))):
            raise
        return replace(options, overrides=(*options.overrides, f"role_arn={EMULATOR_ROLE_ARN}")).config, None
    return config, None if config.role_arn == AUTO else config.role_arn


def _account_of(options: CommonOptions, config: Config) -> str:
    """Return the account of the target: the emulator's, or that of the credentials."""
    if config.target == "emulator":
        account_id = EMULATOR_ROLE_ARN.split(":")[4]
        Console().note(f"Account {account_id} is the emulator's. For your own:   --account ID --set region=REGION")
        return account_id
    emulator_dir = options.workdir / paths.EMULATOR
    with closing(connect("aws", region=config.region, emulator_dir=emulator_dir, access=access_of(config))) as aws:
        try:
            return aws.account_id
        except CredentialsError as error:
            raise CredentialsError(error.what, hint=f"{error.hint} Or name the account: --account ID.") from error
