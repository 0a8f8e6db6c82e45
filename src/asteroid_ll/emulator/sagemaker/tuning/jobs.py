"""SageMaker's tuning jobs: create, describe, list, stop and delete, and the list of their training jobs."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator.resources import TUNING_JOB, Resource
from asteroid_ll.emulator.sagemaker import training_jobs
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, Services, invalid
from asteroid_ll.emulator.sagemaker.listing import DEFAULT_PAGE_SIZE, page, place_in, token_of
from asteroid_ll.emulator.sagemaker.tuning import children as child_rows
from asteroid_ll.emulator.sagemaker.tuning import rules
from asteroid_ll.emulator.sagemaker.tuning.children import OBJECTIVE_HYPERPARAMETER, Child, read_children
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.jobs import ACTIVE, TERMINAL

_START_PATIENCE_S, _START_POLL_S = 10.0, 0.005
_Members = dict[str, Any]


def create(call: SageMakerCall) -> _Members:
    """CreateHyperParameterTuningJob: check the request as AWS does, then start the tuning job's process."""
    name = call.params["HyperParameterTuningJobName"]
    tags = call.new_tags()
    if call.resources.get(TUNING_JOB, call.region, name) is not None:
        raise _name_taken(name)
    config, definition = _read(call)
    n_jobs = _check(call, config, definition)
    metric = config["HyperParameterTuningJobObjective"]["MetricName"]
    definition["StaticHyperParameters"] = definition["StaticHyperParameters"] | {OBJECTIVE_HYPERPARAMETER: metric}
    tunings = call.services.tunings
    seed = config.get("RandomSeed", secrets.randbits(31))
    request = {"HyperParameterTuningJobConfig": config, "TrainingJobDefinition": definition}
    tuning = tunings.new(call.region, name, request=request, tags=tags, seed=seed, n_jobs=n_jobs, children=[])
    if tuning is None:  # another process was faster
        raise _name_taken(name)
    tunings.spawn(tuning)
    return {"HyperParameterTuningJobArn": tuning.arn}


def describe(call: SageMakerCall) -> _Members:
    """DescribeHyperParameterTuningJob."""
    tuning = _existing(call)
    children = read_children(call.resources, tuning)
    definition = tuning.body["request"]["TrainingJobDefinition"]
    algorithm = {**definition["AlgorithmSpecification"], "MetricDefinitions": training_jobs.metric_definitions()}
    # Clients that send the newer HyperParameterTuningResourceConfig, such as the SDK's tuner, read ResourceConfig.
    resources = definition.get("ResourceConfig") or definition.get("HyperParameterTuningResourceConfig")
    best = child_rows.best_child(tuning, children)
    end_s = tuning.body.get("ended_s", call.state.now())
    return {
        **tuning.body["request"],
        **_summary(call, tuning),
        "TrainingJobDefinition": {
            **definition,
            "AlgorithmSpecification": algorithm,
            "OutputDataConfig": {"KmsKeyId": "", **definition["OutputDataConfig"]},
            "ResourceConfig": resources,
        },
        "BestTrainingJob": None if best is None else _child_summary(tuning, best),
        "FailureReason": tuning.body.get("reason"),
        "TuningJobCompletionDetails": {
            "NumberOfTrainingJobsObjectiveNotImproving": child_rows.n_not_improving(tuning, children)
        },
        "ConsumedResources": {"RuntimeInSeconds": math.ceil(end_s - tuning.created_s)},
    }


def list_jobs(call: SageMakerCall) -> _Members:
    """ListHyperParameterTuningJobs."""
    call.services.tunings.settle()
    return page(
        call,
        TUNING_JOB,
        member="HyperParameterTuningJobSummaries",
        default_by="Name",
        default_order="Ascending",
        summary=lambda tuning: _summary(call, tuning),
    )


