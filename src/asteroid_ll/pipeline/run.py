"""Executes a plan: one stage after the other, planned again after each one.

`plan` decides whether a stage runs, and why. The executor adds the order, a journal record for each success, and the
teardown of everything that bills, also after a failure or an interruption.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.errors import AsteroidError, ConfigError, InterruptedRunError, LeakError
from asteroid_ll.pipeline.plan import Plan, Snapshot, Step, digest, fingerprint_of, inputs_of, plan
from asteroid_ll.pipeline.state import StateReader
from asteroid_ll.redaction import redacted
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import refused_by_system
from asteroid_ll.run.files import read_json
from asteroid_ll.stages.stage import Context, Outcome, Settings, Stage

if TYPE_CHECKING:
    from asteroid_ll.aws.billing import OpenResource
    from asteroid_ll.aws.session import Aws
    from asteroid_ll.config import Config
    from asteroid_ll.run.journal import Journal


@dataclass(frozen=True)
class StageResult:
    """The result of one stage.

    Attributes:
        name: the stage.
        status: ``"run"``, ``"skipped"``, ``"adopted"`` or ``"failed"``.
        reason: why it ran or not; the error if it failed.
        seconds: wall time.
        note: a few words about the outcome.
    """

    name: str
    status: str
    reason: str
    seconds: float
    note: str = ""


@dataclass(frozen=True, repr=False)
class RunResult:
    """The result of a run.

    Attributes:
        workdir: the run directory.
        stages: one result per stage, in order.
        metrics: the numbers of the prediction; empty if the run ended before it.
        findings: sentences that explain the numbers.
        open: resources that may still be billed, kind by name.
        error: the failure that ended the run, or None.
    """

    workdir: Path
    stages: tuple[StageResult, ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    open: Mapping[str, str] = field(default_factory=dict)
    error: AsteroidError | None = None

    @property
    def scores(self) -> Mapping[str, Any]:
        """The model's scores on the test part by name, such as ``f1``; empty if there are none."""
        model: Mapping[str, Any] = self.metrics.get("scores", {}).get("model", {})
        return model

    @property
    def artifact(self) -> Path:
        """Path of the trained model, SageMaker's ``model.tar.gz``."""
        return self.workdir / paths.ARTIFACT

    @property
    def predictions(self) -> Path:
        """Path of the scored test part, a CSV file."""
        return self.workdir / paths.PREDICTIONS

    @property
    def report(self) -> Path:
        """Path of the HTML report."""
        return self.workdir / paths.REPORT_HTML

    def __repr__(self) -> str:
        n_run = sum(stage.status != "skipped" for stage in self.stages)
        f1 = self.scores.get("f1")
        score = "" if f1 is None else f", F1 {f1:.4f}"
        bill = f"{len(self.open)} resources open" if self.open else "nothing open"
        return f"RunResult({str(self.workdir)!r}, {n_run} of {len(self.stages)} stages run{score}, {bill})"


@dataclass(frozen=True)
class Listener:
    """Functions that are called during a run; they must return quickly."""

    started: Callable[[str, str], None] = lambda _stage, _reason: None
    progress: Callable[[str, str], None] = lambda _stage, _line: None
    note: Callable[[str], None] = lambda _line: None
    ended: Callable[[StageResult], None] = lambda _result: None


