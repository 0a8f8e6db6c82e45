"""CloudWatch Logs: the operations that read log groups, streams and events, and those that delete them (JSON 1.1)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from asteroid_ll.emulator.api_model import ApiModel
from asteroid_ll.emulator.logs.store import LogStore
from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.emulator.transport.messages import JSON_1_1, ApiError, Request, Response, parse_json

TARGET_PREFIX = "Logs_20140328."
MAX_EVENTS = 10_000
"""AWS's limit for a page of events."""

Params = dict[str, Any]


class Logs:
    """Answers the operations in its table, and refuses others by name.

    Args:
        state: the state with the lines.
        model: botocore's service models.
    """

    def __init__(self, state: State, model: ApiModel) -> None:
        self.state = state
        self.model = model
        self.store = LogStore(state)
        self._operations: dict[str, Callable[[str, Params], Params]] = {
            "DescribeLogGroups": self._describe_groups,
            "DescribeLogStreams": self._describe_streams,
            "GetLogEvents": self._get_events,
            "FilterLogEvents": self._filter_events,
            "DeleteLogGroup": self._delete_group,
            "DeleteLogStream": self._delete_stream,
        }

    def handle(self, request: Request, *, region: str) -> Response:
        """Answer one request.

        Raises:
            ApiError: CloudWatch Logs would refuse the request.
        """
        name = request.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
        if name not in self._operations:
            raise ApiError("UnknownOperationException", f"The emulator has no CloudWatch Logs operation {name!r}.")
        params = parse_json(request.body)
        self.model.check("logs", name, params=params, code="InvalidParameterException")
        answer = self.model.answer("logs", name, values=self._operations[name](region, params))
        return Response(headers={"Content-Type": JSON_1_1}, body=json.dumps(answer).encode())

    def _describe_groups(self, region: str, params: Params) -> Params:
        rows = self._rows(
            "SELECT log_group, MIN(created_ms) AS created_ms FROM log_streams WHERE region = ? GROUP BY log_group"
            " ORDER BY log_group",
            region,
        )
        prefix, pattern = params.get("logGroupNamePrefix", ""), params.get("logGroupNamePattern", "")
        groups = [
            {
                "logGroupName": row["log_group"],
                "creationTime": row["created_ms"],
                "arn": f"{_group_arn(region, row['log_group'])}:*",
                "storedBytes": 0,
            }
            for row in rows
            if row["log_group"].startswith(prefix) and pattern.lower() in row["log_group"].lower()
        ]
        return _page(groups, params, member="logGroups")

    def _describe_streams(self, region: str, params: Params) -> Params:
        group = self._group(region, params)
        rows = self._rows(
            "SELECT s.*, MIN(e.timestamp_ms) AS first_ms, MAX(e.timestamp_ms) AS last_ms FROM log_streams s"
            " LEFT JOIN log_events e ON e.stream = s.id WHERE s.region = ? AND s.log_group = ?"
            " GROUP BY s.id ORDER BY s.name",
            region,
            group,
        )
        by_time = params.get("orderBy") == "LastEventTime"
        if by_time and "logStreamNamePrefix" in params:
            raise ApiError("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
        rows = [row for row in rows if row["name"].startswith(params.get("logStreamNamePrefix", ""))]
        if by_time:
            rows.sort(key=lambda row: row["last_ms"] or 0)
        if params.get("descending"):
            rows.reverse()
        streams = [
            {
                "logStreamName": row["name"],
                "creationTime": row["created_ms"],
                "firstEventTimestamp": row["first_ms"],
                "lastEventTimestamp": row["last_ms"],
                "lastIngestionTime": row["last_ms"],
                "uploadSequenceToken": str(row["id"]),
                "arn": f"{_group_arn(region, group)}:log-stream:{row['name']}",
                "storedBytes": 0,
            }
            for row in rows
        ]
        return _page(streams, params, member="logStreams")

    def _get_events(self, region: str, params: Params) -> Params:
        """Answer GetLogEvents. A token is a direction and an event's number; at either end it stays the same."""
        group = self._group(region, params)
        streams = self._rows(
            "SELECT id FROM log_streams WHERE region = ? AND log_group = ? AND name = ?",
            region,
            group,
            params["logStreamName"],
        )
        if not streams:
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        limit = params.get("limit", MAX_EVENTS)
        token = params.get("nextToken")
        forward, after = _direction(token) if token else (bool(params.get("startFromHead")), None)
        bound = after if after is not None else (-1 if forward else 1 << 62)
        rows = self._rows(
            f"SELECT * FROM log_events WHERE stream = ? AND id {'>' if forward else '<'} ?"  # noqa: S608
            f" AND timestamp_ms >= ? AND timestamp_ms < ? ORDER BY id {'ASC' if forward else 'DESC'} LIMIT ?",
            streams[0]["id"],
            bound,
            params.get("startTime", 0),
            params.get("endTime", 1 << 62),
            limit,
        )
        if not forward:
            rows.reverse()
        first, last = (rows[0]["id"], rows[-1]["id"]) if rows else (bound, bound)
        events = [_event(row) for row in rows]
        return {"events": events, "nextForwardToken": f"f/{last}/s", "nextBackwardToken": f"b/{first}/s"}

    def _filter_events(self, region: str, params: Params) -> Params:
        group = self._group(region, params)
        names = params.get("logStreamNames")
        prefix = params.get("logStreamNamePrefix", "")
        terms = _terms(params.get("filterPattern", ""))
        limit = params.get("limit", MAX_EVENTS)
        _, after = _direction(params["nextToken"]) if "nextToken" in params else (True, None)
        rows = self._rows(
            "SELECT e.*, s.name FROM log_events e JOIN log_streams s ON s.id = e.stream"
            " WHERE s.region = ? AND s.log_group = ? AND e.id > ? AND e.timestamp_ms >= ? AND e.timestamp_ms <= ?"
            " ORDER BY e.id",
            region,
            group,
            -1 if after is None else after,
            params.get("startTime", 0),
            params.get("endTime", 1 << 62),
        )
        chosen = [
            row
            for row in rows
            if (names is None or row["name"] in names)
            and row["name"].startswith(prefix)
            and all(term in row["message"] for term in terms)
        ]
        events = [
            {"logStreamName": row["name"], **_event(row), "eventId": f"{row['id']:056d}"} for row in chosen[:limit]
        ]
        token = f"f/{chosen[limit - 1]['id']}/s" if len(chosen) > limit else None
        return {"events": events, "searchedLogStreams": [], "nextToken": token}

    def _delete_group(self, region: str, params: Params) -> Params:
        if not self.store.delete_group(region, params["logGroupName"]):
            raise _no_group()
        return {}

    def _delete_stream(self, region: str, params: Params) -> Params:
        if not self.store.delete_stream(region, self._group(region, params), params["logStreamName"]):
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        return {}

    def _group(self, region: str, params: Params) -> str:
        """Return the group's name, from ``logGroupName`` or ``logGroupIdentifier``."""
        group = str(params.get("logGroupName") or params.get("logGroupIdentifier", "").rpartition(":log-group:")[2])
        if not self._rows("SELECT 1 FROM log_streams WHERE region = ? AND log_group = ? LIMIT 1", region, group):
            raise _no_group()
        return group

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self.state.connection.execute(sql, values).fetchall()


def _page(items: list[Params], params: Params, *, member: str) -> Params:
    try:
        start = int(params.get("nextToken", "0"))
    except ValueError:
        raise _bad_token() from None
    stop = start + params.get("limit", 50)
    return {member: items[start:stop], "nextToken": str(stop) if stop < len(items) else None}


def _event(row: sqlite3.Row) -> Params:
    return {"timestamp": row["timestamp_ms"], "message": row["message"], "ingestionTime": row["timestamp_ms"]}


def _direction(token: str) -> tuple[bool, int]:
    """Return whether a token goes forward, and the number of its event."""
    direction, _, rest = token.partition("/")
    number = rest.removesuffix("/s")
    if direction not in {"f", "b"} or not number.lstrip("-").isdecimal():
        raise _bad_token()
    return direction == "f", int(number)


def _terms(pattern: str) -> list[str]:
    """Return the terms that a line must contain: words, or phrases in double quotes.

    Raises:
        ApiError: ``InvalidParameterException`` for the other pattern languages.
    """
    if pattern[:1] in {"{", "[", "%"} or any(word[:1] in {"?", "-"} for word in pattern.split()):
        raise ApiError("InvalidParameterException", f"The emulator filters by plain terms only, not by {pattern!r}.")
    parts = pattern.split('"')
    quoted, plain = parts[1::2], parts[0::2]
    return [*quoted, *(word for part in plain for word in part.split())]


def _group_arn(region: str, group: str) -> str:
    return f"arn:{partition(region)}:logs:{region}:{ACCOUNT_ID}:log-group:{group}"


def _no_group() -> ApiError:
    return ApiError("ResourceNotFoundException", "The specified log group does not exist.")


def _bad_token() -> ApiError:
    return ApiError("InvalidParameterException", "The specified nextToken is invalid.")
