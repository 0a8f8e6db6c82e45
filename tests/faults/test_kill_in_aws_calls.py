"""kill -9 inside every kind of AWS call, before AWS did its work and after it; then the same command, or teardown."""

from __future__ import annotations

import json

import pytest

UNTIL_TRAINED = (
    "sts:GetCallerIdentity",
    "s3:HeadBucket",
    "s3:CreateBucket",
    "s3:HeadObject",
    "s3:PutObject",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:CreateTrainingJob",
    "s3:GetObject",
    "cloudwatch-logs:DescribeLogStreams",
    "cloudwatch-logs:GetLogEvents",
)
FROM_DEPLOY = (
    "sts:GetCallerIdentity",
    "s3:HeadObject",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateEndpoint",
    "sagemaker:DescribeEndpoint",
    "sagemaker-runtime:InvokeEndpoint",
    "sagemaker:ListTags",
    "sagemaker:DeleteEndpoint",
    "sagemaker:ListEndpoints",
    "sagemaker:DescribeEndpointConfig",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DescribeModel",
    "sagemaker:DeleteModel",
    "sagemaker:ListEndpointConfigs",
    "sagemaker:ListModels",
    "sagemaker:ListTrainingJobs",
    "sagemaker:ListTransformJobs",
    "sagemaker:ListProcessingJobs",
)
PHASES = ("before", "after")
KILLED = -9


def _calls(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _operations(calls):
    return [f"{service}:{operation}" for service, operation, _ in calls if service != "socket"]


def test_the_calls_of_these_tests_are_those_of_a_recorded_run(prepared, trained, tmp_path):
    assert prepared.run("run-all", "--until", "train", calls=tmp_path / "first").code == 0
    assert tuple(dict.fromkeys(_operations(_calls(tmp_path / "first")))) == UNTIL_TRAINED
    assert trained.run("run-all", calls=tmp_path / "second").code == 0
    assert tuple(dict.fromkeys(_operations(_calls(tmp_path / "second")))) == FROM_DEPLOY


def test_every_s3_call_names_the_buckets_owner_and_no_socket_is_opened(prepared, tmp_path):
    assert prepared.run("run-all", calls=tmp_path / "calls").code == 0
    calls = _calls(tmp_path / "calls")
    assert [call for call in calls if call[0] == "socket"] == []
    without = {operation for service, operation, has_owner in calls if service == "s3" and not has_owner}
    assert without == {"CreateBucket"}, "the one call that has no place for it"


@pytest.mark.one_in(8)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("call", UNTIL_TRAINED)
def test_a_run_killed_in_a_call_until_the_model_is_there_is_finished_by_the_next(prepared, finished_once, call, phase):
    assert prepared.run("run-all", faults=f"{call}:1:{phase}:kill").code == KILLED
    _assert_finishes(prepared, finished_once)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("call", FROM_DEPLOY)
def test_a_run_killed_in_a_call_from_the_deployment_on_is_finished_by_the_next(trained, finished_once, call, phase):
    assert trained.run("run-all", faults=f"{call}:1:{phase}:kill").code == KILLED
    _assert_finishes(trained, finished_once)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("call", ["s3:PutObject", "sagemaker:CreateTrainingJob", "s3:GetObject"])
def test_teardown_after_a_kill_in_a_call_until_the_model_is_there_leaves_nothing(prepared, call, phase):
    assert prepared.run("run-all", faults=f"{call}:1:{phase}:kill").code == KILLED
    _assert_torn_down(prepared)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("call", [call for call in FROM_DEPLOY if "Create" in call or "Delete" in call])
def test_teardown_after_a_kill_in_a_call_from_the_deployment_on_leaves_nothing(trained, call, phase):
    assert trained.run("run-all", faults=f"{call}:1:{phase}:kill").code == KILLED
    _assert_torn_down(trained)


def _assert_finishes(place, finished_once):
    again = place.run("run-all", "--json")
    assert again.code == 0, again.err
    assert place.metrics() == finished_once.metrics()
    assert place.bytes_of("predict/predictions.csv") == finished_once.bytes_of("predict/predictions.csv")
    assert len(place.names("training-job")) == 1
    assert place.open_intervals() == []
    assert again.json["billing"] == {"open": []}
    assert [place.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []]


def _assert_torn_down(place):
    ended = place.run("teardown", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": []}
    assert place.open_intervals() == []
    assert [place.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []]
