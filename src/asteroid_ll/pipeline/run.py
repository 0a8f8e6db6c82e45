"""Executes a plan: one stage after the other, each decided anew from the state that the last one left.

The executor holds no rules of its own: whether a stage runs, and why, is `plan`'s answer. What it adds is
order, the journal's record of each success, and the promise that whatever bills is torn down, also when a
stage fails or the run is interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from asteroid_ll.errors import AsteroidError, ConfigError, InterruptedRunError, LeakError
from asteroid_ll.pipeline.plan import Plan, Snapshot, Step, digest, fingerprint_of, inputs_of, plan
from asteroid_ll.pipeline.state import StateReader
from asteroid_ll.run.atomic import refused_by_system
from asteroid_ll.run.files import read_json
from asteroid_ll.stages.stage import Context, Outcome, Settings, Stage

if TYPE_CHECKING:
    from pathlib import Path

    from asteroid_ll.aws.billing import OpenResource
    from asteroid_ll.aws.session import Aws
    from asteroid_ll.config import Config
    from asteroid_ll.run.journal import Journal


@dataclass(frozen=True)
class StageResult:
    """What became of one stage.

    Attributes:
        name: the stage.
        status: ``"run"``, ``"skipped"``, ``"adopted"`` or ``"failed"``.
        reason: why it ran or not; the error where it failed.
        seconds: wall time.
        note: a few words on what came out.
    """

    name: str
    status: str
    reason: str
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class RunResult:
    """The outcome of a command that runs stages.

    Attributes:
        stages: one result a stage, in order.
        metrics: the numbers of the last prediction, where the run came that far.
        findings: sentences that belong to the numbers.
        open: what may still bill, kind by name.
        error: the failure that ended the run, or ``None``.
    """

    stages: tuple[StageResult, ...]
    metrics: Mapping[str, object] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    open: Mapping[str, str] = field(default_factory=dict)
    error: BaseException | None = None


@dataclass(frozen=True)
class Listener:
    """Who wants to know while it happens; every function may be called often and must be quick."""

    started: Callable[[str, str], None] = lambda _stage, _reason: None
    progress: Callable[[str, str], None] = lambda _stage, _line: None
    ended: Callable[[StageResult], None] = lambda _result: None


class Pipeline:
    """The stages over one run directory.

    Args:
        stages: all stages, in order.
        config: the configuration.
        directory: the run directory.
        journal: its journal.
        connect: opens a session with AWS or the emulator.
        listener: is told of each stage.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        config: Config,
        *,
        directory: Path,
        journal: Journal,
        connect: Callable[[], Aws],
        listener: Listener | None = None,
    ) -> None:
        self._stages = tuple(stages)
        self._config = config
        self._directory = directory
        self._journal = journal
        self._connect = connect
        self._listener = listener or Listener()
        self._reader = StateReader(directory, journal)
        self._problems: dict[str, str] = {}
        self._verified: set[str] = set()

    @cached_property
    def settings(self) -> dict[str, Settings]:
        """The settings of each stage, by its name."""
        return {stage.name: stage.settings(self._config) for stage in self._stages}

    @cached_property
    def _aws(self) -> Aws:
        return self._connect()

    def close(self) -> None:
        """Close the session, where one was opened."""
        if "_aws" in self.__dict__:
            self._aws.close()

    def snapshot(self) -> Snapshot:
        """The state of the run directory now."""
        return self._reader.read(self._stages, self._config, problems=self._problems)

    def plan(self, *, forced: Collection[str] = (), selected: Collection[str] | None = None) -> Plan:
        """What would run now, with what is missing outside the run directory found out first."""
        while True:
            snapshot = self.snapshot()
            found = plan(self._stages, self.settings, snapshot=snapshot, forced=forced, selected=selected)
            if not self._verify_inputs(found, snapshot):
                return found

    def run(
        self, *, forced: Collection[str] = (), selected: Collection[str] | None = None, tear_down: bool = True
    ) -> RunResult:
        """Run what the plan says, stage by stage.

        Args:
            forced: stages to run even where they are up to date.
            selected: stages that may run; all where ``None``.
            tear_down: end with the stage that undoes others, whatever happened before; otherwise it runs only
                where it is forced.

        Returns:
            What became of each stage; an expected failure is in ``error``, a bug is raised.
        """
        results: list[StageResult] = []
        outcomes: dict[str, Outcome] = {}
        remaining = set(forced)
        error: BaseException | None = None
        last = [stage for stage in self._stages if stage.undoes]
        try:
            for stage in self._stages:
                if stage in last and (tear_down or stage.name not in remaining):
                    continue
                if selected is None or stage.name in selected:
                    asked = Step(stage.name, "run", "asked for")
                    step = asked if stage in last else self.plan(forced=remaining, selected=selected)[stage.name]
                    results.append(self._take(stage, step, outcomes))
                remaining.discard(stage.name)
        except StageFailedError as failure:
            results.append(failure.result)
            error = failure.error
        except BaseException as failure:  # between two stages, where something may be open just as well
            error = _as_expected(failure)
        if tear_down:
            error = self._tear_down(last, results, outcomes, error=error)
        if error is not None and not isinstance(error, AsteroidError):
            raise error
        return RunResult(
            stages=tuple(results),
            metrics={k: v for outcome in outcomes.values() for k, v in outcome.metrics.items()},
            findings=tuple(sentence for outcome in outcomes.values() for sentence in outcome.findings),
            open=self._left_open(results),
            error=error,
        )

    def _left_open(self, results: Sequence[StageResult]) -> Mapping[str, str]:
        """What may still bill: by the journal, which need not be asked where a teardown has proven absence."""
        proven = {stage.name for stage in self._stages if stage.undoes}
        if any(result.name in proven and result.status == "run" for result in results):
            return {}
        return self.snapshot().open

    def _tear_down(
        self,
        stages: Sequence[Stage],
        results: list[StageResult],
        outcomes: dict[str, Outcome],
        *,
        error: BaseException | None,
    ) -> BaseException | None:
        for stage in stages:
            touched = [result.name for result in results if result.name in stage.undoes and result.status != "skipped"]
            if error is not None and not touched:
                continue  # a training job that was interrupted goes on, as on AWS; the error says how to stop it
            try:
                reason = "after a failure" if error else f"after {' and '.join(touched)}"
                step = Step(stage.name, "run", reason) if touched else self.plan(selected=(stage.name,))[stage.name]
                results.append(self._take(stage, step, outcomes))
            except StageFailedError as failure:
                results.append(failure.result)
                error = failure.error if error is None or isinstance(failure.error, LeakError) else error
        return error

    def _take(self, stage: Stage, step: Step, outcomes: dict[str, Outcome]) -> StageResult:
        if step.action == "skip":
            result = StageResult(stage.name, "skipped", step.reason, 0.0)
            self._listener.ended(result)
            outcomes[stage.name] = self._earlier(stage)
            return result
        self._listener.started(stage.name, step.reason)
        start = time.monotonic()
        try:
            outcome = self._run_stage(stage)
        except BaseException as error:
            expected = _as_expected(error)
            said = str(expected) if isinstance(expected, AsteroidError) else f"{type(error).__name__}: {error}"
            result = StageResult(stage.name, "failed", said, time.monotonic() - start)
            self._listener.ended(result)
            raise StageFailedError(result, expected) from error
        outcomes[stage.name] = outcome
        result = StageResult(stage.name, outcome.status, step.reason, time.monotonic() - start, outcome.note)
        self._listener.ended(result)
        return result

    def _earlier(self, stage: Stage) -> Outcome:
        """The numbers of an earlier run, for a stage that is up to date."""
        path = self._directory / (stage.result or "")
        if stage.result is None or not path.is_file():
            return Outcome()
        found = read_json(path)
        return Outcome(metrics=found["metrics"], findings=tuple(found["findings"]))

    def open_resources(self) -> list[OpenResource]:
        """Everything of ours that bills at this moment on the account, found by its tags, whoever made it."""
        from asteroid_ll.aws.billing import open_resources

        if self._config.target == "emulator" and not self._directory.is_dir():
            return []  # an account that nobody has used; to ask it would make it
        return open_resources(self._aws)

    def context(self, name: str) -> Context:
        """What the stage would be given now.

        Raises:
            ConfigError: the outputs of a stage that it needs are missing or out of date.
        """
        stage = next(stage for stage in self._stages if stage.name == name)
        snapshot = self.snapshot()
        self._require_inputs(stage, snapshot)
        return self._context(stage, inputs_of(stage, snapshot), say=lambda _line: None)

    def _context(self, stage: Stage, inputs: Mapping[str, str], *, say: Callable[[str], None]) -> Context:
        return Context(
            config=self._config,
            directory=self._directory,
            journal=self._journal,
            fingerprint=fingerprint_of(stage, self.settings[stage.name], inputs),
            inputs=inputs,
            connect=lambda: self._aws,
            say=say,
        )

    def _run_stage(self, stage: Stage) -> Outcome:
        inputs: Mapping[str, str] = {}
        if not stage.undoes:  # what ends a bill must not depend on whether anything else can be read
            snapshot = self.snapshot()
            self._require_inputs(stage, snapshot)
            inputs = inputs_of(stage, snapshot)
        context = self._context(stage, inputs, say=lambda line: self._listener.progress(stage.name, line))
        outcome = stage.run(context)
        outputs = {path: self._reader.digest_of(path) for path in outcome.outputs}
        if not stage.transient:
            self._journal.append(
                "done",
                stage=stage.name,
                fingerprint=context.fingerprint,
                version=stage.version,
                settings=self.settings[stage.name],
                inputs=inputs,
                outputs=outputs,
                identity=outcome.identity or digest(outputs),
            )
        self._problems.pop(stage.name, None)
        return outcome

    def _require_inputs(self, stage: Stage, snapshot: Snapshot) -> None:
        """A stage alone never works on inputs that are missing or out of date: its numbers would mislead."""
        found = plan(self._stages, self.settings, snapshot=snapshot)
        for need in stage.needs:
            if found.runs(need):
                raise ConfigError(
                    f"{stage.name} needs the outputs of {need}, which are not up to date: {found[need].reason}.",
                    hint=f"asteroid-ll {need}   or   asteroid-ll run-all --until {stage.name}",
                    stage=need,
                )

    def _verify_inputs(self, found: Plan, snapshot: Snapshot) -> bool:
        """Ask outside the run directory for skipped stages that a running one needs; true when one is missing."""
        for stage in self._stages:
            needed = any(found.runs(other.name) and stage.name in other.needs for other in self._stages)
            if found.runs(stage.name) or not needed or stage.name in self._verified or stage.name not in snapshot.done:
                continue
            self._verified.add(stage.name)
            context = self._context(stage, snapshot.done[stage.name].inputs, say=lambda _line: None)
            missing = stage.verify(context)
            if missing:
                self._problems[stage.name] = missing
                return True
        return False


class StageFailedError(Exception):
    """A stage failed: its result, and the error itself."""

    def __init__(self, result: StageResult, error: BaseException) -> None:
        super().__init__(result.reason)
        self.result = result
        self.error = error


def _as_expected(error: BaseException) -> BaseException:
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError("Interrupted.", hint="asteroid-ll run-all   goes on where it stopped.")
    return refused_by_system(error) or error
