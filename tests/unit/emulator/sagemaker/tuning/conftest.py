"""A tuning job whose steps a test decides: the controller runs in the test, and the test ends the training jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from asteroid_ll.emulator.resources import TRAINING_JOB, TUNING_JOB
from asteroid_ll.emulator.sagemaker.tuning.children import objective_of
from asteroid_ll.emulator.sagemaker.tuning.controller import Controller
from asteroid_ll.emulator.worker.jobs import Jobs

REGION = "us-west-2"


@pytest.fixture
def tuned(
    emulator: Any,
    sagemaker: Any,
    bucket: str,
    tuning_request: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., SimpleNamespace]:
    """Create a tuning job that has no process; ``step`` is the controller's, ``end`` ends the n-th training job."""
    monkeypatch.setattr(Jobs, "spawn", lambda *_: None)
    services = emulator.services

    def start(**changes: Any) -> SimpleNamespace:
        sagemaker.create_hyper_parameter_tuning_job(**tuning_request(**changes))
        name = {"HyperParameterTuningJobName": "tune"}

        def controller() -> Controller:
            return Controller(emulator.state, services.resources.get(TUNING_JOB, REGION, "tune"))

        def names() -> list[str]:
            return [job.name for job in services.resources.find(TRAINING_JOB, region=REGION)]

        def end(number: int, value: float | None = None, *, status: str = "Completed", reason: str = "") -> None:
            job = services.jobs.get(REGION, names()[number - 1])
            tuning = services.resources.get(TUNING_JOB, REGION, "tune")
            metric = objective_of(tuning)["MetricName"]
            metrics = [] if value is None else [{"MetricName": metric, "Value": value, "Timestamp": 1.0}]
            facts: Mapping[str, Any] = {"reason": reason} if reason else {}
            services.jobs.step(job, "Training")
            services.jobs.finish(job, status, metrics=metrics, **facts)

        return SimpleNamespace(
            controller=controller,
            step=lambda: controller().step(),
            end=end,
            names=names,
            describe=lambda: sagemaker.describe_hyper_parameter_tuning_job(**name),
            rows=lambda **params: sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**name, **params)[
                "TrainingJobSummaries"
            ],
            stop=lambda: sagemaker.stop_hyper_parameter_tuning_job(**name),
            delete=lambda: sagemaker.delete_hyper_parameter_tuning_job(**name),
        )

    return start
