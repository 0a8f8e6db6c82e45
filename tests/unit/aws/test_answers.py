"""The decoder: what is not a whole answer of the right form is an error that names the operation and the reason."""

from __future__ import annotations

import json

import pytest

from asteroid_ll.aws import logs, resources, storage
from asteroid_ll.aws.session import ATTEMPTS
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import AwsError

JSON = {"Content-Type": "application/x-amz-json-1.1"}
HTML = {"Content-Type": "text/html"}
PAGE = b"<html><body>Please sign in.</body></html>"
SUMMARY = {
    "EndpointName": "asteroid-ll-x",
    "EndpointArn": "arn",
    "EndpointStatus": "InService",
    "CreationTime": 1,
    "LastModifiedTime": 1,
}


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (JSON, b"", "it is empty"),
        (HTML, PAGE, "it is not JSON"),
        (JSON, b"\xff\xfe\xfa", "it is not JSON"),
        (JSON, b'{"Endpoints": [', "it is not JSON"),
        (JSON, b"[]", "it is not a JSON object"),
        (JSON, b"null", "it is not a JSON object"),
        (JSON, b'{"garbled": true}', "it has no Endpoints"),
        (JSON, b'{"Endpoints": {}}', "Endpoints is of the wrong type"),
        (JSON, b'{"Endpoints": ["x"]}', "an item of Endpoints is of the wrong type"),
        (JSON, b'{"Endpoints": [{"EndpointName": true}]}', "EndpointName is of the wrong type"),
        (JSON, json.dumps({"Endpoints": [SUMMARY | {"EndpointStatus": None}]}).encode(), "it has no EndpointStatus"),
        (JSON, json.dumps({"Endpoints": [SUMMARY | {"CreationTime": "noon"}]}).encode(), "it is damaged"),
    ],
)
def test_a_listing_that_cannot_be_read_is_never_an_empty_one(aws, script, headers, body, reason):
    script.on("ListEndpoints", Response(200, headers, body))
    with pytest.raises(AwsError, match=f"answer to ListEndpoints cannot be read: {reason}"):
        resources.list_named(aws, "endpoint")
    assert script.names() == ["ListEndpoints"] * ATTEMPTS


@pytest.mark.parametrize("body", [b"", b"{}", b'{"Tags": null}', b'{"Tags": [{"Key": "asteroid-ll"}]}'])
def test_missing_tags_are_not_the_tags_of_somebody_else(aws, script, body):
    script.on("ListTags", Response(200, JSON, body))
    with pytest.raises(AwsError, match="answer to ListTags cannot be read"):
        resources.tags_of(aws, "arn")


@pytest.mark.parametrize("body", [b"", b"<ListMultipartUploadsResult/>", PAGE])
def test_an_unreadable_listing_of_uploads_is_never_an_empty_one(aws, script, body):
    script.on("S3 GET", Response(200, {"Content-Type": "application/xml"}, body))
    with pytest.raises(AwsError, match="answer to ListMultipartUploads cannot be read"):
        storage.list_uploads(aws, "bucket", "asteroid-ll/")


def test_an_unreadable_listing_of_logs_is_never_an_empty_one(aws, script):
    script.on("DescribeLogGroups", Response(200, JSON, b"{}"))
    with pytest.raises(AwsError, match="answer to DescribeLogGroups cannot be read: it has no logGroups"):
        logs.list_logs(aws, "asteroid-ll-")


@pytest.mark.parametrize("body", [PAGE, b"\xff\xfe", b"[1]"])
def test_an_operation_without_an_answer_has_none_or_an_object(aws, script, body):
    script.on("DeleteModel", Response(200, JSON, body))
    with pytest.raises(AwsError, match="answer to DeleteModel cannot be read"):
        resources.delete(aws, "model", "x")


@pytest.mark.parametrize("body", [PAGE, b"", b"<a/>", b"\xff\xfe", b"<GetCallerIdentityResponse>"])
def test_an_identity_that_cannot_be_read_is_no_identity(aws, script, body):
    script.on("GetCallerIdentity", Response(200, {"Content-Type": "text/xml"}, body))
    with pytest.raises(AwsError, match="answer to GetCallerIdentity cannot be read"):
        _ = aws.account_id


def test_a_web_page_is_not_an_object_of_s3(aws, script, tmp_path):
    script.on("S3 GET", Response(200, HTML, PAGE))
    with pytest.raises(AwsError, match="answer to GetObject cannot be read: it is a web page"):
        storage.download_file(aws, bucket="b", key="k", path=tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("headers", [{"ETag": "e"}, {"Content-Length": "9"}])
def test_a_head_without_a_length_or_a_tag_is_not_an_object_of_s3(aws, script, headers):
    script.on("S3 HEAD", Response(200, headers, b""))
    with pytest.raises(AwsError, match="answer to HeadObject cannot be read"):
        storage.exists(aws, bucket="b", key="k")


def test_a_head_without_a_header_of_s3_is_not_a_bucket(aws, script):
    empty = Response(200, {"Content-Type": "application/xml"})
    script.on("S3 HEAD", *[empty] * (ATTEMPTS - 1), Response(200, {"X-Amz-Request-Id": "1"}))
    assert storage.ensure_bucket(aws, "b") == "exists"
    script.on("S3 HEAD", empty)
    with pytest.raises(AwsError, match="answer to HeadBucket cannot be read: it is not from S3"):
        storage.ensure_bucket(aws, "b")


def test_a_job_has_no_artifacts_before_its_end(aws, script):
    script.on("DescribeTrainingJob", {"TrainingJobStatus": "InProgress", "ModelArtifacts": None})
    described = resources.describe(aws, "training-job", "x")
    assert described is not None
    assert described["TrainingJobStatus"] == "InProgress"