class Pipeline:
    """The stages over one run directory.

    Args:
        stages: all stages, in order.
        config: the configuration.
        directory: the run directory.
        journal: its journal.
        connect: opens a session with AWS or the emulator.
        listener: functions that are called for each stage.
        run: the run's name, see `asteroid_ll.run.identity.Identity`.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        config: Config,
        *,
        directory: Path,
        journal: Journal,
        connect: Callable[[], Aws],
        listener: Listener,
        run: str,
    ) -> None:
        self._stages = tuple(stages)
        self._config = config
        self._directory = directory
        self._journal = journal
        self._connect = connect
        self._listener = listener
        self._run = run
        self._reader = StateReader(directory, journal)
        self._problems: dict[str, str] = {}
        self._verified: set[str] = set()

    @cached_property
    def settings(self) -> dict[str, Settings]:
        """The settings of each stage, by its name, without secrets: a new signature gives the same fingerprint."""
        return {stage.name: redacted(stage.settings(self._config)) for stage in self._stages}

    @cached_property
    def _aws(self) -> Aws:
        return self._connect()

    def close(self) -> None:
        """Close the session, if one was opened."""
        if "_aws" in self.__dict__:
            self._aws.close()

    def snapshot(self) -> Snapshot:
        """Return the present state of the run directory."""
        return self._reader.read(self._stages, self._config, problems=self._problems)

    def plan(self, *, forced: Collection[str] = (), selected: Collection[str] | None = None) -> Plan:
        """Return what would run now, after a check of the inputs outside the run directory."""
        while True:
            snapshot = self.snapshot()
            current = plan(self._stages, self.settings, snapshot=snapshot, forced=forced, selected=selected)
            if not self._verify_inputs(current, snapshot):
                return current

    def run(
        self, *, forced: Collection[str] = (), selected: Collection[str] | None = None, tear_down: bool = True
    ) -> RunResult:
        """Run the plan, stage by stage.

        Args:
            forced: stages to run even if they are up to date.
            selected: stages that may run; None for all.
            tear_down: always end with the teardown, also after a failure; if False, teardown runs only if forced.

        Returns:
            The results of the stages. An expected failure is in ``error``; a bug is raised.
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
                    requested = Step(stage.name, "run", "asked for")
                    step = requested if stage in last else self.plan(forced=remaining, selected=selected)[stage.name]
                    results.append(self._execute(stage, step, outcomes))
                remaining.discard(stage.name)
        except StageFailedError as failure:
            results.append(failure.result)
            error = failure.error
        except BaseException as failure:  # between two stages, when a resource may be open too
            error = _as_expected(failure)
        if tear_down:
            error = self._tear_down(last, results, outcomes, error=error)
        if error is not None and not isinstance(error, AsteroidError):
            raise error
        return RunResult(
            workdir=self._directory,
            stages=tuple(results),
            metrics={k: v for outcome in outcomes.values() for k, v in outcome.metrics.items()},
            findings=tuple(sentence for outcome in outcomes.values() for sentence in outcome.findings),
            open=self._open_after(results),
            error=error,
        )

    def _open_after(self, results: Sequence[StageResult]) -> Mapping[str, str]:
        """Return the resources that may still be billed, from the journal; none after a successful teardown."""
        undoing = {stage.name for stage in self._stages if stage.undoes}
        if any(result.name in undoing and result.status == "run" for result in results):
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
                continue  # an interrupted training job keeps running, as on AWS; the error names the command to stop it
            try:
                reason = "after a failure" if error else f"after {' and '.join(touched)}"
                step = Step(stage.name, "run", reason) if touched else self.plan(selected=(stage.name,))[stage.name]
                results.append(self._execute(stage, step, outcomes))
            except StageFailedError as failure:
                results.append(failure.result)
                error = failure.error if error is None or isinstance(failure.error, LeakError) else error
        return error

    def _execute(self, stage: Stage, step: Step, outcomes: dict[str, Outcome]) -> StageResult:
        """Run or skip a stage, and add its outcome to the outcomes."""
        if step.action == "skip":
            result = StageResult(stage.name, "skipped", step.reason, 0.0)
            self._listener.ended(result)
            outcomes[stage.name] = self._stored_outcome(stage)
            return result
        self._listener.started(stage.name, step.reason)
        start = time.monotonic()
        try:
            outcome = self._run_stage(stage, stage.rescore if step.from_stored and stage.rescore else stage.run)
        except BaseException as error:
            expected = _as_expected(error)
            reason = str(expected) if isinstance(expected, AsteroidError) else f"{type(error).__name__}: {error}"
            result = StageResult(stage.name, "failed", redacted(reason), time.monotonic() - start)
            self._listener.ended(result)
            raise StageFailedError(result, expected) from error
        outcomes[stage.name] = outcome
        result = StageResult(stage.name, outcome.status, step.reason, time.monotonic() - start, outcome.note)
        self._listener.ended(result)
        return result

    def _stored_outcome(self, stage: Stage) -> Outcome:
        """Return the numbers of an earlier run, for a stage that is up to date."""
        path = self._directory / (stage.result or "")
        if stage.result is None or not path.is_file():
            return Outcome()
        stored = read_json(path)
        return Outcome(metrics=stored["metrics"], findings=tuple(stored["findings"]))

    def open_resources(self) -> list[OpenResource]:
        """Return everything with our tags that bills now on the account, from any run."""
        from asteroid_ll.aws.billing import open_resources

        if self._config.target == "emulator" and not self._directory.is_dir():
            return []  # connecting would create the account
        return open_resources(self._aws)

    def of_other_runs(self, resources: Sequence[OpenResource]) -> list[OpenResource]:
        """Return the resources that this run directory did not create, by their tag."""
        return [resource for resource in resources if resource.run != self._run]

    def context(self, name: str) -> Context:
        """Return the context that the stage would get now.

        Raises:
            ConfigError: the outputs of a stage that it needs are missing or out of date.
        """
        stage = next(stage for stage in self._stages if stage.name == name)
        snapshot = self.snapshot()
        self._require_inputs(stage, snapshot)
        return self._context(stage, inputs_of(stage, snapshot), progress=lambda _line: None)

    def _context(self, stage: Stage, inputs: Mapping[str, str], *, progress: Callable[[str], None]) -> Context:
        return Context(
            config=self._config,
            directory=self._directory,
            journal=self._journal,
            fingerprint=fingerprint_of(stage, self.settings[stage.name], inputs),
            inputs=inputs,
            run=self._run,
            connect=lambda: self._aws,
            progress=progress,
        )

    def _run_stage(self, stage: Stage, function: Callable[[Context], Outcome]) -> Outcome:
        """Call a stage's function and record its success in the journal."""
        inputs: Mapping[str, str] = {}
        if not stage.undoes:  # a teardown must not depend on other files
            snapshot = self.snapshot()
            self._require_inputs(stage, snapshot)
            inputs = inputs_of(stage, snapshot)
        context = self._context(stage, inputs, progress=lambda line: self._listener.progress(stage.name, line))
        outcome = function(context)
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
        """Refuse to run a stage on inputs that are missing or out of date."""
        current = plan(self._stages, self.settings, snapshot=snapshot)
        for need in stage.needs:
            if current.runs(need):
                raise ConfigError(
                    f"{stage.name} needs the outputs of {need}, which are not up to date: {current[need].reason}.",
                    hint=f"asteroid-ll {need}   or   asteroid-ll run-all --until {stage.name}",
                    stage=need,
                )

    def _verify_inputs(self, current: Plan, snapshot: Snapshot) -> bool:
        """Verify the skipped stages that a running one needs; return True if an output is missing."""
        for stage in self._stages:
            needed = any(current.runs(other.name) and stage.name in other.needs for other in self._stages)
            if (
                current.runs(stage.name)
                or not needed
                or stage.name in self._verified
                or stage.name not in snapshot.done
            ):
                continue
            self._verified.add(stage.name)
            context = self._context(stage, snapshot.done[stage.name].inputs, progress=lambda _line: None)
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
    """Return the expected failure that an error stands for, or the error itself."""
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError("Interrupted.", hint="asteroid-ll run-all   continues the run.")
    return refused_by_system(error) or error
