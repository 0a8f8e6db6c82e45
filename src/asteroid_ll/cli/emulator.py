"""``emulator serve | reset | ledger``: the emulator without the pipeline."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import click

from asteroid_ll.aws.pricing import usd_per_h
from asteroid_ll.cli.console import Console
from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.account import reset as reset_account
from asteroid_ll.emulator.companion import exports, find_other, host_and_port, join
from asteroid_ll.emulator.iam.setup import Policies
from asteroid_ll.emulator.iam.store import Credentials
from asteroid_ll.emulator.ledger import BilledInterval
from asteroid_ll.emulator.sessions import CREDENTIAL
from asteroid_ll.emulator.state import DATABASE, OtherS3
from asteroid_ll.emulator.transport.server import LOOPBACK
from asteroid_ll.emulator.transport.server import serve as serve_http
from asteroid_ll.errors import ConfigError
from asteroid_ll.http_server import is_loopback
from asteroid_ll.pipeline.commands import DEFAULT_WORKDIR

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_WORKDIR / "emulator",
    show_default=True,
    help="The emulator's directory.",
)


def _policy_option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(name, metavar="FILE", multiple=True, help=text)


@click.group("emulator", epilog="Example:  asteroid-ll emulator serve --port 4566")
def emulator() -> None:
    """Serve the AWS emulator to any AWS client, empty it, or show its bill."""


@emulator.command("serve", epilog="Example:  asteroid-ll emulator serve --port 4566 --state ./aws")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"The emulator's directory.  [default: {DEFAULT_WORKDIR / 'emulator'}, or {DEFAULT_WORKDIR / 'companion'} "
    "with --s3-endpoint]",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=4566, show_default=True, help="0 picks a free port.")
@click.option("--host", default=LOOPBACK, show_default=True, help="The address to listen on.")
@click.option("--token", default="", help="First part of every URL's path. Random if needed and not given.")
@click.option("--strict-signatures", is_flag=True, help="Refuse requests that their caller did not sign.")
@click.option("--iam", is_flag=True, help="Evaluate IAM policies from now on.")
@_policy_option("--caller-policy", "A policy of the user who sends requests. Implies --iam.")
@_policy_option("--role-policy", "A policy of the execution role asteroid-ll. Implies --iam.")
@_policy_option("--service-control-policy", "A policy that limits the account. Implies --iam.")
@click.option("--s3-endpoint", metavar="URL", help="Another emulator, which has the buckets and all other services.")
@click.option("--account", metavar="ID", help="The other emulator's account.  [default: that of its STS]")
def serve(
    state: Path | None,
    port: int,
    host: str,
    token: str,
    strict_signatures: bool,
    iam: bool,
    caller_policy: tuple[str, ...],
    role_policy: tuple[str, ...],
    service_control_policy: tuple[str, ...],
    s3_endpoint: str | None,
    account: str | None,
) -> None:
    """Serve over HTTP until interrupted.

    It prints the value of AWS_ENDPOINT_URL, which AWS clients need. An address other than loopback needs a token.
    Options for policies can be repeated. FILE is a JSON file, or the ARN of a policy of AWS.

    With --s3-endpoint it is the companion of another emulator: jobs read and write the buckets there, and it prints the
    variables for both.

    With --strict-signatures callers need an access key of IAM or STS, or that of AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY. If these are not set, it prints a key.
    """
    state = state or DEFAULT_WORKDIR / ("emulator" if s3_endpoint is None else "companion")
    policies = Policies.read(
        caller=caller_policy or None, role=role_policy or None, service_control=service_control_policy or None
    )
    has_policies = iam or strict_signatures or any((caller_policy, role_policy, service_control_policy))
    other = None if s3_endpoint is None else _other_s3(state, s3_endpoint, account, port, has_policies=has_policies)
    console = Console()
    keys = _keys_of_caller() if strict_signatures else None
    is_local = is_loopback(host)
    token = token or ("" if is_local else secrets.token_urlsafe(24))

    def announce(bound: int) -> None:
        path = f"/{token}" if token else ""
        url = f"http://{f'[{host}]' if ':' in host else host}:{bound}{path}"
        for variable in [f"AWS_ENDPOINT_URL={url}"] if other is None else exports(url, *other):
            console.line(f"export {variable}")
        if keys is not None and CREDENTIAL in keys:
            console.line(f"export AWS_ACCESS_KEY_ID={CREDENTIAL}")
            console.line(f"export AWS_SECRET_ACCESS_KEY={CREDENTIAL}")
        if not is_local:
            console.note(
                "Anyone with this URL can use the account, fill the disk and start training jobs as you. The traffic "
                "is not encrypted. On other machines, put this machine's address into the URL."
            )

    with closing(Account(state, prepare=partial(policies.apply, always=iam), keys=keys)) as emulated:
        serve_http(emulated, port=port, host=host, token=token, spool=emulated.state.objects, ready=announce)


def _other_s3(state: Path, url: str, account: str | None, port: int, *, has_policies: bool) -> tuple[OtherS3, bool]:
    """Make the state that of a companion; return the other emulator's S3, and whether it has STS."""
    if has_policies:
        raise ConfigError(
            "With --s3-endpoint the other emulator has the identities, so no policies and signatures count here.",
            hint="Leave out --iam, --strict-signatures and the options for policies.",
        )
    (other_host, other_port), quoted_url = host_and_port(url), shlex.quote(url)
    if other_port == port and is_loopback(other_host):
        raise ConfigError(
            f"Port {port} is that of the other emulator.",
            hint=f"asteroid-ll emulator serve --s3-endpoint {quoted_url} --port 4599",
        )
    other, has_sts = find_other(url, account)
    join(state, other)
    return other, has_sts


