"""The journal: what a run is about to do and the outcome, one JSON object per line, append-only.

A record is on disk before ``append`` returns, so a create that follows its ``intent`` can always be found again. Only
lines that end in a newline count: a crash can cut the last one short, and then it was never acknowledged. Append and
compact only while holding the lock.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from asteroid_ll.errors import DataError
from asteroid_ll.redaction import redacted
from asteroid_ll.run.atomic import PRIVATE_MODE, atomic_path, sync_directory

Event = Literal["intent", "done", "failed", "gone"]
"""Planned; done; failed; deleted or proven absent."""

VERSION = 1

UNKNOWN = "unknown"
"""The kind in an intent that stands for all resources of a lost journal; a teardown finds them by their tags."""

_SECRET_NAME = re.compile(r"secret|password|passwd|api_?key|access_?key|session_?token|authorization|credential", re.I)

_COMPACT_BYTES = 1 << 20
"""A shorter journal is not compacted: it is read in a few milliseconds."""

_State = tuple[int, ...]
"""What changes with a file's content: inode, size, time of the content, and time of the inode, which cannot be set."""

_MISSING: _State = ()

Record = Mapping[str, Any]
"""One line, read-only: ``v``, ``at`` (UTC, ISO 8601; the order is that of the lines), ``event``, ``stage``, optionally
``run``, ``target``, ``account`` and ``region`` (absent in old records), ``fingerprint`` and ``resource`` (the created
or deleted resource), and further facts."""


@dataclass(frozen=True)
class History:
    """The content of a journal.

    Attributes:
        records: the complete lines, oldest first.
        run: the run that reads it; None if it is unknown.
    """

    records: tuple[Record, ...]
    run: str | None = None

    def last_done(self, stage: str) -> Record | None:
        """Return the stage's latest ``done`` record about the stage as a whole, or None."""
        return self.done.get(stage)

    @cached_property
    def done(self) -> Mapping[str, Record]:
        """`last_done` of each stage that has one, by name."""
        return {record["stage"]: record for record in self.records if _is_whole_done(record)}

    def open_resources(self) -> tuple[Record, ...]:
        """Return the intents to create a billed resource that have no later ``gone`` record, oldest first.

        Those of another run are left out: a copied run directory has the journal of its original.
        Such an intent has ``bills``, the kind of resource: ``endpoint``, ``training-job`` or `UNKNOWN`.
        """
        return self._open

    @cached_property
    def _open(self) -> tuple[Record, ...]:
        pending: dict[str, Record] = {}
        for record in self.records:
            if self.run is not None and record.get("run") not in (None, self.run):
                continue
            if record["event"] == "intent" and record.get("bills"):
                pending[record["resource"]] = record
            elif record["event"] == "gone":
                pending.pop(record.get("resource", ""), None)
        return tuple(pending.values())

    def billed(self) -> dict[str, str] | None:
        """Return the kind of each resource that may still be billed, by name; None if an earlier journal was lost."""
        kinds = {record["resource"]: record["bills"] for record in self.open_resources()}
        return None if UNKNOWN in kinds.values() else kinds


