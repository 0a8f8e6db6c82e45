"""The ledger: the instances that AWS would bill, from their start to their end.

The reliability tests check it: after a successful teardown no interval is open. Objects in S3, log lines and the
requests to a serverless endpoint are free here. Costs in US dollars need a price from the caller.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from asteroid_ll.emulator.state import State

TRAINING = "training"
TRANSFORM = "transform"
PROCESSING = "processing"
ENDPOINT = "endpoint"
SPOT_TRAINING = "spot-training"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intervals (
    id INTEGER PRIMARY KEY, arn TEXT NOT NULL, kind TEXT NOT NULL, instance_type TEXT NOT NULL,
    instance_count INTEGER NOT NULL, started_s REAL NOT NULL, ended_s REAL, tags TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS intervals_arn ON intervals (arn);
"""


@dataclass(frozen=True)
class BilledInterval:
    """Instances that run, or ran, for a job or an endpoint.

    Attributes:
        arn: the job or endpoint.
        kind: ``training``, ``spot-training``, ``transform``, ``processing`` or ``endpoint``.
        instance_type: such as ``ml.m5.large``.
        instance_count: number of instances.
        started_s: seconds since 1970.
        ended_s: seconds since 1970; None while they run.
        tags: the tags of the job or endpoint.
    """

    arn: str
    kind: str
    instance_type: str
    instance_count: int
    started_s: float
    ended_s: float | None
    tags: Mapping[str, str]

    def instance_seconds(self, now_s: float) -> float:
        """Return the seconds of instance time until ``now_s`` (seconds since 1970), summed over the instances."""
        ended_s = now_s if self.ended_s is None else min(self.ended_s, now_s)
        return max(0.0, ended_s - self.started_s) * self.instance_count

    def is_open(self, now_s: float) -> bool:
        """Return whether the instances are still billed at ``now_s``."""
        return self.ended_s is None or self.ended_s > now_s

    def cost_usd(self, now_s: float, *, price_usd_per_h: float) -> float:
        """Return the cost until ``now_s`` at the price of one instance."""
        return self.instance_seconds(now_s) / 3600 * price_usd_per_h


def ensure(state: State) -> None:
    """Create the ledger's table if it is missing; call it before the first transaction."""
    state.ensure(_SCHEMA)


def open_interval(db: sqlite3.Connection, interval: BilledInterval) -> None:
    """Start an interval; ``db`` is the connection of an open transaction."""
    db.execute(
        "INSERT INTO intervals (arn, kind, instance_type, instance_count, started_s, ended_s, tags)"
        " VALUES (:arn, :kind, :instance_type, :instance_count, :started_s, :ended_s, :tags)",
        {**vars(interval), "tags": json.dumps(dict(interval.tags))},
    )


def start_interval(db: sqlite3.Connection, arn: str, *, started_s: float) -> None:
    """Move the start of a resource's open interval to when its instances are up."""
    db.execute("UPDATE intervals SET started_s = ? WHERE arn = ? AND ended_s IS NULL", (started_s, arn))


def close_intervals(db: sqlite3.Connection, arn: str, *, ended_s: float) -> None:
    """End a resource's open intervals; the end may be in the future if the deletion takes time."""
    db.execute("UPDATE intervals SET ended_s = MAX(started_s, ?) WHERE arn = ? AND ended_s IS NULL", (ended_s, arn))


def retag_intervals(db: sqlite3.Connection, arn: str, *, tags: Mapping[str, str]) -> None:
    """Replace the tags of a resource's open intervals."""
    db.execute("UPDATE intervals SET tags = ? WHERE arn = ? AND ended_s IS NULL", (json.dumps(dict(tags)), arn))


def all_intervals(state: State) -> list[BilledInterval]:
    """Return every interval, oldest first."""
    ensure(state)
    rows = state.connection.execute(
        "SELECT arn, kind, instance_type, instance_count, started_s, ended_s, tags FROM intervals ORDER BY id"
    )
    return [BilledInterval(**{**row, "tags": json.loads(row["tags"])}) for row in map(dict, rows)]


def open_intervals(state: State) -> list[BilledInterval]:
    """Return the intervals that are billed at this moment, by the state's clock.

    This only reads. `asteroid_ll.emulator.account.Account.settle` closes the intervals of jobs that died.
    """
    return [interval for interval in all_intervals(state) if interval.is_open(state.now())]
