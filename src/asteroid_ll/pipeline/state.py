"""Reads the state that a plan is made from: the journal, the outputs on disk, and inputs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asteroid_ll.errors import DataError
from asteroid_ll.pipeline.plan import Done, Snapshot
from asteroid_ll.run.digests import Digests
from asteroid_ll.stages.stage import Stage

if TYPE_CHECKING:
    from asteroid_ll.config import Config
    from asteroid_ll.run.journal import Journal, Record


class StateReader:
    """Reads snapshots of one run directory; hashes a file again only if it was written again.

    Args:
        directory: the run directory.
        journal: its journal.
    """

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._directory = directory
        self._journal = journal
        self._digests = Digests(directory)

    def read(self, stages: Sequence[Stage], config: Config, *, problems: Mapping[str, str]) -> Snapshot:
        """Return the present state; ``problems`` are the outputs that are missing outside the run directory."""
        history = self._journal.read()
        records = history.done
        done = {stage.name: _done(stage.name, records[stage.name]) for stage in stages if stage.name in records}
        problems = {**problems, **{name: what for name, record in done.items() if (what := self._problem(record))}}
        return Snapshot(
            done=done,
            problems=problems,
            outdated={
                stage.name: what
                for stage in stages
                if stage.result and stage.name in done and stage.name not in problems
                if (what := stage.outdated(self._directory / stage.result))
            },
            external={stage.name: stage.external(config) for stage in stages},
            open=history.billed(),
        )

    def digest_of(self, relative: str) -> str | None:
        """Return the sha256, hexadecimal, of a file of the run directory, or None if there is no such file.

        Raises:
            DataError: it cannot be read.
        """
        return self._digests.of(relative)

    def _problem(self, done: Done) -> str | None:
        """Return a sentence about an output that is missing or was changed, or None."""
        for relative, expected in done.outputs.items():
            try:
                actual = self.digest_of(relative)
            except DataError:
                return f"{relative} cannot be read"
            if actual is None:
                return f"{relative} is missing"
            if actual != expected:
                return f"{relative} was changed"
        return None


def _done(stage: str, record: Record) -> Done:
    try:
        return Done(**{name: record[name] for name in Done.__dataclass_fields__})
    except KeyError as missing:
        raise DataError(
            f"The journal's record of {stage} has no {missing}.",
            hint="Move the run directory's journal.jsonl away to start over.",
        ) from None