def list_training_jobs(call: SageMakerCall) -> _Members:
    """ListTrainingJobsForHyperParameterTuningJob."""
    params, tuning = call.params, _existing(call)
    by, wanted = params.get("SortBy", "Name"), params.get("StatusEquals")
    rows = [child for child in read_children(call.resources, tuning) if child.job is not None]
    rows = [child for child in rows if child.job is not None and wanted in (None, child.job.status)]
    if by == "FinalObjectiveMetricValue":
        rows = [child for child in rows if child.objective is not None]
    descending, listing = params.get("SortOrder") == "Descending", f"TrainingJobSummaries by {by}"
    if "NextToken" in params:
        place = place_in(params["NextToken"], listing=listing)
        rows = [child for child in rows if (_place(child, by) < place if descending else _place(child, by) > place)]
    rows.sort(key=lambda child: _place(child, by), reverse=descending)
    size = params.get("MaxResults", DEFAULT_PAGE_SIZE)
    return {
        "TrainingJobSummaries": [_child_summary(tuning, child) for child in rows[:size]],
        "NextToken": token_of(_place(rows[size - 1], by), listing=listing) if size < len(rows) else None,
    }


def stop(call: SageMakerCall) -> _Members:
    """StopHyperParameterTuningJob: asynchronous; the training jobs that run are stopped too."""
    tuning = _existing(call)
    if tuning.status != "InProgress":
        raise invalid(f"The request was rejected because the hyperparameter tuning job is in status {tuning.status}.")
    call.services.tunings.request_stop(tuning)
    return {}


def delete(call: SageMakerCall) -> _Members:
    """DeleteHyperParameterTuningJob: only one that has ended. Its training jobs stay."""
    tuning = _existing(call)
    if tuning.status not in TERMINAL:
        raise ApiError(
            "ResourceInUse",
            f"The request was rejected because the hyperparameter tuning job is in status {tuning.status}.",
        )
    with call.state.transaction() as db:
        call.resources.delete(db, tuning)
    return {}


def stop_spawned(services: Services) -> None:
    """Kill the processes of the tuning jobs that this process started, with their training jobs."""
    services.tunings.stop_spawned()
    for tuning in services.resources.find(TUNING_JOB):
        for name in child_rows.names(tuning) if services.tunings.has_spawned(tuning) else ():
            limit_s = time.monotonic() + _START_PATIENCE_S
            job = services.jobs.get(tuning.region, name)
            # A process that is about to claim its job is known only from then on.
            while job is not None and job.status in ACTIVE and "worker" not in job.body and time.monotonic() < limit_s:
                time.sleep(_START_POLL_S)
                job = services.jobs.get(tuning.region, name)
            if job is not None and job.status in ACTIVE:
                services.jobs.kill(job)


def _read(call: SageMakerCall) -> tuple[_Members, _Members]:
    """Return the request's configuration and training job definition with AWS's defaults."""
    call.refuse_unsupported(call.params, "TrainingJobDefinitions", "WarmStartConfig", "Autotune")
    config, definition = dict(call.params["HyperParameterTuningJobConfig"]), call.params.get("TrainingJobDefinition")
    if definition is None:
        raise invalid("A hyperparameter tuning job needs a TrainingJobDefinition.")
    ranges: Mapping[str, Any] = config.get("ParameterRanges", {})
    call.refuse_unsupported(ranges, "AutoParameters", prefix="ParameterRanges.")
    config["ParameterRanges"] = {
        kind: [one if kind == rules.CATEGORICAL else {"ScalingType": "Auto", **one} for one in ranges.get(kind, [])]
        for kind in (rules.INTEGER, rules.CONTINUOUS, rules.CATEGORICAL)
    }
    config.setdefault("TrainingJobEarlyStoppingType", "Off")
    definition = {"StaticHyperParameters": {}, **definition}
    runtime_s = training_jobs.DEFAULT_MAX_RUNTIME_S
    definition["StoppingCondition"] = {"MaxRuntimeInSeconds": runtime_s, **definition["StoppingCondition"]}
    return config, definition


