"""SageMaker's tuning jobs: their checks, their training jobs, and the process that starts these.

The process has the arguments ``STATE_DIR REGION JOB CLOCK_AHEAD_S``. If it dies, the next look at the tuning job starts
another one, which continues from the rows: the name of the next training job is in the tuning job's row before that
training job exists, so none is created twice.

Sources: the SageMaker developer guide, "Tune a linear learner model" and "Define Hyperparameter Ranges". The messages
are in AWS's words if a public source has them.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from asteroid_ll.emulator.resources import TRAINING_JOB, TUNING_JOB, Resource, Resources
from asteroid_ll.emulator.sagemaker import training
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, Services, invalid
from asteroid_ll.emulator.sagemaker.kinds import (
    DEFAULT_PAGE_SIZE,
    Kind,
    Members,
    existing,
    place_in,
    summary,
    token_of,
)
from asteroid_ll.emulator.sagemaker.ranges import CATEGORICAL, CONTINUOUS, INTEGER, check_limits, check_ranges, suggest
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.jobs import ACTIVE, TUNING, JobDeletedError, Jobs
from asteroid_ll.emulator.worker.process import run_claimed

_LOSSES = ("absolute_loss", "mse", "objective_loss")
_SCORES = (
    *("binary_classification_accuracy", "binary_f_beta", "dcg", "macro_f_beta", "macro_precision", "macro_recall"),
    *("multiclass_accuracy", "multiclass_top_k_accuracy", "precision", "recall", "roc_auc_score"),
)
OBJECTIVES: Mapping[str, str] = {
    **{f"{part}:{name}": "Minimize" for part in ("test", "validation") for name in _LOSSES},
    **{f"{part}:{name}": "Maximize" for part in ("test", "validation") for name in _SCORES},
    "validation:rmse": "Minimize",
}
"""The direction of each metric that can be an objective."""

OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"
"""The hyperparameter that names the objective to the container; SageMaker adds it."""

MOST_ATTEMPTS = 5
"""A tuning job fails if none of so many training jobs has a result. AWS's messages have this number."""

NO_SUCCESS = (
    "No training job succeeded after {} attempts. Please take a look at the training job failures to get more details."
)
NO_OBJECTIVE = (
    "No objective metrics found after running {} training jobs. Please ensure that the custom algorithm is emitting "
    "the objective metric as defined by the regular expression provided."
)
_RESOURCES = "HyperParameterTuningResourceConfig"
_POLL_S, _START_PATIENCE_S, _START_POLL_S = 0.1, 10.0, 0.005


def _check(call: SageMakerCall, request: Members) -> Members:
    """Refuse what AWS refuses and what the emulator does not have; add AWS's defaults."""
    call.refuse_unsupported(request, "TrainingJobDefinitions", "WarmStartConfig", "Autotune")
    if "TrainingJobDefinition" not in request:
        raise invalid("A hyperparameter tuning job needs a TrainingJobDefinition.")
    config, definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
    _check_unsupported(call, config, definition)
    ranges = config.get("ParameterRanges", {})
    config["ParameterRanges"] = ranges = {kind: ranges.get(kind, []) for kind in (INTEGER, CONTINUOUS, CATEGORICAL)}
    config.setdefault("TrainingJobEarlyStoppingType", "Off")
    for one in ranges[INTEGER] + ranges[CONTINUOUS]:
        one.setdefault("ScalingType", "Auto")
    fixed = definition.setdefault("StaticHyperParameters", {})
    definition["StoppingCondition"].setdefault("MaxRuntimeInSeconds", training.DEFAULT_MAX_RUNTIME_S)
    training.check(call, _training_request(definition), n_jobs=config["ResourceLimits"]["MaxParallelTrainingJobs"])
    image = definition["AlgorithmSpecification"]["TrainingImage"]
    _check_objective(config.get("HyperParameterTuningJobObjective"), image=image)
    check_ranges(ranges, fixed, image=image)
    check_limits(config)
    fixed[OBJECTIVE_HYPERPARAMETER] = config["HyperParameterTuningJobObjective"]["MetricName"]
    return {"seed": config.get("RandomSeed", secrets.randbits(31)), "children": []}


