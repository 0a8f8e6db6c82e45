"""Executes a plan: one stage after the other, planned again after each one.

`plan` decides whether a stage runs, and why. The executor adds the order, a journal record for each success, and the
teardown of everything that bills, also after a failure or an interruption.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.errors import AsteroidError, ConfigError, DataError, InterruptedRunError
from asteroid_ll.pipeline import supervisor
from asteroid_ll.pipeline.plan import Plan, Snapshot, Step, digest, fingerprint_of, inputs_of, plan
from asteroid_ll.pipeline.prices import PriceCheck
from asteroid_ll.pipeline.results import Listener, RunResult, StageResult
from asteroid_ll.pipeline.state import StateReader
from asteroid_ll.redaction import redacted
from asteroid_ll.report.bill import bill_of
from asteroid_ll.report.drawing import Drawing
from asteroid_ll.run import signals
from asteroid_ll.run.files import read_json
from asteroid_ll.run.usage import measured
from asteroid_ll.stages.registry import import_ahead
from asteroid_ll.stages.stage import Context, Outcome, Settings, Stage

if TYPE_CHECKING:
    from asteroid_ll.aws.billing import OpenResource
    from asteroid_ll.aws.pricing import Estimate
    from asteroid_ll.aws.session import Aws
    from asteroid_ll.config import Config
    from asteroid_ll.run.journal import Journal
    from asteroid_ll.run.signals import Interruptions


class Pipeline:
    """The stages over one run directory.

    Args:
        stages: all stages, in order.
        config: the configuration.
        directory: the run directory.
        journal: its journal.
        connect: opens a session with AWS or the emulator.
        listener: functions that are called for each stage.
        worst_case: returns the most that a run can cost; None if it costs nothing.
        run: the run's name, see `asteroid_ll.run.identity.Identity`.
        preflight: checks the account before the first stage of a run that costs something, with the price and the
            names of the stages that run; None to leave it out.
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
        worst_case: Callable[[], Estimate | None] = lambda: None,
        preflight: Callable[[Aws, Estimate, Collection[str]], None] | None = None,
    ) -> None:
        self._stages = tuple(stages)
        self._config = config
        self._directory = directory
        self._journal = journal
        self._connect = connect
        self._listener = listener
        self._run = run
        self._preflight = preflight
        self._price = PriceCheck(self._stages, worst_case, max_usd=config.cost.max_usd)
        self._reader = StateReader(directory, journal)
        self._problems: dict[str, str] = {}
        self._verified: set[str] = set()
        self._waits = True
        self._drawing = Drawing()
        self._ahead: Iterator[None] = iter(())

    @cached_property
    def settings(self) -> dict[str, Settings]:
        """The settings of each stage, by its name, without secrets: a new signature gives the same fingerprint."""
        return {stage.name: redacted(stage.settings(self._config)) for stage in self._stages}

    @cached_property
    def _aws(self) -> Aws:
        return self._connect()

    @property
    def max_usd(self) -> float:
        """The most that a run may cost, US dollars."""
        return self._config.cost.max_usd

    def price_of(self, plan: Plan) -> Estimate | None:
        """Return the most that a plan can cost; None if it does nothing on an AWS account."""
        return self._price.of(plan)

    def require_price(self) -> None:
        """Show the most that a run can cost, and refuse it above the cap.

        Raises:
            ConfigError: the worst case is above the cap, or unknown.
        """
        self._price.require(self._listener.note)

    def close(self) -> None:
        """Close the session, if one was opened, and end the process that draws."""
        self._drawing.close()
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
        self,
        *,
        forced: Collection[str] = (),
        selected: Collection[str] | None = None,
        tear_down: bool = True,
        waits: bool = True,
    ) -> RunResult:
        """Run the plan, stage by stage.

        Args:
            forced: stages to run even if they are up to date.
            selected: stages that may run; None for all.
            tear_down: always end with the teardown, also after a failure; if False, teardown runs only if forced.
            waits: wait for the job that a stage starts; if False, a later run takes it up.

        Returns:
            The results of the stages. An expected failure is in ``error``; a bug is raised.
        """
        self._waits = waits
        results: list[StageResult] = []
        outcomes: dict[str, Outcome] = {}
        error: BaseException | None = None
        with signals.caught() as interruptions:
            try:
                try:
                    self._run_stages(results, outcomes, interruptions, forced=forced, selected=selected)
                finally:
                    interruptions.hold()  # a signal before this line has held the later ones
            except BaseException as failure:
                error = supervisor.as_expected(failure)
            for stage in self._stages:
                is_asked_for = error is None and stage.name in forced and (selected is None or stage.name in selected)
                if stage.undoes and (tear_down or is_asked_for):
                    error = self._tear_down(stage, results, outcomes, error=error, is_asked_for=not tear_down)
            if error is None and (interruptions.is_interrupted or interruptions.n_noted):
                error = InterruptedRunError(
                    "Interrupted. The run had reached its end, and its teardown was completed.",
                    hint="asteroid-ll status   shows what is done and what is open.",
                )
        if error is not None and not isinstance(error, AsteroidError):
            raise error
        return RunResult(
            workdir=self._directory,
            stages=tuple(results),
            metrics={k: v for outcome in outcomes.values() for k, v in outcome.metrics.items()},
            findings=tuple(sentence for outcome in outcomes.values() for sentence in outcome.findings),
            open=self._open_after(results),
            price=self._price.shown(),
            bill=self._bill(),
            error=error,
        )

    def _run_stages(
        self,
        results: list[StageResult],
        outcomes: dict[str, Outcome],
        interruptions: Interruptions,
        *,
        forced: Collection[str],
        selected: Collection[str] | None,
    ) -> None:
        """Run or skip the selected stages in order, except teardowns."""
        remaining = set(forced)
        for stage in self._stages:
            if interruptions.is_interrupted:
                raise KeyboardInterrupt
            if not stage.undoes and (selected is None or stage.name in selected):
                current = self.plan(forced=remaining, selected=selected)
                to_run = [step.stage for step in current.steps if step.action == "run"]
                if not results:
                    self._ahead = import_ahead(to_run, self._config)
                if self._config.report.figures and any(s.draws and s.name in to_run for s in self._stages):
                    self._drawing.start()
                price = self._price.check(current, self._listener.note)
                if price is not None and self._preflight is not None:
                    self._preflight(self._aws, price, to_run)
                self._execute(stage, current[stage.name], results, outcomes)
            remaining.discard(stage.name)

    def _open_after(self, results: Sequence[StageResult]) -> Mapping[str, str] | None:
        """Return the resources that may still be billed, from the journal; None if it cannot be read.

        A teardown by the tags alone that has proven absence needs no journal.
        """
        undoing = {stage.name for stage in self._stages if stage.undoes}
        is_proven = any(result.name in undoing and result.status == "run" for result in results)
        open_now = supervisor.open_in(self._journal)
        return {} if open_now is None and is_proven else open_now

    def _bill(self) -> Mapping[str, Any] | None:
        """Return the cost of the jobs and the endpoint so far; None if a file of the run directory is damaged."""
        try:
            return bill_of(self._directory, self._config, self._journal.read())
        except DataError:
            return None

    def _tear_down(
        self,
        stage: Stage,
        results: list[StageResult],
        outcomes: dict[str, Outcome],
        *,
        error: BaseException | None,
        is_asked_for: bool,
    ) -> BaseException | None:
        """Run a teardown if the rule of `supervisor` requires it; return the error with which the run ends."""
        try:
            touched = [result.name for result in results if result.name in stage.undoes and result.status != "skipped"]
            reason: str | None = "asked for"
            open_now = supervisor.open_in(self._journal)
            if not is_asked_for:
                reason = supervisor.reason_to_tear_down(open_now, touched=touched, has_failed=error is not None)
            if reason is None and error is not None:
                return error
            step = Step(stage.name, "run", reason) if reason else Step(stage.name, "skip", "nothing is open")
            function = stage.run
            spared = frozenset() if error is None else supervisor.spared_after_failure(open_now)
            sparing = replace(stage, run=lambda context: function(replace(context, spared=spared)))
            self._execute(sparing, step, results, outcomes)
            if reason is None and self._config.target == "aws":
                supervisor.warn_of_expired(lambda: self.of_other_runs(self.open_resources()), self._listener.note)
        except BaseException as failure:
            expected = supervisor.as_expected(failure)
            return supervisor.error_after_teardown(expected, error, open_now=supervisor.open_in(self._journal))
        return error

    def _execute(self, stage: Stage, step: Step, results: list[StageResult], outcomes: dict[str, Outcome]) -> None:
        """Run or skip a stage; add its result and its outcome before anyone hears of them."""
        listener = self._listener_of(stage)
        if step.action == "skip":
            outcomes[stage.name] = self._stored_outcome(stage)
            results.append(StageResult(stage.name, "skipped", step.reason, 0.0))
            listener.ended(results[-1])
            return
        listener.started(stage.name, step.reason)
        start = time.monotonic()
        try:
            outcome = self._run_stage(stage, stage.rescore if step.from_stored and stage.rescore else stage.run)
        except BaseException as error:
            expected = supervisor.as_expected(error)
            reason = str(expected) if isinstance(expected, AsteroidError) else f"{type(error).__name__}: {error}"
            results.append(StageResult(stage.name, "failed", redacted(reason), time.monotonic() - start))
            listener.ended(results[-1])
            if expected is error:
                raise
            raise expected from error
        outcomes[stage.name] = outcome
        results.append(StageResult(stage.name, outcome.status, step.reason, time.monotonic() - start, outcome.note))
        listener.ended(results[-1])

    def _listener_of(self, stage: Stage) -> Listener:
        """Return the listener; for a teardown, one whose errors do not stop it, such as a closed terminal's."""
        if not stage.undoes:
            return self._listener
        heard = self._listener
        return Listener(
            started=supervisor.quietly(heard.started),
            progress=supervisor.quietly(heard.progress),
            ended=supervisor.quietly(heard.ended),
        )

    def _stored_outcome(self, stage: Stage) -> Outcome:
        """Return the numbers of an earlier run, for a stage that is up to date."""
        path = self._directory / (stage.result or "")
        if not path.is_file():  # also without a result, which gives the directory
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
            waits=self._waits,
            log=self._listener.log,
            drawing=self._drawing,
            idle=lambda: next(self._ahead, None),
        )

    def _run_stage(self, stage: Stage, function: Callable[[Context], Outcome]) -> Outcome:
        """Call a stage's function and record its success in the journal."""
        inputs: Mapping[str, str] = {}
        if not stage.undoes:  # a teardown must not depend on other files
            snapshot = self.snapshot()
            self._require_inputs(stage, snapshot)
            inputs = inputs_of(stage, snapshot)
        report = self._listener_of(stage).progress
        context = self._context(stage, inputs, progress=lambda line: report(stage.name, line))
        outcome, usage = measured(lambda: function(context))
        outputs = {path: self._reader.digest_of(path) for path in outcome.outputs}
        if not stage.transient and outcome.status != "started":
            self._journal.append(
                "done",
                stage=stage.name,
                fingerprint=context.fingerprint,
                version=stage.version,
                settings=self.settings[stage.name],
                inputs=inputs,
                outputs=outputs,
                identity=outcome.identity or digest(outputs),
                usage=usage,
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
