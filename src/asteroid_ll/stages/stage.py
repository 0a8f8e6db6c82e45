"""A stage is a frozen record of its inputs, its outputs, its settings, and one function.

The planner reads the record and the executor calls the function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from asteroid_ll.aws.tags import resource_name
from asteroid_ll.report.drawing import Drawing

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws
    from asteroid_ll.config import Config
    from asteroid_ll.run.journal import Journal

Settings = Mapping[str, object]
"""The settings that a stage reads, as JSON values."""


@dataclass(frozen=True)
class Outcome:
    """The result of one stage.

    Attributes:
        outputs: files it wrote, relative to the run directory; the journal records their digests.
        identity: digest of the outputs' content, for files that contain times (a job's artifact and log); None to
            use the digests of the files.
        status: ``"run"``, ``"adopted"`` if an existing resource of this run was used, or ``"started"`` if its job still
            runs, so that the stage is not done.
        note: a few words for the terminal, such as ``"40,860 asteroids"``.
        metrics: numbers for the command's output.
        findings: sentences that explain the numbers.
    """

    outputs: tuple[str, ...] = ()
    identity: str | None = None
    status: str = "run"
    note: str = ""
    metrics: Mapping[str, object] = field(default_factory=dict)
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Context:
    """The arguments of a stage.

    Attributes:
        config: the whole configuration; a stage reads only the keys in its ``settings``.
        directory: the run directory.
        journal: its journal; a resource's name is written here before it is created.
        fingerprint: digest of this stage's inputs, settings and version, hexadecimal.
        inputs: identity of the outputs of each needed stage, by its name.
        run: the run's name, which ends in its random digits; the tag of its resources.
        connect: opens the session with AWS or the emulator; every call returns the same session.
        progress: reports a line of progress.
        spared: kinds of resources that a teardown leaves running, such as ``training-job``.
        waits: whether a stage waits for the job that it starts; a later call takes it up.
        log: reports a line of a job's log; None if nobody wants it.
        host: number of this machine among those that share the stage's work, from 0.
        n_hosts: their number.
        drawing: draws figures in another process, which may be started before the stage.
        idle: prepares the later stages, a part per call; a stage calls it before it waits for another process.
    """

    config: Config
    directory: Path
    journal: Journal
    fingerprint: str
    inputs: Mapping[str, str]
    run: str
    connect: Callable[[], Aws]
    progress: Callable[[str], None]
    spared: frozenset[str] = frozenset()
    waits: bool = True
    log: Callable[[str], None] | None = None
    host: int = 0
    n_hosts: int = 1
    drawing: Drawing = field(default_factory=Drawing)
    idle: Callable[[], None] = lambda: None

    def is_for_this_host(self, number: int) -> bool:
        """Return whether this machine does the part of the work that has a number, from 0."""
        return number % self.n_hosts == self.host

    @property
    def resource_name(self) -> str:
        """The name of what this stage creates: from its content, and for this run alone."""
        return resource_name(self.fingerprint, self.run)

    def path(self, *parts: str) -> Path:
        """Return a path in the run directory."""
        return self.directory.joinpath(*parts)


@dataclass(frozen=True)
class Job:
    """What the processing job of a stage needs beside the stage's record.

    Attributes:
        reads: the files that the stage reads; none if it reads all outputs of the stages that it needs.
        is_shared: whether several machines share its work.
    """

    reads: tuple[str, ...] = ()
    is_shared: bool = False


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: the command's name.
        version: increased when the same inputs would give other outputs.
        needs: stages whose outputs it reads.
        settings: returns the settings that the stage reads, from the configuration.
        run: does the work.
        summary: one line of help.
        uses: transient stages that must have run; their outputs do not change this stage's outputs.
        transient: its effect does not last, so it runs when a stage that uses it runs.
        is_priced: it creates or uses something on the account, so the price of the run is shown and checked before it.
        draws: it asks for figures, so the process that draws them is started before the first stage of a run.
        undoes: transient stages whose effect it ends; it runs after them, and if a resource is open.
        result: a JSON output with ``metrics`` and ``findings``, shown again when the stage is skipped.
        outdated: returns a sentence if the file at the path of ``result`` has an older shape, or None.
        rescore: makes the result anew from the stage's own outputs, without the transient stages.
        external: returns digests of inputs outside the run directory by name, such as the source file.
        verify: returns a sentence about an output that is missing outside the run directory (an object in S3), or
            None; called only if the local outputs are intact.
        job: how it runs as a processing job with ``stages.where: processing``; None if it always runs here.
    """

    name: str
    version: int
    needs: tuple[str, ...]
    settings: Callable[[Config], Settings]
    run: Callable[[Context], Outcome]
    summary: str
    uses: tuple[str, ...] = ()
    transient: bool = False
    is_priced: bool = False
    draws: bool = False
    undoes: tuple[str, ...] = ()
    result: str | None = None
    outdated: Callable[[Path], str | None] = lambda _: None
    rescore: Callable[[Context], Outcome] | None = None
    external: Callable[[Config], Mapping[str, str]] = lambda _: {}
    verify: Callable[[Context], str | None] = lambda _: None
    job: Job | None = None
