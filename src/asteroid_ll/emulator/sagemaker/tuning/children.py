"""The training jobs of a tuning job: their requests, results and states.

The tuning job's row has their names in order, under ``children``. Everything else is in their own rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asteroid_ll.emulator.resources import TRAINING_JOB, Resource, Resources
from asteroid_ll.emulator.sagemaker.tuning.trials import Trial
from asteroid_ll.emulator.worker.jobs import ACTIVE

OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"
"""The hyperparameter that tells the container of the tuning job; SageMaker adds it."""

SUCCEEDED, PENDING, FAILED = "Succeeded", "Pending", "Failed"
_OTHER_MEMBERS = ("StaticHyperParameters", "HyperParameterTuningResourceConfig", "DefinitionName")
_SIGNIFICANT = 0.01
"""An improvement by less than this share does not count (API reference, BestObjectiveNotImproving)."""


@dataclass(frozen=True)
class Child:
    """A training job of a tuning job.

    Attributes:
        job: its row; None if it was deleted.
        name: its name.
        tuned: the hyperparameters that the tuning job chose.
        objective: the final value of the objective metric; None if there is none, or none yet.
    """

    job: Resource | None
    name: str
    tuned: Mapping[str, str]
    objective: float | None

    @property
    def is_active(self) -> bool:
        """Whether it still runs."""
        return self.job is not None and self.job.status in ACTIVE

    @property
    def objective_status(self) -> str:
        """The status of its objective metric: ``Succeeded``, ``Pending`` or ``Failed``."""
        if self.is_active:
            return PENDING
        return SUCCEEDED if self.objective is not None else FAILED


def read_children(resources: Resources, tuning: Resource) -> list[Child]:
    """Return a tuning job's training jobs in the order of their creation."""
    metric = objective_of(tuning)["MetricName"]
    children = []
    for entry in tuning.body["children"]:
        job = resources.get(TRAINING_JOB, tuning.region, entry["name"])
        value = None
        if job is not None and job.status in ("Completed", "Stopped"):
            value = next((one["Value"] for one in job.body.get("metrics", []) if one["MetricName"] == metric), None)
        children.append(Child(job, entry["name"], entry["tuned"], value))
    return children


def names(tuning: Resource) -> list[str]:
    """Return the names of a tuning job's training jobs, with that of the next one, which may already exist."""
    entries = [*tuning.body["children"], tuning.body.get("next")]
    return [entry["name"] for entry in entries if entry is not None]


def objective_of(tuning: Resource) -> Mapping[str, Any]:
    """Return a tuning job's objective: its ``Type`` and ``MetricName``."""
    objective: Mapping[str, Any] = tuning.body["request"]["HyperParameterTuningJobConfig"][
        "HyperParameterTuningJobObjective"
    ]
    return objective


def sign_of(tuning: Resource) -> float:
    """Return the factor that turns the objective into a loss: 1 to minimise, -1 to maximise."""
    return -1.0 if objective_of(tuning)["Type"] == "Maximize" else 1.0


def trials(tuning: Resource, children: Iterable[Child]) -> list[Trial]:
    """Return the combinations tried so far, for the search."""
    sign = sign_of(tuning)
    return [
        Trial(child.tuned, None if child.objective is None else sign * child.objective, is_pending=child.is_active)
        for child in children
    ]


def best_child(tuning: Resource, children: Iterable[Child]) -> Child | None:
    """Return the training job with the best objective, the first of equal ones; None if none has a value."""
    sign = sign_of(tuning)
    scored = [(sign * child.objective, child) for child in children if child.objective is not None]
    return min(scored, key=lambda pair: pair[0])[1] if scored else None


def n_not_improving(tuning: Resource, children: Iterable[Child]) -> int:
    """Return how many of the last training jobs were not better than the best one before by at least 1%."""
    best, count, sign = None, 0, sign_of(tuning)
    for child in children:
        if child.is_active:
            continue
        loss = None if child.objective is None else sign * child.objective
        if loss is not None and (best is None or loss < best - _SIGNIFICANT * abs(best)):
            best, count = loss, 0
        else:
            count += 1
    return count


def new_name(tuning: Resource, number: int) -> str:
    """Return the name of a training job: the tuning job's, a number from 1, and 8 hexadecimal digits.

    The digits depend on the tuning job and the number, so a controller that continues finds the job again.
    """
    digits = hashlib.sha256(f"{tuning.arn} {tuning.created_s} {number}".encode()).hexdigest()[:8]
    return f"{tuning.name}-{number:03d}-{digits}"


def training_request(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the CreateTrainingJob request of a training job definition, without its tuned hyperparameters."""
    request = {name: value for name, value in definition.items() if name not in _OTHER_MEMBERS}
    request["HyperParameters"] = definition.get("StaticHyperParameters", {})
    if "HyperParameterTuningResourceConfig" in definition:
        request["ResourceConfig"] = definition["HyperParameterTuningResourceConfig"]
    return request


def child_request(definition: Mapping[str, Any], *, name: str, tuned: Mapping[str, str]) -> dict[str, Any]:
    """Return the request of a training job. Its checkpoints are below its name, apart from those of other jobs."""
    request = training_request(definition)
    request["HyperParameters"] = {**request["HyperParameters"], **tuned}
    if "CheckpointConfig" in request:
        config = request["CheckpointConfig"]
        request["CheckpointConfig"] = {**config, "S3Uri": f"{config['S3Uri'].rstrip('/')}/{name}"}
    return request


def status_counts(children: Iterable[Child]) -> dict[str, int]:
    """Return ``TrainingJobStatusCounters``."""
    counts = dict.fromkeys(("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0)
    for status in _count_names(children):
        counts[status] += 1
    return counts


def objective_counts(children: Iterable[Child]) -> dict[str, int]:
    """Return ``ObjectiveStatusCounters``."""
    counts = dict.fromkeys((SUCCEEDED, PENDING, FAILED), 0)
    for child in children:
        counts[child.objective_status] += 1
    return counts


def _count_names(children: Iterable[Child]) -> Iterator[str]:
    for child in children:
        if child.job is None:
            continue
        if child.is_active:
            yield "InProgress"
        elif child.job.status == "Failed":
            is_internal = child.job.body.get("reason", "").startswith("InternalServerError")
            yield "RetryableError" if is_internal else "NonRetryableError"
        else:
            yield child.job.status