def _check_unsupported(call: SageMakerCall, config: Members, definition: Members) -> None:
    """Refuse the members of a tuning job that the emulator does not have."""
    config_name = "HyperParameterTuningJobConfig."
    if config["Strategy"] == "Hyperband":
        raise invalid(f"The emulator has no {config_name}Strategy Hyperband.")
    call.refuse_unsupported(config, "StrategyConfig", prefix=config_name)
    call.refuse_other(config, prefix=config_name, TrainingJobEarlyStoppingType="Off")
    criteria, name = config.get("TuningJobCompletionCriteria", {}), "TuningJobCompletionCriteria"
    convergence = criteria.get("ConvergenceDetected", {})
    call.refuse_other(convergence, prefix=f"{name}.ConvergenceDetected.", CompleteOnConvergence="Disabled")
    for values, members, prefix in (
        (criteria, ("BestObjectiveNotImproving",), f"{name}."),
        (config.get("ParameterRanges", {}), ("AutoParameters",), "ParameterRanges."),
        (definition, ("TuningObjective", "HyperParameterRanges"), "TrainingJobDefinition."),
        (definition.get(_RESOURCES, {}), ("InstanceConfigs", "AllocationStrategy"), f"{_RESOURCES}."),
    ):
        call.refuse_unsupported(values, *members, prefix=prefix)


def _check_objective(objective: Mapping[str, Any] | None, *, image: str) -> None:
    """Refuse a metric that is no objective of Linear Learner, or the wrong direction."""
    if objective is None:
        raise invalid(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            "definitions."
        )
    metric, direction = objective["MetricName"], objective["Type"]
    if metric not in OBJECTIVES:
        raise invalid(
            f"The objective metric, [{metric}], isn't valid for the [{image}] algorithm. Choose a valid objective "
            "metric."
        )
    if direction != OBJECTIVES[metric]:
        raise invalid(
            f"The objective metric type, [{direction}], that you specified for objective metric, [{metric}], isn't "
            f"valid for the [{image}] algorithm. Choose a valid objective metric type."
        )


@dataclass(frozen=True)
class Child:
    """A training job of a tuning job.

    Attributes:
        job: its row.
        tuned: the hyperparameters that the tuning job chose.
        objective: the final value of the objective metric; None if there is none, or none yet.
    """

    job: Resource
    tuned: Mapping[str, str]
    objective: float | None

    @property
    def is_active(self) -> bool:
        """Whether it still runs."""
        return self.job.status in ACTIVE

    @property
    def objective_status(self) -> str:
        """The status of its objective metric."""
        if self.is_active:
            return "Pending"
        return "Failed" if self.objective is None else "Succeeded"

    @property
    def counted_as(self) -> str:
        """Its counter in ``TrainingJobStatusCounters``."""
        if self.is_active:
            return "InProgress"
        is_internal = self.job.body.get("reason", "").startswith("InternalServerError")
        failed = "RetryableError" if is_internal else "NonRetryableError"
        return failed if self.job.status == "Failed" else self.job.status


def read_children(resources: Resources, tuning: Resource) -> list[Child]:
    """Return a tuning job's training jobs that were not deleted, in the order of their creation."""
    metric = _config(tuning)["HyperParameterTuningJobObjective"]["MetricName"]
    children = []
    for entry in tuning.body["children"]:
        job = resources.get(TRAINING_JOB, tuning.region, entry["name"])
        if job is not None:
            metrics = job.body.get("metrics", []) if job.status in ("Completed", "Stopped") else []
            value = next((one["Value"] for one in metrics if one["MetricName"] == metric), None)
            children.append(Child(job, entry["tuned"], value))
    return children


def _config(tuning: Resource) -> Members:
    config: Members = tuning.body["request"]["HyperParameterTuningJobConfig"]
    return config


def _sign(tuning: Resource) -> int:
    """Return the factor that turns the objective into a loss."""
    return -1 if _config(tuning)["HyperParameterTuningJobObjective"]["Type"] == "Maximize" else 1


def _training_request(definition: Mapping[str, Any], tuned: Mapping[str, str] = {}, *, folder: str = "") -> Members:
    """Return the CreateTrainingJob request of a definition. The checkpoints of each job have a folder of their own."""
    request = dict(definition)
    request["HyperParameters"] = {**request.pop("StaticHyperParameters"), **tuned}
    resources = request.pop(_RESOURCES, None)
    if resources is not None:
        request["ResourceConfig"] = resources
    if folder and "CheckpointConfig" in request:
        config = request["CheckpointConfig"]
        request["CheckpointConfig"] = {**config, "S3Uri": f"{config['S3Uri'].rstrip('/')}/{folder}"}
    return request


