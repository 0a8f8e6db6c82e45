"""The table of jobs, models, endpoint configurations and endpoints, with their tags.

Names are unique per kind and region. Imports stay light because the worker process of a job uses this module.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asteroid_ll.emulator.state import ACCOUNT_ID, State

TRAINING_JOB = "training-job"
TRANSFORM_JOB = "transform-job"
PROCESSING_JOB = "processing-job"
TUNING_JOB = "hyper-parameter-tuning-job"
MODEL = "model"
ENDPOINT_CONFIG = "endpoint-config"
ENDPOINT = "endpoint"

_ORDERS = {"CreationTime": ("created_s", "name"), "Status": ("status", "name"), "Name": ("name",)}
"""The columns of each order of a listing."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    kind TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, arn TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
    created_s REAL NOT NULL, modified_s REAL NOT NULL, hidden_polls INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, region, name));
CREATE INDEX IF NOT EXISTS resources_by_time ON resources (kind, region, created_s, name, status);
CREATE INDEX IF NOT EXISTS resources_by_status ON resources (kind, status, region, created_s, name);
CREATE TABLE IF NOT EXISTS tags (
    position INTEGER PRIMARY KEY, arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (arn, key));
"""


def partition(region: str) -> str:
    """Return the ARN partition of a region: ``aws``, ``aws-cn`` or ``aws-us-gov``."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def resource_arn(kind: str, region: str, name: str, *, account_id: str = ACCOUNT_ID) -> str:
    """Return the ARN of a SageMaker resource in the emulated account."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account_id}:{kind}/{name}"


@dataclass(frozen=True)
class Resource:
    """One named resource.

    Attributes:
        kind: the ARN's resource type, such as ``training-job``.
        region: its region.
        name: unique per kind and region.
        status: the service's status; ``""`` for a kind without one.
        created_s: seconds since 1970.
        modified_s: seconds since 1970.
        body: the create request and the service's additions; JSON values only.
        hidden_polls: how many describes still answer "not found" (eventual consistency).
        account_id: the account.
    """

    kind: str
    region: str
    name: str
    status: str
    created_s: float
    modified_s: float
    body: dict[str, Any] = field(default_factory=dict)
    hidden_polls: int = 0
    account_id: str = ACCOUNT_ID

    @property
    def arn(self) -> str:
        """The resource's ARN."""
        return resource_arn(self.kind, self.region, self.name, account_id=self.account_id)


class Resources:
    """The table of resources in a state.

    Args:
        state: the emulator's state.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        state.ensure(_SCHEMA)

    def get(self, kind: str, region: str, name: str) -> Resource | None:
        """Return the resource of that name, or None."""
        row = self.state.connection.execute(
            "SELECT * FROM resources WHERE kind = ? AND region = ? AND name = ?", (kind, region, name)
        ).fetchone()
        return None if row is None else _resource(row)

    def by_arn(self, arn: str) -> Resource | None:
        """Return the resource of that ARN, or None."""
        row = self.state.connection.execute("SELECT * FROM resources WHERE arn = ?", (arn,)).fetchone()
        return None if row is None else _resource(row)

    def find(self, kind: str, *, region: str | None = None, statuses: Iterable[str] = ()) -> list[Resource]:
        """Return the resources of a kind by name, optionally only those in a region or with certain statuses."""
        statuses = tuple(statuses)
        sql = "SELECT * FROM resources WHERE kind = ?"
        values: list[str] = [kind]
        if region is not None:
            sql += " AND region = ?"
            values.append(region)
        if statuses:
            sql += f" AND status IN ({','.join('?' * len(statuses))})"
            values.extend(statuses)
        return [_resource(row) for row in self.state.connection.execute(sql + " ORDER BY name", values)]

    def page(
        self,
        kind: str,
        region: str,
        *,
        conditions: Mapping[str, object],
        by: str,
        descending: bool,
        after: tuple[float | str, str] | None,
        limit: int,
    ) -> list[Resource]:
        """Return some resources of a kind in a region, read from an index.

        Args:
            kind: their kind.
            region: their region.
            conditions: SQL with one placeholder each, and the value for it.
            by: their order: ``CreationTime``, ``Status`` or ``Name``. Names decide between equal ones.
            descending: whether the last one comes first.
            after: the value and the name after which to start, in this order; None for the beginning.
            limit: the maximum number of resources.
        """
        columns = _ORDERS[by]
        terms = ["kind = ?", "region = ?", *conditions]
        values: list[object] = [kind, region, *conditions.values()]
        if after is not None:
            marks = ", ".join("?" * len(columns))
            terms.append(f"({', '.join(columns)}) {'<' if descending else '>'} ({marks})")
            values += after[-len(columns) :]
        order = ", ".join(f"{column}{' DESC' if descending else ''}" for column in columns)
        sql = f"SELECT * FROM resources WHERE {' AND '.join(terms)} ORDER BY {order} LIMIT ?"  # noqa: S608 - constants
        return [_resource(row) for row in self.state.connection.execute(sql, (*values, limit))]

    def save(self, db: sqlite3.Connection, resource: Resource) -> None:
        """Insert or replace a row; ``db`` is the connection of an open transaction."""
        db.execute(
            "INSERT OR REPLACE INTO resources VALUES"
            " (:kind, :region, :name, :arn, :status, :created_s, :modified_s, :hidden_polls, :body)",
            {**vars(resource), "arn": resource.arn, "body": json.dumps(resource.body)},
        )

    def delete(self, db: sqlite3.Connection, resource: Resource) -> None:
        """Delete a resource and its tags; ``db`` is the connection of an open transaction."""
        db.execute("DELETE FROM resources WHERE arn = ?", (resource.arn,))
        db.execute("DELETE FROM tags WHERE arn = ?", (resource.arn,))

    def is_visible(self, resource: Resource) -> bool:
        """Return whether a describe finds the resource; if not, count the poll."""
        if not resource.hidden_polls:
            return True
        with self.state.transaction() as db:
            self.save(db, replace(resource, hidden_polls=resource.hidden_polls - 1))
        return False

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource, in the order in which they were added."""
        rows = self.state.connection.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY position", (arn,))
        return {row["key"]: row["value"] for row in rows}

    def put_tags(self, db: sqlite3.Connection, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags; an existing key gets the new value and keeps its place."""
        db.executemany(
            "INSERT INTO tags (arn, key, value) VALUES (?, ?, ?)"
            " ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
            [(arn, key, value) for key, value in tags.items()],
        )

    def remove_tags(self, db: sqlite3.Connection, arn: str, keys: Iterable[str]) -> None:
        """Remove tags by key; missing keys are ignored."""
        db.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys])


def _resource(row: sqlite3.Row) -> Resource:
    values = {**dict(row), "body": json.loads(row["body"])}
    account_id = values.pop("arn").split(":")[4]
    return Resource(**values, account_id=account_id)
