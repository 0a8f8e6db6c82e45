"""What AWS would bill: one interval for every instance that runs, from its start to its end.

The ledger is the oracle of the reliability tests: after a teardown that succeeded no interval is open. Objects
in S3 and log lines are free here. Money appears only where a price is passed in.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from asteroid_ll.emulator.state import State

TRAINING = "training"
ENDPOINT = "endpoint"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intervals (
    id INTEGER PRIMARY KEY, arn TEXT NOT NULL, kind TEXT NOT NULL, instance_type TEXT NOT NULL,
    instance_count INTEGER NOT NULL, started_s REAL NOT NULL, ended_s REAL, tags TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS intervals_arn ON intervals (arn);
"""


@dataclass(frozen=True)
class Interval:
    """Instances that run, or ran, for a resource.

    Attributes:
        arn: the training job or endpoint that they run for.
        kind: ``training`` or ``endpoint``.
        instance_type: such as ``ml.m5.large``.
        instance_count: how many of them.
        started_s: seconds since 1970.
        ended_s: seconds since 1970; None while they run.
        tags: the resource's tags.
    """

    arn: str
    kind: str
    instance_type: str
    instance_count: int
    started_s: float
    ended_s: float | None
    tags: Mapping[str, str]

    def instance_seconds(self, now_s: float) -> float:
        """Seconds of instance time so far, all instances together."""
        ended_s = now_s if self.ended_s is None else min(self.ended_s, now_s)
        return max(0.0, ended_s - self.started_s) * self.instance_count

    def cost_usd(self, now_s: float, *, price_usd_per_h: float) -> float:
        """What the interval cost so far at the price of one instance."""
        return self.instance_seconds(now_s) / 3600 * price_usd_per_h


def open_interval(
    state: State,
    db: sqlite3.Connection,
    *,
    arn: str,
    kind: str,
    instance_type: str,
    instance_count: int,
    tags: Mapping[str, str],
) -> None:
    """Start to bill, from now on, inside the caller's transaction."""
    db.execute(
        "INSERT INTO intervals (arn, kind, instance_type, instance_count, started_s, ended_s, tags)"
        " VALUES (?, ?, ?, ?, ?, NULL, ?)",
        (arn, kind, instance_type, instance_count, state.now(), json.dumps(dict(tags))),
    )


def start_interval(db: sqlite3.Connection, arn: str, *, started_s: float) -> None:
    """Move the start of an open interval: the instances were asked for before, and are there now."""
    db.execute("UPDATE intervals SET started_s = ? WHERE arn = ? AND ended_s IS NULL", (started_s, arn))


def close_intervals(db: sqlite3.Connection, arn: str, *, ended_s: float) -> None:
    """Stop to bill for a resource; the end can lie in the future, when a deletion takes its time."""
    db.execute("UPDATE intervals SET ended_s = MAX(started_s, ?) WHERE arn = ? AND ended_s IS NULL", (ended_s, arn))


def retag_intervals(db: sqlite3.Connection, arn: str, *, tags: Mapping[str, str]) -> None:
    """Follow a change of a resource's tags while it is billed."""
    db.execute("UPDATE intervals SET tags = ? WHERE arn = ? AND ended_s IS NULL", (json.dumps(dict(tags)), arn))


def ensure(state: State) -> None:
    """Create the ledger's table where it is missing; call it before the first transaction."""
    state.ensure(_SCHEMA)


def all_intervals(state: State) -> list[Interval]:
    """Every interval ever billed in this state, oldest first."""
    ensure(state)
    return [
        Interval(
            arn=row["arn"],
            kind=row["kind"],
            instance_type=row["instance_type"],
            instance_count=row["instance_count"],
            started_s=row["started_s"],
            ended_s=row["ended_s"],
            tags=json.loads(row["tags"]),
        )
        for row in state.connection.execute("SELECT * FROM intervals ORDER BY id")
    ]


def open_intervals(state: State) -> list[Interval]:
    """The intervals that are billed at this moment, by the state's clock.

    A training job whose process died is seen as such by the service at its next call, and by
    `asteroid_ll.emulator.app.Emulator.ledger`; this function only reads.
    """
    now_s = state.now()
    return [interval for interval in all_intervals(state) if interval.ended_s is None or interval.ended_s > now_s]
