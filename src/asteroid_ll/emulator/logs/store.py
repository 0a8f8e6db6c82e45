"""Log groups, streams and their lines as rows.

A job's worker process writes its containers' output here, so nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Iterable

from asteroid_ll.emulator.state import State

TRAINING_GROUP = "/aws/sagemaker/TrainingJobs"
TRANSFORM_GROUP = "/aws/sagemaker/TransformJobs"
PROCESSING_GROUP = "/aws/sagemaker/ProcessingJobs"
ENDPOINT_GROUP_PREFIX = "/aws/sagemaker/Endpoints/"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_streams (
    id INTEGER PRIMARY KEY, region TEXT NOT NULL, log_group TEXT NOT NULL, name TEXT NOT NULL,
    created_ms INTEGER NOT NULL, UNIQUE (region, log_group, name));
CREATE TABLE IF NOT EXISTS log_events (
    id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL, message TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS log_events_stream ON log_events (stream, id);
"""


class LogStore:
    """The log streams of an account.

    Args:
        state: the account's state.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        state.ensure(_SCHEMA)

    def append(self, region: str, group: str, stream: str, *, lines: Iterable[tuple[float, str]]) -> None:
        """Add lines to a stream, and create the stream and its group if they are missing.

        Args:
            region: the region of the group.
            group: such as ``/aws/sagemaker/TrainingJobs``.
            stream: such as ``JOB/algo-1-1700000000``.
            lines: (seconds since 1970, text) pairs in order; empty texts are left out, as CloudWatch refuses them.
        """
        with self.state.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO log_streams (region, log_group, name, created_ms) VALUES (?, ?, ?, ?)",
                (region, group, stream, int(self.state.now() * 1000)),
            )
            (number,) = db.execute(
                "SELECT id FROM log_streams WHERE region = ? AND log_group = ? AND name = ?", (region, group, stream)
            ).fetchone()
            db.executemany(
                "INSERT INTO log_events (stream, timestamp_ms, message) VALUES (?, ?, ?)",
                [(number, int(time_s * 1000), text) for time_s, text in lines if text],
            )

    def has_group(self, region: str, group: str) -> bool:
        """Return whether there is a group of that name."""
        sql = "SELECT 1 FROM log_streams WHERE region = ? AND log_group = ? LIMIT 1"
        return self.state.connection.execute(sql, (region, group)).fetchone() is not None

    def lines(self, region: str, group: str, stream: str) -> list[tuple[float, str]]:
        """Return all lines of a stream as (seconds since 1970, text); none if there is no such stream."""
        rows = self.state.connection.execute(
            "SELECT e.timestamp_ms, e.message FROM log_events e JOIN log_streams s ON s.id = e.stream"
            " WHERE s.region = ? AND s.log_group = ? AND s.name = ? ORDER BY e.id",
            (region, group, stream),
        )
        return [(row["timestamp_ms"] / 1000, row["message"]) for row in rows]

    def stream_names(self, region: str, group: str, *, prefix: str) -> list[str]:
        """Return the names of a group's streams that start with a prefix, oldest first."""
        rows = self.state.connection.execute(
            "SELECT name FROM log_streams WHERE region = ? AND log_group = ? AND substr(name, 1, ?) = ? ORDER BY id",
            (region, group, len(prefix), prefix),
        )
        return [row["name"] for row in rows]

    def delete_group(self, region: str, group: str) -> bool:
        """Delete a group with its streams and lines; return False if there was none."""
        with self.state.transaction() as db:
            db.execute(
                "DELETE FROM log_events WHERE stream IN"
                " (SELECT id FROM log_streams WHERE region = ? AND log_group = ?)",
                (region, group),
            )
            rows = db.execute("DELETE FROM log_streams WHERE region = ? AND log_group = ?", (region, group))
            return rows.rowcount > 0

    def delete_stream(self, region: str, group: str, stream: str) -> bool:
        """Delete a stream with its lines, and the group with its last stream; return False if there was none."""
        with self.state.transaction() as db:
            named = (region, group, stream)
            db.execute(
                "DELETE FROM log_events WHERE stream IN"
                " (SELECT id FROM log_streams WHERE region = ? AND log_group = ? AND name = ?)",
                named,
            )
            rows = db.execute("DELETE FROM log_streams WHERE region = ? AND log_group = ? AND name = ?", named)
            return rows.rowcount > 0
