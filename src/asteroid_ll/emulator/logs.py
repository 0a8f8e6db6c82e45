"""CloudWatch Logs: the operations that read log groups, streams and events, and those that delete logs."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.service import JSON, Service
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.log import LogStore

MAX_EVENTS = 10_000
"""AWS's limit for a page of events."""

Params = dict[str, Any]
_END = 10**17
"""After every event's number and time in milliseconds."""


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
        if not self.store.stream_names(self.region, group):
            raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
        return group

    def stream(self, group: str) -> str:
        """Return the stream's name.

        Raises:
            ApiError: ``ResourceNotFoundException``.
        """
        stream: str = self.params["logStreamName"]
        if stream not in self.store.stream_names(self.region, group, prefix=stream):
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        return stream

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return self.store.state.connection.execute(sql, values).fetchall()

    def events(self, group: str, end_ms: int, more: str, *values: object) -> list[sqlite3.Row]:
        """Return events of a group from ``startTime`` to a time, chosen and ordered by more SQL."""
        sql = (
            "SELECT e.*, s.name FROM log_events e JOIN log_streams s ON s.id = e.stream"
            " WHERE s.region = ? AND s.log_group = ? AND e.timestamp_ms >= ? AND e.timestamp_ms <= ? "
        )
        return self.rows(sql + more, self.region, group, self.params.get("startTime", 0), end_ms, *values)

    def arn(self, group: str) -> str:
        """Return the ARN of a log group, without the ``:*`` at its end that some operations add."""
        account_id = self.store.state.account_id
        return f"arn:{partition(self.region)}:logs:{self.region}:{account_id}:log-group:{group}"

    def page(self, items: list[Params], *, member: str) -> Params:
        """Return the requested page; a token has the number of its first item."""
        _, start = _read_token(self.params.get("nextToken", _token("f", 0)))
        stop = start + self.params.get("limit", 50)
        return {member: items[start:stop], "nextToken": _token("f", stop) if stop < len(items) else None}


def describe_groups(call: LogsCall) -> Params:
    """DescribeLogGroups."""
    rows = call.rows(
        "SELECT log_group, MIN(created_ms) AS created_ms FROM log_streams WHERE region = ? GROUP BY log_group"
        " ORDER BY log_group",
        call.region,
    )
    prefix, pattern = call.params.get("logGroupNamePrefix", ""), call.params.get("logGroupNamePattern", "")
    groups = [
        {
            "logGroupName": row["log_group"],
            "creationTime": row["created_ms"],
            "arn": f"{call.arn(row['log_group'])}:*",
            "logGroupArn": call.arn(row["log_group"]),
            "storedBytes": 0,
        }
        for row in rows
        if row["log_group"].startswith(prefix) and pattern.lower() in row["log_group"].lower()
    ]
    return call.page(groups, member="logGroups")


