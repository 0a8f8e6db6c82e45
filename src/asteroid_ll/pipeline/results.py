"""The results of a run and of its stages, and the functions that hear of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asteroid_ll.errors import AsteroidError
from asteroid_ll.run import paths


@dataclass(frozen=True)
class StageResult:
    """The result of one stage.

    Attributes:
        name: the stage.
        status: ``"run"``, ``"skipped"``, ``"adopted"``, ``"started"`` or ``"failed"``.
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
        price: the most that the run could cost, as JSON values; None if nothing on an AWS account was to be done.
        bill: the cost of the job and the endpoint beside the worst case, as JSON values; None if it is unknown.
        open: resources that may still be billed, kind by name; None if that is unknown.
        error: the failure that ended the run, or None.
    """

    workdir: Path
    stages: tuple[StageResult, ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    open: Mapping[str, str] | None = field(default_factory=dict)
    price: Mapping[str, Any] | None = None
    bill: Mapping[str, Any] | None = None
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
        bill = "open resources unknown" if self.open is None else bill
        return f"RunResult({str(self.workdir)!r}, {n_run} of {len(self.stages)} stages run{score}, {bill})"


@dataclass(frozen=True)
class Listener:
    """Functions that are called during a run; they must return quickly. Without ``log``, no log is read meanwhile."""

    started: Callable[[str, str], None] = lambda _stage, _reason: None
    progress: Callable[[str, str], None] = lambda _stage, _line: None
    note: Callable[[str], None] = lambda _line: None
    ended: Callable[[StageResult], None] = lambda _result: None
    log: Callable[[str], None] | None = None