class Journal:
    """A journal file.

    Args:
        path: the file; the first record creates it.

    Attributes:
        origin: facts that every record holds: the run, its target, account and region.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin: Mapping[str, Any] = {}
        self._last_read: History | None = None
        self._state: _State | None = None  # of the file when its content was that of the last read
        self._unwritten: list[Record] = []

    def append(self, event: Event, *, stage: str, **facts: Any) -> None:
        """Write a record to disk. Secrets inside the facts are redacted.

        A ``gone`` that cannot be written is proven all the same, so this object remembers it.

        Args:
            event: the kind of record.
            stage: the stage concerned.
            facts: plain JSON values; by convention ``fingerprint`` of the stage's inputs, settings and version,
                and ``resource``, the created or deleted resource, such as ``endpoint/NAME``.

        Raises:
            DataError: the file system refused; the journal is unchanged.
            ValueError: a fact has the name of a secret or a reserved name, or a value is not JSON.
        """
        refused = next((name for name in facts if _SECRET_NAME.search(name) or name in {"v", "at"}), None)
        if refused is not None:
            raise ValueError(f"a record cannot have a fact named {refused}")
        at = _now().isoformat(timespec="milliseconds")
        values = {"v": VERSION, "at": at, "event": event, "stage": stage, **self.origin, **redacted(facts)}
        text = json.dumps(values, allow_nan=False, separators=(",", ":"))
        record = _parse(text.encode("ascii"))
        try:
            before, after = _append_line(self.path, f"{text}\n".encode("ascii"))
        except OSError as error:
            if event == "gone":
                self._unwritten.append(record)
                self._remember(record)
            raise DataError(
                f"The journal {self.path} could not be written: {error.strerror}; it is unchanged.",
                hint="Make room or choose another directory with --workdir, then run the same command again.",
                path=str(self.path),
            ) from error
        self._state = after if before == self._state else None  # somebody else has changed the file
        self._remember(record)

    def compact(self) -> None:
        """Rewrite a long journal without the lines that it does not need; most journals are short and stay as they are.

        A stage's first and latest ``done`` about the stage as a whole stay, and every line about anything else, because
        the bill counts all of them. The file is replaced whole: a crash leaves the old lines or the new ones, and a
        process that reads it meanwhile has the old ones. A journal that is damaged or cannot be written stays.
        """
        with suppress(OSError, DataError, ValueError, RecursionError):
            n_bytes = self.path.stat().st_size
            if n_bytes < _COMPACT_BYTES:
                return
            spans = _needed_spans(self.path)
            if 2 * sum(stop - start for start, stop in spans) > n_bytes:
                return
            with (
                atomic_path(self.path, private=True) as temporary,
                self.path.open("rb") as old,
                temporary.open("wb") as new,
            ):
                for start, stop in spans:
                    old.seek(start)
                    new.write(old.read(stop - start))

    def _remember(self, record: Record) -> None:
        if record["event"] == "intent":  # a resource that is created again is open again
            self._unwritten = [gone for gone in self._unwritten if gone["resource"] != record.get("resource")]
        if self._last_read is not None:
            self._last_read = replace(self._last_read, records=(*self._last_read.records, record))

    def last_known(self) -> History | None:
        """Return the content as last read, with the records of this object since; None if it was never read.

        It is the journal's content for the process that holds the run directory's lock, also if the file can no longer
        be read.
        """
        return self._last_read

    def read(self) -> History:
        """Return the journal's content; that of a missing file is empty. An unchanged file is not read again.

        Raises:
            DataError: a complete line is damaged or of a newer version, or the file cannot be read.
        """
        run = self.origin.get("run")
        try:
            if self._last_read is not None and self._state == _state_at(self.path):
                return self._last_read if self._last_read.run == run else replace(self._last_read, run=run)
            self._state, records = self._parsed()
        except OSError as error:
            raise DataError(
                f"The journal {self.path} could not be read: {error.strerror}.",
                hint="Make it readable, or choose another directory with --workdir.",
                path=str(self.path),
            ) from error
        self._last_read = History((*records, *self._unwritten), run)
        return self._last_read

    def _parsed(self) -> tuple[_State, list[Record]]:
        """Return the complete lines, and the file's state before they were read."""
        try:
            with self.path.open("rb") as file:
                state = _state(os.fstat(file.fileno()))
                lines = (line[:-1] for line in file if line.endswith(b"\n"))
                return state, [self._record(line, number) for number, line in enumerate(lines, start=1)]
        except FileNotFoundError:
            return _MISSING, []

    def _record(self, line: bytes, number: int) -> Record:
        try:
            return _parse(line)
        except _NewerVersionError as error:
            raise DataError(
                f"The journal {self.path} is of version {error.version}, from a newer asteroid-ll; this one reads "
                f"version {VERSION}.",
                hint="Update it: pip install --upgrade asteroid-ll   or use the one that wrote it.",
                path=str(self.path),
            ) from error
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"The journal {self.path} is damaged in line {number}: {line[:60]!r} is not a record of version 1.",
                hint="Move the file away and run the same command again: resources are found by their tags.",
                path=str(self.path),
                line=number,
            ) from error


class _NewerVersionError(ValueError):
    """A record of a version that this release does not know."""

    def __init__(self, version: int) -> None:
        self.version = version


def _now() -> datetime:
    return datetime.now(UTC)


def _parse(line: bytes) -> Record:
    """Return the record in a line; raise ValueError if there is none."""
    values = json.loads(line)
    version = values.get("v") if isinstance(values, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise _NewerVersionError(version)
    if not isinstance(values, dict) or values.get("v") != VERSION or values.get("event") not in get_args(Event):
        raise ValueError("not a record of this version")
    if not isinstance(values.get("at"), str) or not isinstance(values.get("stage"), str):
        raise ValueError("a record has a time and a stage")
    return MappingProxyType(values)


def _is_whole_done(record: Record) -> bool:
    """Return whether a record is the success of a stage as a whole."""
    return record["event"] == "done" and "resource" not in record


def _needed_spans(path: Path) -> list[tuple[int, int]]:
    """Return the ranges ``[start, stop)`` of the complete lines that `Journal.compact` keeps, in order.

    Raises:
        ValueError: a line is damaged or of a newer version.
    """
    spans: dict[int, tuple[int, int]] = {}
    latest: dict[str, int | None] = {}
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(line for line in file if line.endswith(b"\n")):
            record = _parse(line)
            spans[number] = (start, start + len(line))
            start += len(line)
            if _is_whole_done(record):
                replaced = latest.get(record["stage"])
                if replaced is not None:
                    del spans[replaced]
                latest[record["stage"]] = number if record["stage"] in latest else None  # None: the first one stays
    return list(spans.values())


def _state(status: os.stat_result) -> _State:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _state_at(path: Path) -> _State:
    try:
        return _state(path.stat())
    except FileNotFoundError:
        return _MISSING


def _append_line(path: Path, line: bytes) -> tuple[_State, _State]:
    """Append one line with one write and sync it, replacing an incomplete last line.

    Returns:
        The file's state before and after.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_MODE)
    try:
        before = _MISSING if is_new else _state(os.fstat(descriptor))
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
        after = _state(os.fstat(descriptor))
    finally:
        os.close(descriptor)
    if is_new:
        sync_directory(path.parent)
    return before, after


def _end_of_last_line(descriptor: int) -> int:
    """Return the offset after the last newline, reading backwards."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 4_096)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