def _best(tuning: Resource, children: Sequence[Child]) -> Child | None:
    """Return the training job with the best objective, the first of equal ones; None if none has a value."""
    scored = [(_sign(tuning) * child.objective, child) for child in children if child.objective is not None]
    return min(scored, key=lambda pair: pair[0])[1] if scored else None


def _summary(call: SageMakerCall, tuning: Resource) -> Members:
    children, config = read_children(call.resources, tuning), _config(tuning)
    states = dict.fromkeys(("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0)
    objectives = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)
    for child in children:
        states[child.counted_as] += 1
        objectives[child.objective_status] += 1
    return {
        **summary(KIND, tuning),
        "Strategy": config["Strategy"],
        "TrainingJobStatusCounters": states,
        "ObjectiveStatusCounters": objectives,
        "ResourceLimits": config["ResourceLimits"],
    }


def _description(call: SageMakerCall, tuning: Resource) -> Members:
    definition = tuning.body["request"]["TrainingJobDefinition"]
    best = _best(tuning, read_children(call.resources, tuning))
    return {
        **_summary(call, tuning),
        "TrainingJobDefinition": {
            **definition,
            "AlgorithmSpecification": {
                **definition["AlgorithmSpecification"],
                "MetricDefinitions": training.metric_definitions(),
            },
            "OutputDataConfig": {"KmsKeyId": "", **definition["OutputDataConfig"]},
            # The SDK's tuner sends the newer HyperParameterTuningResourceConfig and reads ResourceConfig.
            "ResourceConfig": _training_request(definition).get("ResourceConfig"),
        },
        "BestTrainingJob": None if best is None else _child_summary(tuning, best),
    }


def _child_summary(tuning: Resource, child: Child) -> Members:
    metric = _config(tuning)["HyperParameterTuningJobObjective"]["MetricName"]
    final = None if child.objective is None else {"MetricName": metric, "Value": child.objective}
    return {
        **summary(training.KIND, child.job),
        "TrainingJobDefinitionName": tuning.body["request"]["TrainingJobDefinition"].get("DefinitionName"),
        "TunedHyperParameters": child.tuned,
        "FinalHyperParameterTuningJobObjectiveMetric": final,
        "ObjectiveStatus": child.objective_status,
    }


def list_training_jobs(call: SageMakerCall) -> Members:
    """ListTrainingJobsForHyperParameterTuningJob."""
    params, tuning = call.params, existing(call, KIND, call.params["HyperParameterTuningJobName"])
    by, status = params.get("SortBy", "Name"), params.get("StatusEquals")
    listing, descending = f"TrainingJobSummaries by {by}", params.get("SortOrder") == "Descending"
    places: list[tuple[Any, str, Child]] = []
    for child in read_children(call.resources, tuning):
        values = {"Name": child.job.name, "CreationTime": child.job.created_s, "Status": child.job.status}
        value = values.get(by, child.objective)
        if status in (None, child.job.status) and value is not None:
            places.append((value, child.job.name, child))
    places.sort(key=lambda place: place[:2], reverse=descending)
    if "NextToken" in params:
        after = place_in(params["NextToken"], listing=listing)
        places = [place for place in places if (place[:2] < after if descending else place[:2] > after)]
    size = params.get("MaxResults", DEFAULT_PAGE_SIZE)
    return {
        "TrainingJobSummaries": [_child_summary(tuning, child) for _, _, child in places[:size]],
        "NextToken": token_of(places[size - 1][:2], listing=listing) if size < len(places) else None,
    }


KIND = Kind(
    TUNING_JOB,
    "HyperParameterTuningJob",
    "hyperparameter tuning job",
    _check,
    _description,
    "HyperParameterTuningJobSummaries",
    not_found=(
        "ResourceNotFound",
        "Amazon SageMaker can't find a tuning job called {name}. Type another name.",
    ),
    taken=(
        "ResourceInUse",
        "A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.",
    ),
    summary=_summary,
    sort_by="Name",
    sort_order="Ascending",
    settle=lambda services: services.tunings.settle(),
)
"""Tuning jobs."""


class Controller:
    """Runs one claimed tuning job to its end.

    Args:
        state: the emulator's state.
        job: the tuning job, claimed by this process.
    """

    def __init__(self, state: State, job: Resource) -> None:
        self.state = state
        self.job = job
        self.jobs, self.tunings = Jobs(state), Jobs(state, TUNING)
        self.resources = Resources(state)
        self.directory = self.tunings.directory(job)

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
        status, reason = _ending(tuning, children, now_s=self.state.now())
        n_active = sum(child.is_active for child in children)
        if status and n_active:
            self._stop_active(children)
            return False
        if status:
            self.tunings.finish(tuning, status, **({"reason": reason} if reason else {}))
            return True
        if n_active < _config(tuning)["ResourceLimits"]["MaxParallelTrainingJobs"] and _is_more(tuning):
            self._launch(tuning)
            return self.step()
        return False

    def _launch(self, tuning: Resource) -> None:
        """Start the next training job. Its name depends on the tuning job and its number alone."""
        entries = tuning.body["children"]
        number = len(entries) + 1
        tuned = suggest(_config(tuning), [entry["tuned"] for entry in entries], seed=tuning.body["seed"])
        digits = hashlib.sha256(f"{tuning.arn} {tuning.created_s} {number}".encode()).hexdigest()[:8]
        name = f"{tuning.name}-{number:03d}-{digits}"
        self.tunings.note(tuning, next={"name": name, "tuned": tuned})
        request = _training_request(tuning.body["request"]["TrainingJobDefinition"], tuned, folder=name)
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
            if child.is_active:
                self.jobs.request_stop(child.job)

    def _reload(self) -> Resource:
        tuning = self.tunings.get(self.job.region, self.job.name)
        if tuning is None or tuning.created_s != self.job.created_s:
            raise JobDeletedError(f"The tuning job {self.job.arn} was deleted.")
        return tuning


def _ending(tuning: Resource, children: Sequence[Child], *, now_s: float) -> tuple[str, str]:
    """Return the status with which a tuning job ends now, and the reason of a failure; empty if it goes on."""
    if tuning.status == "Stopping":
        return "Stopped", ""
    ended = [child for child in children if not child.is_active]
    n_ended = len(tuning.body["children"]) - len(children) + len(ended)
    is_last = not _is_more(tuning) and len(ended) == len(children)
    best = _best(tuning, ended)
    if best is None and n_ended and (is_last or n_ended >= MOST_ATTEMPTS):
        has_success = any(child.job.status == "Completed" for child in ended)
        return "Failed", (NO_OBJECTIVE if has_success else NO_SUCCESS).format(min(n_ended, MOST_ATTEMPTS))
    config, sign = _config(tuning), _sign(tuning)
    limit_s = config["ResourceLimits"].get("MaxRuntimeInSeconds", math.inf)
    target = config.get("TuningJobCompletionCriteria", {}).get("TargetObjectiveMetricValue")
    is_reached = best is not None and target is not None and sign * (best.objective or 0.0) <= sign * target
    is_over = is_last or is_reached or now_s - tuning.created_s >= limit_s
    return ("Completed" if is_over else ""), ""


def _is_more(tuning: Resource) -> bool:
    """Return whether there are training jobs left to start."""
    return len(tuning.body["children"]) < int(_config(tuning)["ResourceLimits"]["MaxNumberOfTrainingJobs"])


def stop_spawned(services: Services) -> None:
    """Kill the processes of the tuning jobs that this process started, with their training jobs."""
    services.tunings.stop_spawned()
    for tuning in services.resources.find(TUNING_JOB):
        if services.tunings.has_spawned(tuning):
            for entry in [*tuning.body["children"], *filter(None, [tuning.body.get("next")])]:
                _kill(services.jobs, tuning.region, entry["name"])


def _kill(jobs: Jobs, region: str, name: str) -> None:
    """Kill a training job once its process, which may just be starting, has claimed it."""
    limit_s = time.monotonic() + _START_PATIENCE_S
    job = jobs.get(region, name)
    while job is not None and job.status in ACTIVE and "worker" not in job.body and time.monotonic() < limit_s:
        time.sleep(_START_POLL_S)
        job = jobs.get(region, name)
    if job is not None and job.status in ACTIVE:
        jobs.kill(job)


def main(arguments: Sequence[str]) -> None:
    """Claim the tuning job and run it."""
    run_claimed(arguments, kind=TUNING, runner=Controller)


if __name__ == "__main__":
    main(sys.argv[1:])
