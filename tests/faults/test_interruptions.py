"""Ctrl-C and SIGTERM: exit code 130, and the last lines name every resource that is still billed."""

from __future__ import annotations

import signal

import pytest

FROM_DEPLOY = (
    "s3:HeadObject",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpoint",
    "sagemaker:DescribeEndpoint",
    "sagemaker-runtime:InvokeEndpoint",
)
INTERRUPTED = 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_wait_names_the_job_and_how_to_stop_it(prepared, finished_once, number):
    prepared.configure(training_starting_s=60.0)
    with prepared.start("run-all") as command:
        for line in command.stderr:
            if line.startswith("train"):
                break
        command.send_signal(number)
        out, err = command.communicate(timeout=60)
    (name,) = prepared.names("training-job")
    assert command.returncode == INTERRUPTED
    assert f"Interrupted. Training job {name} is still running" in err
    assert "asteroid-ll teardown" in err
    assert f"Bill: open, and billing until   asteroid-ll teardown   {name}" in out
    assert "Traceback" not in err
    assert prepared.status_of("training-job", name) == "InProgress"
    assert prepared.run("teardown").code == 0
    assert prepared.open_intervals() == []


@pytest.mark.parametrize("phase", ["before", "after"])
def test_an_interrupted_create_names_the_job_too(prepared, finished_once, workbench, phase):
    ended = prepared.run("run-all", "--json", faults=f"sagemaker:CreateTrainingJob:1:{phase}:sigint")
    assert ended.code == INTERRUPTED
    name = ended.json["billing"]["open"][0]["name"]
    assert workbench.by_content([name]) == workbench.by_content(finished_once.names("training-job"))
    assert name in ended.json["error"]["what"]
    assert ended.json["billing"]["open"] == [{"kind": "training-job", "name": name}]
    again = prepared.run("run-all", "--json")
    assert again.code == 0, again.err
    assert prepared.names("training-job") == [name]
    assert prepared.metrics() == finished_once.metrics()


def test_an_interrupted_wait_is_taken_up_by_the_next_run(prepared, finished_once):
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:before:sigint").code == INTERRUPTED
    again = prepared.run("run-all", "--json")
    assert again.code == 0, again.err
    assert again.status_of("train") == "adopted"
    assert prepared.metrics() == finished_once.metrics()
    assert prepared.open_intervals() == []


@pytest.mark.parametrize("kind", ["sigint", "sigterm"])
@pytest.mark.parametrize("call", FROM_DEPLOY)
def test_an_interruption_from_the_deployment_on_ends_with_teardown(trained, call, kind):
    ended = trained.run("run-all", "--json", faults=f"{call}:1:after:{kind}")
    assert ended.code == INTERRUPTED
    assert ended.status_of("teardown") == "run"
    assert ended.json["billing"] == {"open": []}
    assert ended.json["error"]["what"].startswith("Interrupted")
    assert trained.open_intervals() == []
    assert [trained.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []]


@pytest.mark.parametrize("call", ["DeleteEndpoint", "DeleteModel", "ListEndpoints"])
@pytest.mark.parametrize("phase", ["before", "after"])
def test_an_interrupted_teardown_says_what_may_be_left(trained, call, phase):
    ended = trained.run("run-all", "--json", faults=f"sagemaker:{call}:1:{phase}:sigint")
    assert ended.code == INTERRUPTED
    (resource,) = ended.json["billing"]["open"]
    assert resource["kind"] == "endpoint"
    assert trained.run("teardown").code == 0
    assert trained.open_intervals() == []


def test_an_interruption_between_two_stages_ends_with_teardown_too(trained):
    ended = trained.run("run-all", "--json", interrupt_before="predict")
    assert ended.code == INTERRUPTED
    assert ended.json["billing"] == {"open": []}
    assert trained.open_intervals() == []


def test_an_interruption_of_a_local_stage_leaves_nothing_to_mend(place, finished_once):
    ended = place.run("run-all", interrupt_before="split")
    assert ended.code == INTERRUPTED
    assert "Error: Interrupted." in ended.err
    assert place.run("run-all").code == 0
    assert place.metrics() == finished_once.metrics()