def describe_streams(call: LogsCall) -> Params:
    """DescribeLogStreams."""
    group = call.group()
    by_time = call.params.get("orderBy") == "LastEventTime"
    if by_time and "logStreamNamePrefix" in call.params:
        raise ApiError("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
    rows = call.rows(
        "SELECT s.*, MIN(e.timestamp_ms) AS first_ms, MAX(e.timestamp_ms) AS last_ms FROM log_streams s"
        " LEFT JOIN log_events e ON e.stream = s.id WHERE s.region = ? AND s.log_group = ?"
        " GROUP BY s.id ORDER BY s.name",
        call.region,
        group,
    )
    if by_time:
        rows.sort(key=lambda row: row["last_ms"] or 0)
    if call.params.get("descending"):
        rows.reverse()
    streams = [
        {
            "logStreamName": row["name"],
            "creationTime": row["created_ms"],
            "firstEventTimestamp": row["first_ms"],
            "lastEventTimestamp": row["last_ms"],
            "lastIngestionTime": row["last_ms"],
            "arn": f"{call.arn(group)}:log-stream:{row['name']}",
            "storedBytes": 0,
        }
        for row in rows
        if row["name"].startswith(call.params.get("logStreamNamePrefix", ""))
    ]
    return call.page(streams, member="logStreams")


def get_events(call: LogsCall) -> Params:
    """GetLogEvents. A token is a direction and an event's number; at either end it stays the same."""
    group = call.group()
    is_forward = bool(call.params.get("startFromHead"))
    bound = -1 if is_forward else _END
    if "nextToken" in call.params:
        is_forward, bound = _read_token(call.params["nextToken"])
    rows = call.events(
        group,
        call.params.get("endTime", _END) - 1,
        f"AND s.name = ? AND e.id {'>' if is_forward else '<'} ?"
        f" ORDER BY e.id {'ASC' if is_forward else 'DESC'} LIMIT ?",
        call.stream(group),
        bound,
        call.params.get("limit", MAX_EVENTS),
    )
    rows.sort(key=lambda row: row["id"])
    first, last = (rows[0]["id"], rows[-1]["id"]) if rows else (bound, bound)
    events = [_event(row) for row in rows]
    return {"events": events, "nextForwardToken": _token("f", last), "nextBackwardToken": _token("b", first)}


def filter_events(call: LogsCall) -> Params:
    """FilterLogEvents, by plain terms."""
    group, limit = call.group(), call.params.get("limit", MAX_EVENTS)
    names, prefix = call.params.get("logStreamNames"), call.params.get("logStreamNamePrefix", "")
    terms = _terms(call.params.get("filterPattern", ""))
    _, after = _read_token(call.params.get("nextToken", _token("f", -1)))
    rows = [
        row
        for row in call.events(group, call.params.get("endTime", _END), "AND e.id > ? ORDER BY e.id", after)
        if (names is None or row["name"] in names)
        and row["name"].startswith(prefix)
        and all(term in row["message"] for term in terms)
    ]
    events = [{"logStreamName": row["name"], **_event(row), "eventId": f"{row['id']:056d}"} for row in rows[:limit]]
    token = _token("f", rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"events": events, "searchedLogStreams": [], "nextToken": token}


def delete_group(call: LogsCall) -> Params:
    """DeleteLogGroup."""
    group = call.group()
    call.store.delete(call.region, group, call.store.stream_names(call.region, group))
    return {}


def delete_stream(call: LogsCall) -> Params:
    """DeleteLogStream. A group goes with its last stream."""
    group = call.group()
    call.store.delete(call.region, group, [call.stream(group)])
    return {}


def _event(row: sqlite3.Row) -> Params:
    return {"timestamp": row["timestamp_ms"], "message": row["message"], "ingestionTime": row["timestamp_ms"]}


def _token(direction: str, number: int) -> str:
    return f"{direction}/{number}/s"


def _read_token(token: str) -> tuple[bool, int]:
    """Return whether a token goes forward, and its number."""
    match = re.fullmatch(r"([fb])/(-?[0-9]{1,18})/s", token)
    if match is None:
        raise ApiError("InvalidParameterException", "The specified nextToken is invalid.")
    return match[1] == "f", int(match[2])


def _terms(pattern: str) -> list[str]:
    """Return the terms that a line must contain: words, or phrases in double quotes.

    Raises:
        ApiError: ``InvalidParameterException`` for the other pattern languages.
    """
    if pattern[:1] in {"{", "[", "%"} or any(word[:1] in {"?", "-"} for word in pattern.split()):
        raise ApiError("InvalidParameterException", f"The emulator filters by plain terms only, not by {pattern!r}.")
    return [phrase or word for phrase, word in re.findall(r'"([^"]*)"|([^\s"]+)', pattern)]


SERVICE = Service(
    "logs",
    JSON,
    operations={
        "DescribeLogGroups": describe_groups,
        "DescribeLogStreams": describe_streams,
        "GetLogEvents": get_events,
        "FilterLogEvents": filter_events,
        "DeleteLogGroup": delete_group,
        "DeleteLogStream": delete_stream,
    },
    invalid_code="InvalidParameterException",
    missing={"FilterLogEvents": "filter patterns other than plain terms"},
)
