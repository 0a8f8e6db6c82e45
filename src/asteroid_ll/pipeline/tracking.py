"""Records a run with MLflow if the configuration names a tracking URI."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from asteroid_ll import __version__
from asteroid_ll.errors import AsteroidError, ConfigError
from asteroid_ll.pipeline.plan import flatten
from asteroid_ll.redaction import redacted
from asteroid_ll.run import paths

if TYPE_CHECKING:
    from asteroid_ll.config import Config
    from asteroid_ll.pipeline.results import RunResult
    from asteroid_ll.pipeline.run import Pipeline
    from asteroid_ll.stages.stage import Context

ARTIFACTS = (
    paths.METRICS,
    paths.PREDICTIONS,
    paths.REPORT_HTML,
    paths.JOB,
    paths.ARTIFACT,
    paths.FEATURES,
    paths.DATA_CARD,
)
"""Files of the run directory that are stored with the run, if they exist."""

MLFLOW_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # send no usage data
    "MLFLOW_ALLOW_FILE_STORE": "true",  # MLflow 3.7 and newer need it to use a folder as a store
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Environment variables of MLflow, set unless the user has set them."""

_PARAMETERS_AT_ONCE = 100


def require_mlflow(config: Config) -> None:
    """Refuse a configuration that needs MLflow if it is not installed, before anything is created.

    Raises:
        ConfigError: MLflow is not installed.
    """
    if config.tracking.mlflow_uri is not None and find_spec("mlflow") is None:
        raise ConfigError(
            "tracking.mlflow_uri is set and MLflow is not installed.",
            hint="pip install 'asteroid-ll[mlflow]'   or   --set tracking.mlflow_uri=null",
        )


def tracked(pipeline: Pipeline, result: RunResult) -> RunResult:
    """Record a run that scored the test part, and return its result; a failure of MLflow becomes its error.

    Args:
        pipeline: the pipeline that ran; nothing is recorded if its configuration has no tracking URI.
        result: its result.
    """
    if not any(stage.name == "predict" and stage.status == "run" for stage in result.stages):
        return result
    context = pipeline.context("predict")
    uri = context.config.tracking.mlflow_uri
    if uri is None:
        return result
    try:
        _record(context, uri, metrics=result.metrics)
    except Exception as error:  # MLflow's stores raise errors of many libraries
        message = " ".join(str(error).split())[:300]
        failure = AsteroidError(
            f"The run is done and MLflow did not record it: {type(error).__name__}: {message}.",
            hint="asteroid-ll run-all --force predict   scores and records it again.",
        )
        return replace(result, error=result.error or failure)
    return result


def _record(context: Context, uri: str, *, metrics: Mapping[str, Any]) -> None:
    for name, value in MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient, entities

    client = MlflowClient(tracking_uri=uri)
    name = context.config.tracking.experiment
    experiment = client.get_experiment_by_name(name)
    experiment_id = client.create_experiment(name) if experiment is None else experiment.experiment_id
    tags = {
        "asteroid_ll.version": __version__,
        "asteroid_ll.fingerprint": context.fingerprint,
        "asteroid_ll.model": context.inputs["train"],
    }
    run_id = client.create_run(experiment_id, run_name=f"predict-{context.fingerprint[:16]}", tags=tags).info.run_id
    status = "FAILED"
    try:
        parameters = [entities.Param(key, text) for key, text in parameters_of(context.config).items()]
        now_ms = int(time.time() * 1000)
        numbers = [entities.Metric(key, value, now_ms, 0) for key, value in flat_numbers(metrics).items()]
        for start in range(0, len(parameters), _PARAMETERS_AT_ONCE):
            client.log_batch(run_id, params=parameters[start : start + _PARAMETERS_AT_ONCE])
        client.log_batch(run_id, metrics=numbers)
        for path in ARTIFACTS:
            if context.path(path).is_file():
                client.log_artifact(run_id, str(context.path(path)), path.rpartition("/")[0])
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status)


def parameters_of(config: Config) -> dict[str, str]:
    """Return the settings by their dotted keys, without secrets and without the section ``tracking``."""
    settings = redacted(config.model_dump(mode="json", exclude={"tracking"}))
    return {key: str(value) for key, value in flatten(settings).items()}


def flat_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers of a nested mapping by their dotted keys, such as ``scores.model.f1``."""
    return {
        key: float(value)
        for key, value in flatten(values).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
