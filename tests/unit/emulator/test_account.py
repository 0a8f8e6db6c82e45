"""The account routes requests to its services, and answers unknown requests and bugs as AWS does."""

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from asteroid_ll.emulator.s3.call import OPERATIONS as S3_OPERATIONS
from asteroid_ll.emulator.sagemaker.service import OPERATIONS
from asteroid_ll.emulator.transport.messages import Request


def test_the_caller_is_the_emulated_account(virtual, client_of):
    caller = client_of("sts").get_caller_identity()
    assert (caller["Account"], caller["Arn"]) == ("000000000000", "arn:aws:iam::000000000000:user/emulator")


def test_every_answer_has_a_request_id_of_its_own(virtual, client_of):
    sts_client, sagemaker = client_of("sts"), client_of("sagemaker")
    answers = [sts_client.get_caller_identity(), sagemaker.list_models(), sagemaker.list_models()]
    assert len({answer["ResponseMetadata"]["RequestId"] for answer in answers}) == 3


def test_an_answer_of_s3_has_one_request_id_which_an_error_repeats(virtual, monkeypatch):
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request"}
    monkeypatch.setitem(S3_OPERATIONS, "GET /Bucket", replace(S3_OPERATIONS["GET /"], run=lambda _: 1 / 0))  # a bug
    virtual.store.create_bucket("rocks", region="us-east-1")
    for path, status in (("/", 200), ("/nowhere", 404), ("/rocks", 500)):
        answer = virtual.handle(Request("GET", "localhost", path, headers=signed))
        (request_id,) = (
            answer.headers[name] for name in ("x-amz-request-id", "x-amzn-RequestId") if name in answer.headers
        )
        assert answer.status == status
        assert status == 200 or f"<RequestId>{request_id}</RequestId>".encode() in answer.body


def test_s3_is_reached_by_the_same_door(virtual, client_of):
    s3 = client_of("s3")
    s3.create_bucket(Bucket="asteroids", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket="asteroids", Key="a", Body=b"1")
    assert s3.get_object(Bucket="asteroids", Key="a")["Body"].read() == b"1"


@pytest.mark.parametrize("target", ["SageMaker.ListModels", "Logs_20140328.DescribeLogGroups"])
def test_a_request_without_credentials_is_refused(virtual, target):
    answer = virtual.handle(Request("POST", "localhost", "/", headers={"x-amz-target": target}, body=b"{}"))
    assert answer.status == 403
    assert b"Missing Authentication Token" in answer.body
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_sts_without_credentials_is_refused_as_xml(virtual):
    answer = virtual.handle(Request("POST", "localhost", "/", body=b"Action=GetCallerIdentity&Version=2011-06-15"))
    assert answer.status == 403
    assert b"<Code>MissingAuthenticationToken" in answer.body


def test_an_operation_that_the_emulator_does_not_have_is_refused_by_name(virtual, client_of, refused):
    assert refused(client_of("sagemaker").list_notebook_instances) == (
        "UnknownOperationException",
        "The emulator has no SageMaker operation 'ListNotebookInstances'.",
    )
    assert refused(client_of("logs").create_log_group, logGroupName="g")[0] == "UnknownOperationException"
    assert refused(client_of("sts").get_session_token)[0] == "InvalidAction"


def test_a_body_that_is_not_json_is_refused(virtual):
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/sagemaker/aws4_request, Signature=0",
        "x-amz-target": "SageMaker.ListModels",
    }
    for body in (b"{", b"[]"):
        answer = virtual.handle(Request("POST", "localhost", "/", headers=headers, body=body))
        assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, "SerializationException")


def test_a_bug_is_an_internal_failure_with_its_traceback_in_the_log(virtual, client_of, monkeypatch):
    def broken(call):
        raise ZeroDivisionError("a bug")

    monkeypatch.setitem(OPERATIONS, "ListModels", broken)
    with pytest.raises(ClientError) as caught:
        client_of("sagemaker").list_models()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert caught.value.response["Error"]["Code"] == "InternalFailure"
    log = (virtual.directory / "emulator.log").read_text()
    assert "ZeroDivisionError: a bug" in log
    assert "in broken" in log


def test_reset_leaves_an_empty_account(virtual, client_of, hosted):
    hosted()
    assert client_of("sagemaker").list_models()["Models"]
    virtual.reset()
    assert client_of("sagemaker").list_models()["Models"] == []
    assert client_of("s3").list_buckets()["Buckets"] == []
