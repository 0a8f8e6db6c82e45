from __future__ import annotations

import numpy as np
import pytest

from asteroid_ll.aws import endpoints, tags
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import AwsError, CredentialsError, DataError
from asteroid_ll.formats import MAX_INVOKE_BYTES, RECORDIO
from asteroid_ll.formats.payload import Scores, response_body

ARN = "arn:aws:sagemaker:us-east-1:111122223333:endpoint/asteroid-ll-abc"
GONE = f'Could not find endpoint "{ARN}".'
OURS = tags.tags(fingerprint="abc")


def described(status: str = "InService", **more: object) -> dict:
    body = {
        "EndpointName": "asteroid-ll-abc",
        "EndpointArn": ARN,
        "EndpointConfigName": "asteroid-ll-abc",
        "EndpointStatus": status,
        "CreationTime": 1000,
        "LastModifiedTime": 1000,
    }
    return body | more


@pytest.fixture
def gone(script, say):
    """SageMaker's answer about the endpoint after its deletion; the listing is empty too."""
    script.on("ListEndpoints", {"Endpoints": []})
    return say.refusal("ValidationException", GONE)


@pytest.fixture
def taken(say):
    return say.refusal("ValidationException", f'Cannot create already existing endpoint "{ARN}".')


def test_an_endpoint_of_ours_is_adopted(aws, script, taken):
    script.on("CreateEndpoint", taken)
    script.on("DescribeEndpoint", described("Creating"))
    script.on("ListTags", {"Tags": tags.to_api(OURS)})
    outcome = endpoints.create_or_adopt_endpoint(aws, "asteroid-ll-abc", config_name="asteroid-ll-abc", tags=OURS)
    assert outcome == "adopted"
    assert "DeleteEndpoint" not in script.names()


@pytest.mark.parametrize("state", ["Failed", "Deleting"])
def test_an_unusable_endpoint_of_ours_is_replaced(aws, script, taken, gone, state):
    script.on("CreateEndpoint", taken, {"EndpointArn": ARN})
    script.on("DescribeEndpoint", described(state), described(state), described(state), described("Deleting"), gone)
    script.on("ListTags", {"Tags": tags.to_api(OURS)})
    script.on("DeleteEndpoint", {})
    outcome = endpoints.create_or_adopt_endpoint(aws, "asteroid-ll-abc", config_name="asteroid-ll-abc", tags=OURS)
    assert outcome == "created"
    assert script.names().count("DeleteEndpoint") == (1 if state == "Failed" else 0)


@pytest.mark.parametrize("owner", [{}, OURS, tags.tags(fingerprint="abc", run="another")])
def test_an_endpoint_of_another_program_or_another_run_is_refused_and_left_untouched(aws, script, taken, owner):
    script.on("CreateEndpoint", taken)
    script.on("DescribeEndpoint", described())
    script.on("ListTags", {"Tags": tags.to_api(owner)})
    mine = tags.tags(fingerprint="abc", run="mine")
    with pytest.raises(AwsError, match="left untouched"):
        endpoints.create_or_adopt_endpoint(aws, "asteroid-ll-abc", config_name="asteroid-ll-abc", tags=mine)
    assert script.names() == ["CreateEndpoint", "DescribeEndpoint", "ListTags"]


def test_a_configuration_that_is_not_known_everywhere_yet_is_waited_for(aws, script, say, time_passes):
    unknown = say.refusal("ValidationException", 'Could not find endpoint configuration "asteroid-ll-abc".')
    script.on("CreateEndpoint", unknown, unknown, {"EndpointArn": ARN})
    outcome = endpoints.create_or_adopt_endpoint(aws, "asteroid-ll-abc", config_name="asteroid-ll-abc", tags=OURS)
    assert outcome == "created"
    assert script.names() == ["CreateEndpoint"] * 3
    assert time_passes.now_s > 0


