"""What a stage is: a frozen record of its inputs, its outputs, the settings that count, and one function.

The planner reads the record, the executor calls the function; neither knows what a stage does inside.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws
    from asteroid_ll.config import Config
    from asteroid_ll.run.journal import Journal

Settings = Mapping[str, object]
"""The part of the configuration that a stage reads, as JSON values."""


@dataclass(frozen=True)
class Outcome:
    """What a stage did.

    Attributes:
        outputs: files it wrote, relative to the run directory; the planner holds them against their digests.
        identity: digest of what the outputs *mean*, for outputs that carry times (a job's artifact and log);
            ``None`` where the files' own digests say it.
        status: ``"run"``, or ``"adopted"`` where an existing resource of ours was taken over.
        note: a few words for the person at the terminal, such as ``"40,860 asteroids"``.
        metrics: numbers for the outcome of the command.
        findings: sentences worth reading beside the numbers.
    """

    outputs: tuple[str, ...] = ()
    identity: str | None = None
    status: str = "run"
    note: str = ""
    metrics: Mapping[str, object] = field(default_factory=dict)
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Context:
    """What a stage is given.

    Attributes:
        config: the whole configuration; a stage reads only what its ``settings`` name.
        directory: the run directory.
        journal: where a name is written before the create is sent.
        fingerprint: digest of this stage's inputs, settings and version, hexadecimal.
        inputs: identity of each needed stage's outputs, by the stage's name.
        connect: opens the session with AWS or the emulator; the same one at every call.
        say: shows a line of progress.
    """

    config: Config
    directory: Path
    journal: Journal
    fingerprint: str
    inputs: Mapping[str, str]
    connect: Callable[[], Aws]
    say: Callable[[str], None]

    @property
    def run_mark(self) -> str:
        """What tells this run directory from all others, as the tag of its resources: its name and a digest.

        It is made of the machine and the path, so that it can be told without anything that the directory holds.
        """
        directory = self.directory.resolve()
        digest = hashlib.sha256(os.fsencode(f"{os.uname().nodename}:{directory}")).hexdigest()
        return f"{re.sub(r'[^A-Za-z0-9._-]', '-', directory.name)[:64]}-{digest[:16]}"

    def path(self, *parts: str) -> Path:
        """A path in the run directory."""
        return self.directory.joinpath(*parts)


def _always(_: Context) -> str | None:
    return None


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: the command's name.
        version: raised when the same inputs would give other outputs.
        needs: stages whose outputs it reads.
        settings: picks the settings that count from the configuration.
        run: does the work.
        summary: one line of help.
        uses: stages whose *effect* it needs while it runs, but whose outputs do not change its own.
        transient: its effect does not last, so it runs when a stage that uses it runs.
        undoes: transient stages whose effect it ends; it runs after them, and whenever something is open.
        result: a JSON output with ``metrics`` and ``findings``, shown again when the stage is skipped.
        external: digests of inputs outside the run directory by name, such as the source file.
        verify: what is missing outside the run directory (an object in S3), or ``None``; asked only when
            the local outputs are intact.
    """

    name: str
    version: int
    needs: tuple[str, ...]
    settings: Callable[[Config], Settings]
    run: Callable[[Context], Outcome]
    summary: str
    uses: tuple[str, ...] = ()
    transient: bool = False
    undoes: tuple[str, ...] = ()
    result: str | None = None
    external: Callable[[Config], Mapping[str, str]] = lambda _: {}
    verify: Callable[[Context], str | None] = _always
