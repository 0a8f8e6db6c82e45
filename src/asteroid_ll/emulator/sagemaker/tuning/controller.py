"""A tuning job's process: it starts training jobs, waits for them, and ends when enough is known.

Its arguments are ``STATE_DIR REGION JOB CLOCK_AHEAD_S``. It outlives the client that created the tuning job. If it
dies, the emulator starts another one when it next looks at the tuning job. That one continues from the rows: the name
of the next training job is in the tuning job's row before that training job exists, so none is created twice.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from asteroid_ll.emulator.resources import Resource, Resources
from asteroid_ll.emulator.sagemaker.tuning import children as child_rows
from asteroid_ll.emulator.sagemaker.tuning.children import SUCCEEDED, Child, read_children
from asteroid_ll.emulator.sagemaker.tuning.early_stopping import is_worse_than_median
from asteroid_ll.emulator.sagemaker.tuning.ranges import read_space
from asteroid_ll.emulator.sagemaker.tuning.search import suggest
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.jobs import TUNING, JobDeletedError, Jobs
from asteroid_ll.emulator.worker.log import TRAINING_GROUP, LogStore, readings
from asteroid_ll.emulator.worker.process import run_claimed

_POLL_S = 0.1
MOST_ATTEMPTS = 5
"""A tuning job fails if none of so many training jobs has a result. AWS's messages have this number."""

NO_SUCCESS = (
    "No training job succeeded after {} attempts. Please take a look at the training job failures to get more details."
)
NO_OBJECTIVE = (
    "No objective metrics found after running {} training jobs. Please ensure that the custom algorithm is emitting "
    "the objective metric as defined by the regular expression provided."
)


