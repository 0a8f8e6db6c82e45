"""The journal: what a run was about to do and what became of it, one JSON object a line, only ever appended to.

A record is on the disk before ``append`` returns, so that a create sent after its ``intent`` can be found again
whatever happens. A line counts when its newline is there: a last line without one is a write that a crash cut
short, never acknowledged, and is dropped and counted. The lock's holder alone appends.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from asteroid_ll.errors import DataError
from asteroid_ll.run.atomic import sync_directory

Event = Literal["intent", "done", "failed", "gone"]
"""About to be done; done; failed; deleted, or proven absent."""

VERSION = 1

_SECRET_NAME = re.compile(r"secret|password|passwd|api_?key|access_?key|session_?token|authorization|credential", re.I)
_SECRET_VALUE = re.compile(
    r"(?P<name>\b(?:X-Amz-(?:Signature|Credential|Security-Token)|api_key)=)[^&\"\\\s]+|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
)


Record = Mapping[str, Any]
"""One line, read-only: ``v``, ``at`` (UTC, ISO 8601; for people, as the order is that of the lines), ``event``,
``stage``, where they apply ``fingerprint`` and ``resource`` (what is created or deleted), and further facts."""


@dataclass(frozen=True, slots=True)
class History:
    """What a journal says.

    Attributes:
        records: the complete lines, oldest first.
        torn_bytes: length of an incomplete last line; 0 where the journal ends well.
    """

    records: tuple[Record, ...]
    torn_bytes: int = 0

    def last_done(self, stage: str) -> Record | None:
        """Return the stage's latest ``done`` record about the stage as a whole; None where there is none."""
        whole = (record for record in reversed(self.records) if "resource" not in record)
        return next((record for record in whole if (record["event"], record["stage"]) == ("done", stage)), None)

    def open_intents(self) -> tuple[Record, ...]:
        """Return the intents whose outcome no later record tells, oldest first.

        A later ``done``, ``failed`` or ``gone`` is the outcome of the intents for the resource it names, whichever
        stage tells it; naming none, of all intents of its stage and fingerprint. A repeated intent counts once, as
        the latest.
        """
        pending: list[Record] = []
        for record in self.records:
            pending = [intent for intent in pending if not _tells(record, intent)]
            if record["event"] == "intent":
                pending.append(record)
        return tuple(pending)

    def open_resources(self) -> tuple[Record, ...]:
        """Return the intents to create something billable that no later ``gone`` of that resource ends, oldest first.

        Such an intent has ``bills``, the kind of what it creates: ``endpoint`` or ``training-job``.
        """
        pending: dict[str, Record] = {}
        for record in self.records:
            if record["event"] == "intent" and record.get("bills"):
                pending[record["resource"]] = record
            elif record["event"] == "gone":
                pending.pop(record.get("resource", ""), None)
        return tuple(pending.values())


def _tells(record: Record, intent: Record) -> bool:
    """Tell whether a record is the outcome of an earlier intent, or its repetition."""
    if "resource" in record:
        return bool(record["resource"] == intent.get("resource"))
    same_run = (record["stage"], record.get("fingerprint")) == (intent["stage"], intent.get("fingerprint"))
    return same_run and (record["event"] != "intent" or "resource" not in intent)


def _now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """A journal file.

    Args:
        path: the file; made by the first record.
        clock: tells the time of a record.
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = _now) -> None:
        self.path = path
        self._clock = clock

    def append(self, event: Event, *, stage: str, **facts: Any) -> Record:
        """Write a record to the disk; when this returns it is there.

        Access keys and signed URLs inside the facts are blacked out.

        Args:
            event: what happened.
            stage: the stage concerned.
            facts: plain JSON values; by convention ``fingerprint`` of the stage's inputs, settings and version,
                and ``resource``, what is created or deleted, such as ``endpoint/NAME``.

        Returns:
            The record as a reader will see it.

        Raises:
            DataError: the file system refused; the journal is as it was.
            ValueError: a fact's name is that of a secret or of the journal's own, or a value is not JSON.
        """
        refused = next((name for name in facts if _SECRET_NAME.search(name) or name in {"v", "at"}), None)
        if refused is not None:
            raise ValueError(f"a journal takes no fact named {refused}")
        at = self._clock().isoformat(timespec="milliseconds")
        values = {"v": VERSION, "at": at, "event": event, "stage": stage, **facts}
        line = _SECRET_VALUE.sub(_black_out, json.dumps(values, allow_nan=False, separators=(",", ":"))).encode("ascii")
        try:
            _append_line(self.path, line + b"\n")
        except OSError as error:
            raise DataError(
                f"The journal {self.path} could not be written: {error.strerror}; it is as it was.",
                hint="Make room or choose another directory with --workdir, then run the same command again.",
                path=str(self.path),
            ) from error
        return _parse(line)

    def read(self) -> History:
        """Return what the journal says; a missing file says nothing.

        Raises:
            DataError: a complete line is not a record of this version, or the file cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return History(())
        except OSError as error:
            raise DataError(
                f"The journal {self.path} could not be read: {error.strerror}.",
                hint="Make it readable, or choose another directory with --workdir.",
                path=str(self.path),
            ) from error
        *lines, rest = content.split(b"\n")
        return History(tuple(self._record(line, number) for number, line in enumerate(lines, start=1)), len(rest))

    def records(self) -> tuple[Record, ...]:
        """Return the complete records, oldest first, see ``read``."""
        return self.read().records

    def last_done(self, stage: str) -> Record | None:
        """Return the stage's latest ``done`` record, see ``History.last_done``."""
        return self.read().last_done(stage)

    def open_intents(self) -> tuple[Record, ...]:
        """Return the intents without an outcome, see ``History.open_intents``."""
        return self.read().open_intents()

    def open_resources(self) -> tuple[Record, ...]:
        """Return what was created here, bills, and is not proven gone, see ``History.open_resources``."""
        return self.read().open_resources()

    def _record(self, line: bytes, number: int) -> Record:
        try:
            return _parse(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"The journal {self.path} is damaged in line {number}: {line[:60]!r} is not a record of version 1.",
                hint="Move the file away and run the same command again: resources are found by their tags.",
                path=str(self.path),
                line=number,
            ) from error


def _black_out(match: re.Match[str]) -> str:
    return f"{match['name'] or ''}[removed]"


def _parse(line: bytes) -> Record:
    """Return the record in a line; raise ValueError where there is none."""
    values = json.loads(line)
    if not isinstance(values, dict) or values.get("v") != VERSION or values.get("event") not in get_args(Event):
        raise ValueError("not a record of this version")
    if not isinstance(values.get("at"), str) or not isinstance(values.get("stage"), str):
        raise ValueError("a record has a time and a stage")
    return MappingProxyType(values)


def _append_line(path: Path, line: bytes) -> None:
    """Append one line with one write and sync it; an incomplete last line gives way to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        end = _end_of_last_line(descriptor)
        os.ftruncate(descriptor, end)
        try:
            written = os.write(descriptor, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)
    if is_new:
        sync_directory(path.parent)


def _end_of_last_line(descriptor: int) -> int:
    """Return the offset behind the last newline, reading backwards."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 4_096)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
