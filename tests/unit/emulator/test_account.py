"""The account routes requests to its services, and answers unknown requests and bugs as AWS does."""

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from asteroid_ll.emulator.s3.call import OPERATIONS as S3_OPERATIONS
from asteroid_ll.emulator.sagemaker.service import OPERATIONS
from asteroid_ll.emulator.transport.messages import Request


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
