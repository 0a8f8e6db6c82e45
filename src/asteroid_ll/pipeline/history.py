"""Reads finished and unfinished runs to list and compare them; nothing is planned or run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json
from asteroid_ll.run.identity import Identity, read_identity
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages.registry import STAGES

_LASTING = frozenset(stage.name for stage in STAGES if not stage.transient)


@dataclass(frozen=True)
class PastRun:
    """A run directory as it is.

    Attributes:
        directory: the run directory.
        identity: its identity; None in a directory of version 0.1.0 and in a damaged one.
        changed: time of the journal's last record, ISO 8601, UTC; None without records.
        status: ``finished``, such as ``5 of 9 stages``, or ``damaged``.
        open: names of the resources that may be billed, from the journal.
        scores: the model's scores on the test part by name; empty before the prediction.
    """

    directory: Path
    identity: Identity | None
    changed: str | None
    status: str
    open: tuple[str, ...]
    scores: Mapping[str, Any]


def runs_below(folder: Path) -> Iterator[PastRun]:
    """Yield the runs in a folder and in the folders below it, by path; hidden folders are skipped.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", hint="Name the folder that contains the run directories.")
    for directory, inner, files in os.walk(folder):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        if {paths.RUN, paths.JOURNAL} & set(files):
            inner.clear()
            yield read_run(Path(directory))


def read_run(directory: Path) -> PastRun:
    """Return a run by its directory; a damaged one has the status ``damaged``."""
    try:
        identity = read_identity(directory)
        journal = Journal(directory / paths.JOURNAL)
        journal.origin = identity.origin if identity else {}
        history = journal.read()
        scores = _scores(directory)
    except DataError:
        return PastRun(directory, None, None, "damaged", (), {})
    n_done = len({record["stage"] for record in history.records if record["event"] == "done"} & _LASTING)
    return PastRun(
        directory,
        identity,
        changed=history.records[-1]["at"] if history.records else None,
        status="finished" if n_done == len(_LASTING) else f"{n_done} of {len(_LASTING)} stages",
        open=tuple(record["resource"] for record in history.open_resources()),
        scores=scores,
    )


def _scores(directory: Path) -> Mapping[str, Any]:
    path = directory / paths.METRICS
    if not path.is_file():
        return {}
    scores: Mapping[str, Any] = read_json(path)["metrics"]["scores"]["model"]
    return scores
