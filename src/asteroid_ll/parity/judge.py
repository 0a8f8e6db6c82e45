"""Runs a job again and judges it: a verdict for each number and decision, and the likely cause if they differ.

One run is enough if everything is equal. Otherwise two more runs, with initial weights that are changed by one unit in
the last place of float32, show how far rounding alone carries this job. If a cause needs a proof, at most
`patterns.MAX_TRIALS` other hyperparameters are tried, each with the same test if it nearly fits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asteroid_ll.errors import DataError
from asteroid_ll.linear_learner import artifact
from asteroid_ll.linear_learner.hyperparameters import aws_defaults
from asteroid_ll.linear_learner.images import NEWEST
from asteroid_ll.linear_learner.log_reader import JobHistory, read_log, read_provided
from asteroid_ll.parity.evidence import Cause, Evidence
from asteroid_ll.parity.facts import Fact, compare_facts, compare_shapes, is_complete
from asteroid_ll.parity.figures import causes_in_figures
from asteroid_ll.parity.job import Job
from asteroid_ll.parity.noise import VERDICTS, Compared, Verdict, compare
from asteroid_ll.parity.numbers import OF_ARTIFACT, OURS, algorithm_of, failure_of, numbers_of, of_first_host
from asteroid_ll.parity.patterns import causes_of_losses
from asteroid_ll.parity.rerun import Rerun, run_again

_WHOLE_LOG = "Give the whole log of a Linear Learner job, from its first line on."
_PROGRESS = "#progress_metric: "
_SECONDS_BETWEEN_LINES = 5
_DISTRIBUTED = "Create Store: dist"
_DIFFERENT = VERDICTS.index("different")


@dataclass(frozen=True)
class Parity:
    """The judgement of a job.

    Attributes:
        job: the job's name.
        generation: year of the images that print such a log; None if no known image does.
        numbers: the printed numbers and the artifact's, judged, by kind.
        facts: the decisions, judged.
        causes: the likely causes, the most certain first; empty if the job is equal.
        notes: sentences about what could not be compared.
        n_runs: number of runs that the judgement took.
    """

    job: str
    generation: str | None
    numbers: Mapping[str, Compared]
    facts: tuple[Fact, ...]
    causes: tuple[Cause, ...]
    notes: tuple[str, ...]
    n_runs: int

    @property
    def verdict(self) -> Verdict:
        """The worst verdict on a number or a decision; different if there is a cause."""
        if self.causes or self.count("different"):
            return "different"
        return "drifted" if self.count("drifted") else "equal"

    @property
    def is_equal(self) -> bool:
        """Whether the job is ours, but for rounding."""
        return self.verdict != "different"

    def count(self, verdict: Verdict) -> int:
        """Return how many numbers and decisions have a verdict."""
        facts = sum(fact.verdict == verdict for fact in self.facts)
        return facts + sum(item.count(verdict) for item in self.numbers.values())

    @property
    def n_numbers(self) -> int:
        """How many numbers were compared."""
        return sum(item.count(verdict) for item in self.numbers.values() for verdict in VERDICTS)

    def sentence(self) -> str:
        """Return the judgement in words."""
        n, n_different, n_drifted = (
            sum(item.count(verdict) for item in self.numbers.values() for verdict in verdicts)
            for verdicts in (VERDICTS, ("different",), ("drifted",))
        )
        decisions = ", ".join(fact.name for fact in self.facts if fact.verdict == "different")
        if not n:
            if self.is_equal:
                return f"Equal: the job fails here too, for the same reason: {self.facts[-1].ours}"
            return "Different: the job and our run of it do not end in the same way."
        if self.is_equal and not n_drifted:
            return f"Equal: all {n:,} numbers are the job's, to float32 rounding."
        if self.is_equal:
            return (
                f"Equal: {n - n_drifted:,} of {n:,} numbers are the job's, to float32 rounding. {n_drifted:,} drifted "
                "by no more than our own runs do if one unit in the last place of the initial weights changes."
            )
        if not n_different:
            end = f", but these decisions are not: {decisions}" if decisions else ""
            return f"Different: all {n:,} numbers are the job's{end}."
        also = f", and these decisions: {decisions}" if decisions else ""
        return f"Different: {n_different:,} of {n:,} numbers are not the job's{also}."


class Judge:
    """Judges one job.

    Args:
        job: its parts.
        progress: receives sentences about what runs.
    """

    def __init__(self, job: Job, *, progress: Callable[[str], None]) -> None:
        self._job = job
        self._log = of_first_host(job.log)
        self._progress = progress
        self._n_runs = 0

    def judge(self) -> Parity:
        """Run the job again, and as often as the differences need it.

        Raises:
            DataError: the log is not that of a Linear Learner job, or a part of the job is missing.
        """
        job, log = self._job, self._log
        algorithm = algorithm_of(log)
        if algorithm not in ("", OURS):
            raise DataError(f"The log is of another algorithm, {algorithm}, and not of {OURS}.", hint=_WHOLE_LOG)
        self._refuse_hosts()
        try:
            theirs = read_log(log)
        except DataError as error:
            return self._judge_failure(error)
        self._refuse_channels(theirs)
        values = self._hyperparameters(theirs)
        theirs_model = None if job.artifact is None else artifact.read(job.artifact)
        n_models = f"{theirs.n_models} models x {theirs.n_epochs} epochs"
        run = self._train(theirs, values, f"training {n_models} again{_duration(theirs)}")
        if run.failure:
            return self._failed_here(theirs, run.failure)
        their_numbers = numbers_of(log, theirs, theirs_model)
        numbers, facts = self._compare(their_numbers, theirs, run, theirs_model)
        evidence = Evidence(
            described=job.hyperparameters,
            theirs=theirs,
            ours=run.history,
            their_numbers=their_numbers,
            our_numbers=numbers_of(run.log, run.history, run.model),
            compared=numbers,
            facts=facts,
            hyperparameters=values,
            matches=lambda others: self._matches(theirs, numbers, others),
        )
        causes = causes_in_figures(evidence)
        if _can_be_drift(numbers, facts) and not (causes and _is_mostly_different(numbers)):
            nudged = self._nudge(theirs, values)
            numbers, facts = self._compare(their_numbers, theirs, run, theirs_model, nudged=nudged)
        judged = replace(evidence, compared=numbers, facts=facts)
        if not causes and (judged.n_different() or judged.different_facts):
            causes = causes_of_losses(judged)
        if causes:
            causes += tuple(Cause("files", text, is_proven=False) for text in job.doubts)
        return Parity(
            job=job.name,
            generation=theirs.generation.year if theirs.generation else None,
            numbers=numbers,
            facts=facts,
            causes=causes,
            notes=tuple(self._notes(theirs, their_numbers, numbers)),
            n_runs=self._n_runs,
        )

    def _hyperparameters(self, theirs: JobHistory) -> dict[str, str]:
        """Return the job's hyperparameters, with those defaults of its container that are not ours."""
        provided = theirs.provided or self._job.hyperparameters
        if not provided:
            raise DataError("The log does not have the job's hyperparameters.", hint=_WHOLE_LOG)
        defaults = aws_defaults()
        others = {
            name: value
            for name, value in theirs.configuration.items()
            if name in defaults and name not in provided and defaults[name] != value
        }
        return {**others, **provided}

    def _train(self, theirs: JobHistory | None, values: Mapping[str, str], why: str) -> Rerun:
        self._n_runs += 1
        self._progress(why)
        generation = (theirs.generation if theirs else None) or NEWEST
        shown_s = time.monotonic()

        def show(line: str) -> None:
            nonlocal shown_s
            if _PROGRESS in line and time.monotonic() - shown_s > _SECONDS_BETWEEN_LINES:
                shown_s = time.monotonic()
                self._progress(line.partition(_PROGRESS)[2].partition(", ")[2])

        return run_again(self._job, values, generation=generation, on_line=show)

    def _compare(
        self,
        their_numbers: Mapping[str, Any],
        theirs: JobHistory,
        run: Rerun,
        model: artifact.Artifact | None,
        *,
        nudged: tuple[Rerun, ...] = (),
    ) -> tuple[dict[str, Compared], tuple[Fact, ...]]:
        ours = numbers_of(run.log, run.history, run.model)
        others = [numbers_of(other.log, other.history, other.model) for other in nudged]
        facts = compare_facts(theirs, run.history, nudged=[other.history for other in nudged])
        if model is not None and run.model is not None:
            fact = compare_shapes(model, run.model)
            facts += (fact,)
            if fact.verdict == "different":
                their_numbers = {kind: item for kind, item in their_numbers.items() if kind not in OF_ARTIFACT}
        return compare(their_numbers, ours, nudged=others), facts

    def _nudge(self, theirs: JobHistory, values: Mapping[str, str]) -> tuple[Rerun, ...]:
        """Run the job with initial weights that are one unit in the last place larger, and smaller."""
        name = "init_sigma" if values.get("init_method") == "normal" else "init_scale"
        scale = np.float32(values.get(name) or aws_defaults()[name])
        runs = []
        for word, to in (("larger", np.float32(np.inf)), ("smaller", np.float32(0))):
            nudged = {**values, name: repr(float(np.nextafter(scale, to)))}
            runs.append(self._train(theirs, nudged, f"training once more, with initial weights one ulp {word}"))
        return tuple(run for run in runs if not run.failure)

    def _matches(self, theirs: JobHistory, judged: Mapping[str, Compared], values: Mapping[str, str]) -> bool:
        """Return whether other hyperparameters give the log's losses, with the test for drift if they nearly do."""
        own = self._hyperparameters(theirs)
        name = next(name for name, value in own.items() if values.get(name) != value)
        run = self._train(theirs, values, f"training once more, with {name} {values.get(name, 'of the container')}")
        if run.failure:
            return False
        n = self._n_left(theirs, judged, run)
        if n and 2 * n < sum(judged[kind].count("different") for kind in judged if kind.startswith("loss/")):
            n = self._n_left(theirs, judged, run, nudged=self._nudge(theirs, values))
        return n == 0

    def _n_left(
        self, theirs: JobHistory, judged: Mapping[str, Compared], run: Rerun, *, nudged: tuple[Rerun, ...] = ()
    ) -> int:
        """Return how many of the losses that differ still differ in another run."""
        compared, _ = self._compare(numbers_of(self._log, theirs, None), theirs, run, None, nudged=nudged)
        n = abs(run.history.n_epochs - theirs.n_epochs) if is_complete(theirs) else 0
        for kind, item in judged.items():
            if kind.startswith("loss/") and kind in compared:
                others = compared[kind].verdict
                was_different = np.ones(others.shape, np.bool_)
                common = tuple(map(slice, np.minimum(others.shape, item.verdict.shape)))
                was_different[common] = item.verdict[common] == _DIFFERENT
                n += int(np.count_nonzero(was_different & (others == _DIFFERENT)))
        return n

    def _refuse_hosts(self) -> None:
        if _DISTRIBUTED in self._log and self._job.n_hosts == 1:
            raise DataError(
                "The log is of a job on several hosts.",
                hint="Give their number, --hosts N, and --sharded if they shared the files of train.",
            )

    def _refuse_channels(self, theirs: JobHistory) -> None:
        has, had = "validation" in self._job.channels, theirs.validation_objective is not None
        if had and not has:
            raise DataError("The job had a channel validation, and none is given.", hint="Add --validation DIR")
        if has and not had:
            raise DataError("The job had no channel validation, and one is given.", hint="Leave out --validation.")

    def _notes(
        self, theirs: JobHistory, their_numbers: Mapping[str, Any], numbers: Mapping[str, Compared]
    ) -> list[str]:
        notes = []
        if theirs.python is not None and theirs.generation is None:
            notes.append(f"No known image prints such a log, with Python {theirs.python}: AWS may have changed it.")
        absent = sorted({*their_numbers} - {*numbers})
        scores = {kind: item for kind, item in numbers.items() if kind.startswith("score")}
        names = [f"{kind.replace('/', ' ')} {name}" for kind, item in scores.items() for name in item.only_theirs]
        if absent or names:
            missing = ", ".join([*(kind.replace("/", " ") for kind in absent), *names][:5])
            notes.append(f"Not compared, because our run does not have it: {missing}.")
        if self._job.n_hosts > 1:
            notes.append("No log of a real job on several hosts is public, so our way to train one is not verified.")
        return notes

    def _judge_failure(self, error: DataError) -> Parity:
        """Judge a job that failed before its first epoch ended."""
        job = self._job
        reason = job.failure or failure_of(self._log)
        values = read_provided(self._log) or job.hyperparameters
        if not reason or not values:
            raise error
        run = self._train(None, values, "running the failed job again")
        theirs, ours = (_reason(text) for text in (reason, run.failure))
        verdicts: tuple[Verdict, Verdict] = (
            "equal" if ours else "different",
            "equal" if theirs == ours else "different",
        )
        facts = (
            Fact("end", "failed", "failed" if ours else "complete", verdicts[0]),
            Fact("reason", theirs, ours or "-", verdicts[1]),
        )
        cause = () if theirs == ours else (Cause("failure", _failure_text(theirs, ours), is_proven=True),)
        return Parity(job.name, None, {}, facts, cause, (), self._n_runs)

    def _failed_here(self, theirs: JobHistory, failure: str) -> Parity:
        fact = Fact("end", "trained", "failed", "different")
        cause = Cause(
            "failure", f"The job trained, and our run of these files fails: {_reason(failure)}", is_proven=True
        )
        year = theirs.generation.year if theirs.generation else None
        doubts = tuple(Cause("files", text, is_proven=False) for text in self._job.doubts)
        return Parity(self._job.name, year, {}, (fact,), (cause, *doubts), (), self._n_runs)


