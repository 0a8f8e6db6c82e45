"""Reading the state that a plan is made from: the journal, the outputs on disk, inputs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asteroid_ll.errors import DataError
from asteroid_ll.pipeline.plan import Done, Snapshot
from asteroid_ll.run.atomic import sha256_file
from asteroid_ll.stages.stage import Stage

if TYPE_CHECKING:
    from asteroid_ll.config import Config
    from asteroid_ll.run.journal import History, Journal


class StateReader:
    """Reads snapshots of one run directory; a file is hashed once as long as it is not written again.

    Args:
        directory: the run directory.
        journal: its journal.
    """

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._directory = directory
        self._journal = journal
        self._digests: dict[str, tuple[tuple[int, int, int], str]] = {}

    def read(self, stages: Sequence[Stage], config: Config, *, problems: Mapping[str, str] | None = None) -> Snapshot:
        """The state now; ``problems`` adds what was found missing outside the run directory."""
        history = self._journal.read()
        done = {stage.name: found for stage in stages if (found := _last_done(history, stage.name))}
        found_problems = {name: wrong for name, record in done.items() if (wrong := self._problem(record))}
        return Snapshot(
            done=done,
            problems={**(problems or {}), **found_problems},
            external={stage.name: stage.external(config) for stage in stages},
            open={record["resource"]: record["bills"] for record in history.open_resources()},
        )

    def digest_of(self, relative: str) -> str | None:
        """Sha256, hexadecimal, of a file of the run directory, or ``None`` where it is missing."""
        path = self._directory / relative
        try:
            status = path.stat()
        except OSError:
            return None
        key = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._digests.get(relative)
        if known is None or known[0] != key:
            known = (key, sha256_file(path))
            self._digests[relative] = known
        return known[1]

    def _problem(self, done: Done) -> str | None:
        for relative, expected in done.outputs.items():
            found = self.digest_of(relative)
            if found is None:
                return f"{relative} is missing"
            if found != expected:
                return f"{relative} was changed"
        return None


def _last_done(history: History, stage: str) -> Done | None:
    record = history.last_done(stage)
    if record is None:
        return None
    try:
        return Done(**{name: record[name] for name in Done.__dataclass_fields__})
    except KeyError as missing:
        raise DataError(
            f"The journal's record of {stage} has no {missing}.",
            hint="Move the run directory's journal.jsonl away to start over.",
        ) from None
