"""``emulator serve | reset | ledger``: the embedded AWS by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import DEFAULT_WORKDIR
from asteroid_ll.errors import ConfigError

if TYPE_CHECKING:
    from asteroid_ll.emulator.ledger import BilledInterval

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_WORKDIR / "emulator",
    show_default=True,
    help="The emulator's directory.",
)


@click.group("emulator", epilog="Example:  asteroid-ll emulator serve --port 4566")
def emulator() -> None:
    """The embedded AWS: serve it to any boto3 client, reset it, read its bill."""


@emulator.command("serve", epilog="Example:  asteroid-ll emulator serve --port 4566 --state ./aws")
@state_option
@click.option("--port", type=click.IntRange(0, 65_535), default=4566, show_default=True, help="0 takes a free one.")
def serve(state: Path, port: int) -> None:
    """Serve over HTTP on loopback until interrupted; point AWS_ENDPOINT_URL at it."""
    from asteroid_ll.emulator.account import Account
    from asteroid_ll.emulator.transport.server import serve as serve_http

    console = Console()
    backend = Account(state)
    try:
        serve_http(
            backend, port=port, ready=lambda bound: console.line(f"export AWS_ENDPOINT_URL=http://127.0.0.1:{bound}")
        )
    except OSError as error:
        raise ConfigError(
            f"Port {port} can't be served: {error.strerror}.", hint="asteroid-ll emulator serve --port 0"
        ) from None
    finally:
        backend.close()


@emulator.command("reset", epilog="Example:  asteroid-ll emulator reset --yes")
@state_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(state: Path, yes: bool) -> None:
    """Delete everything in the emulator: buckets, jobs, endpoints and the ledger."""
    _require_state(state)
    if not yes:
        click.confirm(f"Delete everything in {state}?", abort=True)
    from asteroid_ll.emulator.account import Account

    backend = Account(state)
    backend.reset()
    backend.close()
    Console().note(f"{state} is empty.")


@emulator.command("ledger", epilog="Example:  asteroid-ll emulator ledger --json")
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def ledger(state: Path, as_json: bool) -> None:
    """Show what AWS would have billed: every interval of instance time, and what is open."""
    _require_state(state)
    from asteroid_ll.aws.pricing import usd_per_h
    from asteroid_ll.emulator.account import Account

    backend = Account(state)
    try:
        now_s = backend.state.now()
        rows = [
            _interval(item, now_s=now_s, price_usd_per_h=usd_per_h(item.instance_type)) for item in backend.ledger()
        ]
    finally:
        backend.close()
    console = Console(as_json=as_json)
    if as_json:
        still_open = [row["arn"] for row in rows if row["open"]]
        console.envelope("emulator ledger", status="success", intervals=rows, billing={"open": still_open})
        return
    cells = [
        (
            str(row["resource"]),
            f"{row['instance_count']} x {row['instance_type']}",
            f"{row['instance_seconds']:,.0f}",
            "?" if row["usd"] is None else f"{row['usd']:.4f}",
            "open" if row["open"] else "",
        )
        for row in rows
    ]
    console.table([("Resource", "Instances", "Instance-seconds", "USD on AWS", ""), *cells])


def _interval(item: BilledInterval, *, now_s: float, price_usd_per_h: float | None) -> dict[str, Any]:
    return {
        "arn": item.arn,
        "resource": item.arn.split(":", 5)[-1],
        "kind": item.kind,
        "instance_type": item.instance_type,
        "instance_count": item.instance_count,
        "started_s": item.started_s,
        "ended_s": item.ended_s,
        "instance_seconds": round(item.instance_seconds(now_s), 3),
        "usd": None if price_usd_per_h is None else round(item.cost_usd(now_s, price_usd_per_h=price_usd_per_h), 6),
        "open": item.ended_s is None or item.ended_s > now_s,
    }


def _require_state(state: Path) -> None:
    if not (state / "state.sqlite3").exists():
        raise ConfigError(
            f"{state} is not an emulator's directory.", hint="asteroid-ll run-all   makes one, or name it with --state."
        )