def test_a_configuration_that_never_becomes_known_is_the_reason(aws, script, say):
    unknown = say.refusal("ValidationException", 'Could not find endpoint configuration "asteroid-ll-abc".')
    script.on("CreateEndpoint", unknown)
    with pytest.raises(AwsError, match=r'Could not find endpoint configuration "asteroid-ll-abc"'):
        endpoints.create_or_adopt_endpoint(aws, "asteroid-ll-abc", config_name="asteroid-ll-abc", tags=OURS)


def test_an_endpoint_that_fails_is_deleted_before_the_failure_is_reported(aws, script, gone):
    failed = described("Failed", FailureReason="Could not assume role.")
    script.on("DescribeEndpoint", described("Creating"), failed, failed, gone)
    script.on("DeleteEndpoint", {})
    with pytest.raises(AwsError, match=r"failed: Could not assume role\. It has been deleted"):
        endpoints.wait_for_endpoint(aws, "asteroid-ll-abc")
    assert script.names()[-3:] == ["DeleteEndpoint", "DescribeEndpoint", "ListEndpoints"]


def test_a_failed_endpoint_that_cannot_be_deleted_is_reported_as_left(aws, script, say):
    script.on("DescribeEndpoint", described("Failed", FailureReason="No capacity."))
    script.on("DeleteEndpoint", say.refusal("AccessDeniedException", "no"))
    with pytest.raises(AwsError, match=r"No capacity\. It could not be deleted either") as caught:
        endpoints.wait_for_endpoint(aws, "asteroid-ll-abc")
    assert "teardown" in caught.value.hint


def test_credentials_that_expire_during_the_wait_name_the_billed_endpoint(aws, script, say):
    script.on("DescribeEndpoint", described("Creating"), say.refusal("ExpiredTokenException", "expired"))
    with pytest.raises(CredentialsError, match="Endpoint asteroid-ll-abc continues") as caught:
        endpoints.wait_for_endpoint(aws, "asteroid-ll-abc")
    assert "teardown" in caught.value.hint


def test_deletion_waits_for_an_endpoint_that_is_being_created_and_until_it_is_gone(aws, script, gone):
    script.on("DescribeEndpoint", described("Creating"), described(), described("Deleting"), gone)
    script.on("DeleteEndpoint", {})
    assert endpoints.delete_endpoint(aws, "asteroid-ll-abc")
    assert script.names() == [
        *["DescribeEndpoint"] * 2,
        "DeleteEndpoint",
        *["DescribeEndpoint"] * 2,
        "ListEndpoints",
    ]


def test_deleting_a_missing_endpoint_does_nothing(aws, script, gone):
    script.on("DescribeEndpoint", gone)
    script.on("DeleteEndpoint", gone)
    assert not endpoints.delete_endpoint(aws, "asteroid-ll-abc")


def test_a_deletion_that_is_refused_because_it_is_under_way_is_waited_for(aws, script, say, gone):
    script.on("DescribeEndpoint", described(), described("Deleting"), described("Deleting"), gone)
    script.on("DeleteEndpoint", say.refusal("ValidationException", "Cannot update in-progress endpoint."))
    assert endpoints.delete_endpoint(aws, "asteroid-ll-abc")


def test_a_deletion_that_is_refused_otherwise_is_a_refusal(aws, script, say):
    script.on("DescribeEndpoint", described())
    script.on("DeleteEndpoint", say.refusal("ValidationException", "Cannot update in-progress endpoint."))
    with pytest.raises(AwsError, match="in-progress"):
        endpoints.delete_endpoint(aws, "asteroid-ll-abc")


def test_an_endpoint_that_only_the_delete_knows_is_deleted(aws, script, gone):
    script.on("DescribeEndpoint", gone)
    script.on("DeleteEndpoint", {})
    assert endpoints.delete_endpoint(aws, "asteroid-ll-abc")


def ask(aws, body: bytes = b"1,2\n") -> bytes:
    return endpoints.invoke(aws, "asteroid-ll-abc", body, n_rows=1, content_type="text/csv", accept="application/json")


