"""One call of an operation of CloudWatch Logs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from asteroid_ll.emulator.logs.store import LogStore
from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.transport.messages import ApiError

Params = dict[str, Any]


@dataclass(frozen=True)
class LogsCall:
    """One call of an operation.

    Attributes:
        store: the account's log streams.
        region: the region that the request was signed for.
        params: the request's members.
    """

    store: LogStore
    region: str
    params: Params

    def group(self) -> str:
        """Return the group's name, from ``logGroupName`` or ``logGroupIdentifier``.

        Raises:
            ApiError: ``ResourceNotFoundException``.
        """
        identifier = self.params.get("logGroupIdentifier", "")
        group = str(self.params.get("logGroupName") or identifier.rpartition(":log-group:")[2])
        if not self.rows("SELECT 1 FROM log_streams WHERE region = ? AND log_group = ? LIMIT 1", self.region, group):
            raise no_group()
        return group

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return self.store.state.connection.execute(sql, values).fetchall()

    def arn(self, group: str) -> str:
        """Return the ARN of a log group, without the ``:*`` at its end that some operations add."""
        account_id = self.store.state.account_id
        return f"arn:{partition(self.region)}:logs:{self.region}:{account_id}:log-group:{group}"


def no_group() -> ApiError:
    """Return the error for a group that does not exist."""
    return ApiError("ResourceNotFoundException", "The specified log group does not exist.")
