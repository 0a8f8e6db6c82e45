"""CloudWatch Logs: the operations that read log groups, streams and events, and those that delete logs."""

from __future__ import annotations

import sqlite3

from asteroid_ll.emulator.logs import tags
from asteroid_ll.emulator.logs.call import LogsCall, Params, no_group
from asteroid_ll.emulator.service import JSON, Service
from asteroid_ll.emulator.transport.messages import ApiError

MAX_EVENTS = 10_000
"""AWS's limit for a page of events."""


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
    return _page(groups, call.params, member="logGroups")


def describe_streams(call: LogsCall) -> Params:
    """DescribeLogStreams."""
    group = call.group()
    rows = call.rows(
        "SELECT s.*, MIN(e.timestamp_ms) AS first_ms, MAX(e.timestamp_ms) AS last_ms FROM log_streams s"
        " LEFT JOIN log_events e ON e.stream = s.id WHERE s.region = ? AND s.log_group = ?"
        " GROUP BY s.id ORDER BY s.name",
        call.region,
        group,
    )
    by_time = call.params.get("orderBy") == "LastEventTime"
    if by_time and "logStreamNamePrefix" in call.params:
        raise ApiError("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
    rows = [row for row in rows if row["name"].startswith(call.params.get("logStreamNamePrefix", ""))]
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
            "uploadSequenceToken": str(row["id"]),
            "arn": f"{call.arn(group)}:log-stream:{row['name']}",
            "storedBytes": 0,
        }
        for row in rows
    ]
    return _page(streams, call.params, member="logStreams")


def get_events(call: LogsCall) -> Params:
    """GetLogEvents. A token is a direction and an event's number; at either end it stays the same."""
    group = call.group()
    streams = call.rows(
        "SELECT id FROM log_streams WHERE region = ? AND log_group = ? AND name = ?",
        call.region,
        group,
        call.params["logStreamName"],
    )
    if not streams:
        raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
    limit = call.params.get("limit", MAX_EVENTS)
    token = call.params.get("nextToken")
    forward, after = _direction(token) if token else (bool(call.params.get("startFromHead")), None)
    bound = after if after is not None else (-1 if forward else 1 << 62)
    rows = call.rows(
        f"SELECT * FROM log_events WHERE stream = ? AND id {'>' if forward else '<'} ?"  # noqa: S608
        f" AND timestamp_ms >= ? AND timestamp_ms < ? ORDER BY id {'ASC' if forward else 'DESC'} LIMIT ?",
        streams[0]["id"],
        bound,
        call.params.get("startTime", 0),
        call.params.get("endTime", 1 << 62),
        limit,
    )
    if not forward:
        rows.reverse()
    first, last = (rows[0]["id"], rows[-1]["id"]) if rows else (bound, bound)
    events = [_event(row) for row in rows]
    return {"events": events, "nextForwardToken": f"f/{last}/s", "nextBackwardToken": f"b/{first}/s"}


def filter_events(call: LogsCall) -> Params:
    """FilterLogEvents, by plain terms."""
    group = call.group()
    names = call.params.get("logStreamNames")
    prefix = call.params.get("logStreamNamePrefix", "")
    terms = _terms(call.params.get("filterPattern", ""))
    limit = call.params.get("limit", MAX_EVENTS)
    _, after = _direction(call.params["nextToken"]) if "nextToken" in call.params else (True, None)
    rows = call.rows(
        "SELECT e.*, s.name FROM log_events e JOIN log_streams s ON s.id = e.stream"
        " WHERE s.region = ? AND s.log_group = ? AND e.id > ? AND e.timestamp_ms >= ? AND e.timestamp_ms <= ?"
        " ORDER BY e.id",
        call.region,
        group,
        -1 if after is None else after,
        call.params.get("startTime", 0),
        call.params.get("endTime", 1 << 62),
    )
    chosen = [
        row
        for row in rows
        if (names is None or row["name"] in names)
        and row["name"].startswith(prefix)
        and all(term in row["message"] for term in terms)
    ]
    events = [{"logStreamName": row["name"], **_event(row), "eventId": f"{row['id']:056d}"} for row in chosen[:limit]]
    token = f"f/{chosen[limit - 1]['id']}/s" if len(chosen) > limit else None
    return {"events": events, "searchedLogStreams": [], "nextToken": token}


def delete_group(call: LogsCall) -> Params:
    """DeleteLogGroup."""
    group = call.params["logGroupName"]
    if not call.store.delete_group(call.region, group):
        raise no_group()
    tags.forget(call, group)
    return {}


def delete_stream(call: LogsCall) -> Params:
    """DeleteLogStream."""
    group = call.group()
    if not call.store.delete_stream(call.region, group, call.params["logStreamName"]):
        raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
    tags.forget(call, group)
    return {}


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


def _bad_token() -> ApiError:
    return ApiError("InvalidParameterException", "The specified nextToken is invalid.")


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
        "TagResource": tags.tag,
        "UntagResource": tags.untag,
        "ListTagsForResource": tags.list_tags,
    },
    invalid_code="InvalidParameterException",
    missing={
        "FilterLogEvents": "filter patterns other than plain terms",
        **dict.fromkeys(("TagResource", "UntagResource", "ListTagsForResource"), "resources other than log groups"),
    },
)
