"""AWS fails once or always, a response is lost, credentials expire."""

from __future__ import annotations

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
    "s3:HeadObject",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateEndpoint",
    "sagemaker:DescribeEndpoint",
    "sagemaker-runtime:InvokeEndpoint",
    "sagemaker:ListTags",
    "sagemaker:DeleteEndpoint",
    "sagemaker:ListEndpoints",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DeleteModel",
    "sagemaker:ListModels",
    "sagemaker:ListTrainingJobs",
    "sagemaker:ListTransformJobs",
    "sagemaker:ListProcessingJobs",
)


def _every(calls, *, nth, phase, kind):
    return ";".join(f"{call}:{nth}:{phase}:{kind}" for call in calls)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("fault", ["before:throttle", "before:500", "before:503", "before:connect-refused"])
def test_a_run_survives_that_every_operation_fails_once(prepared, finished_once, fault):
    phase, kind = fault.split(":")
    faults = _every(UNTIL_TRAINED, nth=1, phase=phase, kind=kind)
    assert prepared.run("run-all", "--until", "train", faults=faults).code == 0
    ended = prepared.run("run-all", faults=_every(FROM_DEPLOY, nth=1, phase=phase, kind=kind))
    assert ended.code == 0, ended.err
    assert prepared.metrics() == finished_once.metrics()
    assert len(prepared.names("training-job")) == 1


@pytest.mark.one_in(8)
@pytest.mark.parametrize("call", UNTIL_TRAINED)
def test_an_answer_that_is_cut_until_the_model_is_there_is_asked_for_again(prepared, finished_once, call):
    ended = prepared.run("run-all", "--json", faults=f"{call}:1:after:truncated")
    _assert_done(prepared, finished_once, ended)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("call", FROM_DEPLOY)
def test_an_answer_that_is_cut_from_the_deployment_on_is_asked_for_again(trained, finished_once, call):
    ended = trained.run("run-all", "--json", faults=f"{call}:1:after:truncated")
    _assert_done(trained, finished_once, ended)


def _assert_done(place, finished_once, ended):
    assert ended.code == 0, ended.err
    assert place.metrics() == finished_once.metrics()
    assert len(place.names("training-job")) == 1
    assert place.open_intervals() == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", ["reset", "read-timeout", "500"])
def test_a_run_survives_that_every_operation_loses_its_first_answer(prepared, finished_once, kind):
    faults = _every(UNTIL_TRAINED, nth=1, phase="after", kind=kind)
    assert prepared.run("run-all", "--until", "train", faults=faults).code == 0
    ended = prepared.run("run-all", faults=_every(FROM_DEPLOY, nth=1, phase="after", kind=kind))
    assert ended.code == 0, ended.err
    assert prepared.metrics() == finished_once.metrics()
    assert len(prepared.names("training-job")) == 1
    assert prepared.open_intervals() == []


@pytest.mark.one_in(8)
@pytest.mark.parametrize("call", UNTIL_TRAINED)
def test_an_operation_that_is_throttled_for_good_before_the_model_is_there_exits_4(
    workbench, prepared, finished_once, call
):
    ended = prepared.run("run-all", "--json", faults=f"{call}:*:before:throttle")
    assert ended.code == 4, ended.err
    workbench.assert_one_sentence(ended)
    again = prepared.run("run-all")
    assert again.code == 0, again.err
    assert prepared.metrics() == finished_once.metrics()
    assert len(prepared.names("training-job")) == 1


@pytest.mark.one_in(8)
@pytest.mark.parametrize("call", FROM_DEPLOY)
def test_an_operation_that_is_throttled_for_good_from_the_deployment_on_exits_4_or_names_what_is_left(
    workbench, trained, call
):
    ended = trained.run("run-all", "--json", faults=f"{call}:*:before:throttle")
    remaining = trained.names("endpoint") + trained.names("endpoint-config") + trained.names("model")
    may_remain = ended.json["billing"]["open"]
    # All that the journal names is gone, but is that all?
    is_unknown = call in ("sagemaker:ListTrainingJobs", "sagemaker:ListTransformJobs", "sagemaker:ListProcessingJobs")
    assert ended.code == (6 if may_remain or is_unknown else 4), ended.err
    assert may_remain or not remaining
    workbench.assert_one_sentence(ended)
    assert trained.run("run-all").code == 0
    assert trained.open_intervals() == []


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ("sts:GetCallerIdentity:1:before:expired-token", "expired"),
        ("sagemaker:DescribeTrainingJob:3:before:expired-token", "continues, and is billed until"),
    ],
    ids=["at-the-start", "while-it-trains"],
)
def test_credentials_that_expire_before_the_model_is_there_exit_5_and_say_what_bills_on(
    workbench, prepared, faults, says
):
    ended = prepared.run("run-all", "--json", faults=faults)
    assert ended.code == 5
    assert says in ended.json["error"]["what"]
    workbench.assert_one_sentence(ended)
    assert prepared.run("run-all").code == 0


@pytest.mark.parametrize("first", ["DescribeEndpoint", "DeleteEndpoint"])
def test_credentials_that_expire_with_an_endpoint_open_name_it(trained, first):
    """From the first fault on, nothing is answered any more."""
    faults = f"sagemaker:{first}:*:before:expired-token;sagemaker:ListTags:*:before:expired-token"
    ended = trained.run("run-all", "--json", faults=faults)
    assert ended.code in (5, 6)
    (resource,) = ended.json["billing"]["open"]
    assert resource["name"] in ended.json["error"]["what"]
    assert "asteroid-ll teardown" in ended.json["error"]["hint"]
    assert trained.run("teardown").code == 0
    assert trained.open_intervals() == []


@pytest.mark.parametrize("call", ["s3:PutObject", "sagemaker:CreateTrainingJob", "sagemaker:CreateEndpoint"])
def test_a_denied_action_is_named(prepared, call):
    ended = prepared.run("run-all", "--json", faults=f"{call}:*:before:access-denied")
    assert ended.code == 4
    assert call.partition(":")[2] in ended.json["error"]["what"]
    assert prepared.run("run-all").code == 0


def test_a_log_that_may_not_be_read_does_not_fail_a_job_that_is_paid_for(prepared, finished_once):
    faults = "cloudwatch-logs:DescribeLogStreams:*:before:access-denied"
    ended = prepared.run("run-all", "--json", faults=faults)
    assert ended.code == 0, ended.err
    assert "AWS denied logs:DescribeLogStreams" in ended.err
    assert prepared.metrics() == finished_once.metrics()
    assert prepared.bytes_of("train/job.log") == b""
    assert prepared.open_intervals() == []