def _keys_of_caller() -> Mapping[str, Credentials]:
    """Return the access key in the environment with its secret, else the default one."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    access_key, secret, token = (os.environ.get(name, "") for name in names)
    return {access_key: Credentials(secret, token)} if access_key and secret else {CREDENTIAL: Credentials(CREDENTIAL)}


@emulator.command("reset", epilog="Example:  asteroid-ll emulator reset --yes")
@state_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def reset(state: Path, yes: bool) -> None:
    """Delete all buckets, jobs and endpoints, and the ledger. Files that are not the emulator's stay."""
    _require_state(state)
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise ConfigError(
                f"reset deletes everything in {state}, and there is no terminal to ask.",
                hint=shlex.join(["asteroid-ll", "emulator", "reset", "--yes", "--state", str(state)]),
            )
        click.confirm(f"Delete everything in {state}?", abort=True)
    reset_account(state)
    Console().note(f"{state} is empty.")


@emulator.command("ledger", epilog="Example:  asteroid-ll emulator ledger --json")
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def ledger(state: Path, as_json: bool) -> None:
    """Show the instance time that AWS would have billed, and its price.

    Instances that still run are marked as open.
    """
    _require_state(state)
    with closing(Account(state)) as account:
        rows = [_row(interval, now_s=account.state.now()) for interval in account.ledger()]
    console = Console(as_json=as_json)
    if as_json:
        still_open = [row["arn"] for row in rows if row["open"]]
        console.envelope("emulator ledger", intervals=rows, billing={"open": still_open})
        return
    cells = [
        (
            "?" if row["usd"] is None else f"{row['usd']:.4f}",
            f"{row['instance_seconds']:,.0f}{', open' if row['open'] else ''}",
            f"{row['instance_count']} x {row['instance_type']}".removeprefix("1 x "),
            str(row["resource"]),
        )
        for row in rows
    ]
    console.table([("USD", "s", "Instances", "Resource"), *cells], left=(2, 3))


def _row(interval: BilledInterval, *, now_s: float) -> dict[str, Any]:
    usd_per_hour = usd_per_h(interval.instance_type)
    return {
        "arn": interval.arn,
        "resource": interval.arn.split(":", 5)[-1],
        "kind": interval.kind,
        "instance_type": interval.instance_type,
        "instance_count": interval.instance_count,
        "started_s": interval.started_s,
        "ended_s": interval.ended_s,
        "instance_seconds": round(interval.instance_seconds(now_s), 3),
        "usd": None if usd_per_hour is None else round(interval.cost_usd(now_s, price_usd_per_h=usd_per_hour), 6),
        "open": interval.is_open(now_s),
    }


def _require_state(state: Path) -> None:
    if not (state / DATABASE).exists():
        raise ConfigError(
            f"{state} is not an emulator's directory.",
            hint="asteroid-ll run-all   creates one. Or name another with --state.",
        )