def _can_be_drift(numbers: Mapping[str, Compared], facts: tuple[Fact, ...]) -> bool:
    """Return whether there are differences that rounding might explain."""
    n = sum(item.count("different") for item in numbers.values())
    return n > 0 or any(fact.verdict == "different" and fact.can_drift for fact in facts)


def _is_mostly_different(numbers: Mapping[str, Compared]) -> bool:
    train = numbers["loss/train"]
    return 2 * train.count("different") > train.verdict.size


def _duration(theirs: JobHistory) -> str:
    """Return how long the job's container took, if its last line has it."""
    for record in reversed(theirs.records):
        total = record.get("Metrics", {}).get("totaltime")
        if isinstance(total, dict) and "sum" in total:
            return f" (the job's container took {float(total['sum']) / 1000:.1f} s)"
    return ""


def _reason(text: str) -> str:
    """Return the reason of a failure without the kind in front of it."""
    for kind in ("ClientError: ", "AlgorithmError: ", "Customer Error: "):
        text = text.removeprefix(kind)
    return " ".join(text.partition(", exit code")[0].split())


def _failure_text(theirs: str, ours: str) -> str:
    if not ours:
        return f"The job failed, and our run of these files does not: {theirs}"
    return f"Both fail, and not in the same words: {ours}"