def test_the_payload_and_its_types_arrive_and_the_answer_comes_back(aws, script):
    script.on("InvokeEndpoint", Response(200, {"Content-Type": "application/json"}, b'{"predictions": []}'))
    assert ask(aws) == b'{"predictions": []}'
    (_, sent) = script.calls[0]
    assert (sent["Body"], sent["content-type"], sent["accept"]) == (b"1,2\n", "text/csv", "application/json")


@pytest.mark.parametrize(
    ("code", "status", "fields"),
    [
        ("ModelNotReadyException", 429, {}),
        ("InternalDependencyException", 530, {}),
        ("ModelError", 424, {"OriginalStatusCode": 500, "OriginalMessage": "busy"}),
    ],
)
def test_a_failure_that_is_not_the_payloads_fault_is_retried(aws, script, say, code, status, fields):
    script.on("InvokeEndpoint", say.refusal(code, "no", status=status, **fields), Response(200, {}, b"{}"))
    assert ask(aws) == b"{}"


CUT = Response(200, {"Content-Type": "application/json", "Content-Length": "19"}, b'{"predict')


@pytest.mark.parametrize("unreadable", [CUT, Response(200, {"Content-Type": "text/html"}, b"\xff\xfe{}")])
def test_an_answer_that_is_not_whole_json_is_retried(aws, script, unreadable):
    script.on("InvokeEndpoint", unreadable, Response(200, {}, b"{}"))
    assert ask(aws) == b"{}"


@pytest.mark.parametrize("n_bytes", [0, 3, 20, 28, 47])
def test_a_recordio_answer_that_is_cut_is_retried(aws, script, n_bytes):
    whole = response_body(Scores(np.ones(2, np.float32), None), RECORDIO)
    script.on("InvokeEndpoint", Response(200, {}, whole[:n_bytes]), Response(200, {}, whole))
    assert endpoints.invoke(aws, "asteroid-ll-abc", b"", n_rows=2, content_type=RECORDIO, accept=RECORDIO) == whole


def test_an_endpoint_whose_answers_are_all_truncated_is_given_up(aws, script):
    script.on("InvokeEndpoint", CUT)
    with pytest.raises(AwsError, match=r"in 6 attempts \(the answer broke off: 9 read, but total bytes expected is 19"):
        ask(aws)
    assert script.names() == ["InvokeEndpoint"] * endpoints.INVOKE_ATTEMPTS


def test_an_endpoint_that_stays_unready_is_given_up(aws, script, say, time_passes):
    script.on("InvokeEndpoint", say.refusal("ModelNotReadyException", "not yet", status=429))
    with pytest.raises(AwsError, match="did not answer in 6 attempts"):
        ask(aws)
    assert script.names().count("InvokeEndpoint") == endpoints.INVOKE_ATTEMPTS
    assert sum(time_passes.slept_s) < 120


def test_a_payload_that_the_model_refuses_is_not_sent_again(aws, script, say):
    message = 'Received client error (400) from model with message "unable to evaluate payload provided".'
    script.on("InvokeEndpoint", say.refusal("ModelError", message, status=424, OriginalStatusCode=400))
    with pytest.raises(DataError, match="unable to evaluate payload"):
        ask(aws)
    assert script.names() == ["InvokeEndpoint"]


def test_a_missing_endpoint_is_a_refusal_at_once(aws, script, say):
    script.on("InvokeEndpoint", say.refusal("ValidationError", "Endpoint x of account 1 not found."))
    with pytest.raises(AwsError, match="not found"):
        ask(aws)
    assert script.names() == ["InvokeEndpoint"]


def test_a_payload_over_the_limit_is_not_sent(aws, script):
    with pytest.raises(DataError, match="6,291,456"):
        ask(aws, b"x" * (MAX_INVOKE_BYTES + 1))
    assert script.calls == []