def _check(call: SageMakerCall, config: _Members, definition: _Members) -> int:
    """Refuse what AWS refuses and what the emulator does not have; return the number of training jobs."""
    if config["Strategy"] == "Hyperband":
        raise invalid("The emulator has no HyperParameterTuningJobConfig.Strategy Hyperband.")
    call.refuse_unsupported(config, "StrategyConfig", prefix="HyperParameterTuningJobConfig.")
    criteria = config.get("TuningJobCompletionCriteria", {})
    if criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled":
        raise invalid("The emulator has no TuningJobCompletionCriteria.ConvergenceDetected.")
    call.refuse_unsupported(definition, "TuningObjective", "HyperParameterRanges", prefix="TrainingJobDefinition.")
    resources = definition.get("HyperParameterTuningResourceConfig", {})
    prefix = "HyperParameterTuningResourceConfig."
    call.refuse_unsupported(resources, "InstanceConfigs", "AllocationStrategy", prefix=prefix)
    call.refuse_unsupported(definition.get("ResourceConfig", {}), "KeepAlivePeriodInSeconds", prefix="ResourceConfig.")
    n_parallel = config["ResourceLimits"]["MaxParallelTrainingJobs"]
    training_jobs.check(call, child_rows.training_request(definition), n_jobs=n_parallel)
    image, fixed = definition["AlgorithmSpecification"]["TrainingImage"], definition["StaticHyperParameters"]
    rules.check_objective(config.get("HyperParameterTuningJobObjective"), image=image)
    rules.check_ranges(config["ParameterRanges"], fixed, image=image)
    n_jobs = rules.check_limits(config)
    if config["Strategy"] == "Grid":
        config["ResourceLimits"] = {"MaxNumberOfTrainingJobs": n_jobs, **config["ResourceLimits"]}
    return n_jobs


def _existing(call: SageMakerCall) -> Resource:
    call.services.tunings.settle()
    name = call.params["HyperParameterTuningJobName"]
    tuning = call.visible(TUNING_JOB, name)
    if tuning is None:
        raise ApiError(
            "ResourceNotFound", f"Amazon SageMaker can't find a tuning job called {name}. Type another name."
        )
    return tuning


def _name_taken(name: str) -> ApiError:
    return ApiError(
        "ResourceInUse",
        f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.",
    )


def _summary(call: SageMakerCall, tuning: Resource) -> _Members:
    children = read_children(call.resources, tuning)
    config = tuning.body["request"]["HyperParameterTuningJobConfig"]
    return {
        "HyperParameterTuningJobName": tuning.name,
        "HyperParameterTuningJobArn": tuning.arn,
        "HyperParameterTuningJobStatus": tuning.status,
        "Strategy": config["Strategy"],
        "CreationTime": tuning.created_s,
        "HyperParameterTuningEndTime": tuning.body.get("ended_s"),
        "LastModifiedTime": tuning.modified_s,
        "TrainingJobStatusCounters": child_rows.status_counts(children),
        "ObjectiveStatusCounters": child_rows.objective_counts(children),
        "ResourceLimits": config["ResourceLimits"],
    }


def _child_summary(tuning: Resource, child: Child) -> _Members:
    assert child.job is not None
    body, metric = child.job.body, child_rows.objective_of(tuning)["MetricName"]
    final = None if child.objective is None else {"MetricName": metric, "Value": child.objective}
    return {
        "TrainingJobDefinitionName": tuning.body["request"]["TrainingJobDefinition"].get("DefinitionName"),
        "TrainingJobName": child.name,
        "TrainingJobArn": child.job.arn,
        "CreationTime": child.job.created_s,
        "TrainingStartTime": body.get("started_s"),
        "TrainingEndTime": body.get("ended_s"),
        "TrainingJobStatus": child.job.status,
        "TunedHyperParameters": child.tuned,
        "FailureReason": body.get("reason"),
        "FinalHyperParameterTuningJobObjectiveMetric": final,
        "ObjectiveStatus": child.objective_status,
    }


def _place(child: Child, by: str) -> tuple[Any, str]:
    assert child.job is not None
    values = {
        "Name": child.name,
        "CreationTime": child.job.created_s,
        "Status": child.job.status,
        "FinalObjectiveMetricValue": child.objective,
    }
    return values[by], child.name