class Controller:
    """Runs one claimed tuning job to its end.

    Args:
        state: the emulator's state.
        job: the tuning job, claimed by this process.
    """

    def __init__(self, state: State, job: Resource) -> None:
        self.state = state
        self.job = job
        self.jobs = Jobs(state)
        self.tunings = Jobs(state, TUNING)
        self.resources = Resources(state)
        self.logs = LogStore(state)
        self.directory = self.tunings.directory(job)
        request = job.body["request"]
        self.config, self.definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
        self.space = read_space(self.config["ParameterRanges"])
        self._ended_losses: dict[str, list[float]] = {}

    def stop(self, _number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Handle SIGTERM: nothing to do, because the row has the stop request."""

    def run(self) -> None:
        """Run the tuning job to its end and record the result in its row."""
        try:
            while not self.step():
                time.sleep(_POLL_S)
        except JobDeletedError:
            return
        except BaseException:
            self._stop_active(read_children(self.resources, self._reload()))
            raise

    def step(self) -> bool:
        """Do what is due: end, stop or start training jobs. Return whether the tuning job has ended."""
        self.jobs.settle()
        tuning = self._adopt_next(self._reload())
        children = read_children(self.resources, tuning)
        status, reason = ending(tuning, children, now_s=self.state.now())
        if status:
            self._stop_active(children)
            if any(child.is_active for child in children):
                return False
            self.tunings.finish(tuning, status, **({"reason": reason} if reason else {}))
            return True
        if self.config["TrainingJobEarlyStoppingType"] == "Auto":
            self._stop_early(tuning, children)
        n_active = sum(child.is_active for child in children)
        if n_active < self.config["ResourceLimits"]["MaxParallelTrainingJobs"] and _is_more(tuning, children):
            self._launch(tuning, children)
            return self.step()
        return False

    def _launch(self, tuning: Resource, children: Sequence[Child]) -> None:
        """Start the next training job, under the name that the row has for it."""
        tried = child_rows.trials(tuning, children)
        tuned = suggest(self.space, self.config["Strategy"], tried, seed=tuning.body["seed"])
        name = child_rows.new_name(tuning, len(children) + 1)
        self.tunings.note(tuning, next={"name": name, "tuned": tuned})
        request = child_rows.child_request(self.definition, name=name, tuned=tuned)
        tags = self.resources.tags(tuning.arn)
        job = self.jobs.new(tuning.region, name, request=request, tags=tags, tuning_job_arn=tuning.arn)
        assert job is not None, name
        self.jobs.spawn(job)
        self._adopt_next(self._reload())

    def _adopt_next(self, tuning: Resource) -> Resource:
        """Enter the next training job into the row if it exists, also if a process that died has created it."""
        entry = tuning.body.get("next")
        if entry is None or self.jobs.get(tuning.region, entry["name"]) is None:
            return tuning
        self.tunings.note(tuning, next=None, children=[*tuning.body["children"], entry])
        return self._reload()

    def _stop_active(self, children: Sequence[Child]) -> None:
        for child in children:
            if child.job is not None and child.is_active:
                self.jobs.request_stop(child.job)

    def _stop_early(self, tuning: Resource, children: Sequence[Child]) -> None:
        """Stop the training jobs that the median rule stops."""
        earlier: list[list[float]] = []
        for child in children:
            if child.job is None:
                continue
            losses = self._ended_losses.get(child.name) or self._losses_by_epoch(tuning, child.job)
            if not child.is_active:
                self._ended_losses[child.name] = losses
                earlier.append(losses)
            elif child.job.status == "InProgress" and is_worse_than_median(losses, earlier):
                self.jobs.request_stop(child.job)

    def _losses_by_epoch(self, tuning: Resource, job: Resource) -> list[float]:
        metric, sign = child_rows.objective_of(tuning)["MetricName"], child_rows.sign_of(tuning)
        streams = self.logs.stream_names(job.region, TRAINING_GROUP, prefix=f"{job.name}/algo-1-")
        lines = (line for stream in streams for line in self.logs.lines(job.region, TRAINING_GROUP, stream))
        return [sign * reading.value for reading in readings(lines) if reading.name == metric]

    def _reload(self) -> Resource:
        tuning = self.tunings.get(self.job.region, self.job.name)
        if tuning is None or tuning.created_s != self.job.created_s:
            raise JobDeletedError(f"The tuning job {self.job.arn} was deleted.")
        return tuning


def ending(tuning: Resource, children: Sequence[Child], *, now_s: float) -> tuple[str, str]:
    """Return the status with which a tuning job ends now, and the reason of a failure; empty if it goes on.

    Any of the completion criteria ends it as ``Completed``.
    """
    if tuning.status == "Stopping":
        return "Stopped", ""
    ended = [child for child in children if not child.is_active]
    config = tuning.body["request"]["HyperParameterTuningJobConfig"]
    is_last = not _is_more(tuning, children) and len(ended) == len(children)
    has_result = any(child.objective_status == SUCCEEDED for child in ended)
    if not has_result and ended and (is_last or len(ended) >= MOST_ATTEMPTS):
        has_success = any(child.job is not None and child.job.status == "Completed" for child in ended)
        return "Failed", (NO_OBJECTIVE if has_success else NO_SUCCESS).format(min(len(ended), MOST_ATTEMPTS))
    limit_s = config["ResourceLimits"].get("MaxRuntimeInSeconds")
    is_over = limit_s is not None and now_s - tuning.created_s >= limit_s
    return ("Completed", "") if is_last or is_over or _is_enough(tuning, children) else ("", "")


def _is_more(tuning: Resource, children: Sequence[Child]) -> bool:
    """Return whether there are training jobs left to start."""
    return len(children) < int(tuning.body["n_jobs"])


def _is_enough(tuning: Resource, children: Sequence[Child]) -> bool:
    """Return whether a criterion of ``TuningJobCompletionCriteria`` is met."""
    criteria = tuning.body["request"]["HyperParameterTuningJobConfig"].get("TuningJobCompletionCriteria", {})
    target, sign = criteria.get("TargetObjectiveMetricValue"), child_rows.sign_of(tuning)
    objectives = [child.objective for child in children if child.objective is not None]
    if target is not None and any(sign * objective <= sign * target for objective in objectives):
        return True
    most = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
    return most is not None and child_rows.n_not_improving(tuning, children) >= most


def main(arguments: Sequence[str]) -> None:
    """Claim the tuning job and run it."""
    run_claimed(arguments, kind=TUNING, runner=Controller)


if __name__ == "__main__":
    main(sys.argv[1:])
