"""The answers of moto 5.2, ministack 1.5, LocalStack and S3-only servers are those that their servers sent."""

from __future__ import annotations

import pytest

from asteroid_ll.aws.checks.endpoint import require_sagemaker
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import AwsError

MOTO = (
    b'{"__type": "ValidationException", "message": "Could not find training job \'arn:aws:sagemaker:us-east-1:1:t\'."}'
)
AWS = (
    b'{"__type": "ValidationException", "message": "1 validation error detected: Value at \'trainingJobName\' failed '
    b'to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"}'
)
JSON = {"Content-Type": "application/x-amz-json-1.1"}


@pytest.fixture
def elsewhere(aws, monkeypatch):
    monkeypatch.setattr(aws.sagemaker.meta, "_endpoint_url", "http://127.0.0.1:5000")
    return aws


@pytest.mark.parametrize(
    "answer",
    [
        Response(400, JSON, MOTO),
        Response(400, {"Content-Type": "text/html"}, b""),
        Response(405, {"Content-Type": "application/xml"}, b"<Error><Code>MethodNotAllowed</Code></Error>"),
        Response(
            501, JSON, b'{"__type": "InternalFailure", "message": "The API for service sagemaker is not included"}'
        ),
        {"TrainingJobName": "asteroid-ll-", "TrainingJobStatus": "Completed"},
    ],
    ids=["moto", "ministack", "s3-only", "localstack", "no-check-at-all"],
)
def test_a_server_without_a_sagemaker_that_trains_is_refused_with_the_next_command(elsewhere, script, answer):
    script.on("DescribeTrainingJob", answer)
    with pytest.raises(AwsError) as caught:
        require_sagemaker(elsewhere)
    assert caught.value.what == "The server at http://127.0.0.1:5000 has no SageMaker that trains models."
    command = "asteroid-ll emulator serve --port 4599 --s3-endpoint http://127.0.0.1:5000"
    assert caught.value.hint.startswith(f"{command}   ")


@pytest.mark.parametrize(
    "answer",
    [
        Response(400, JSON, AWS),
        Response(403, JSON, b'{"__type": "AccessDeniedException", "message": "no"}'),
        Response(503, JSON, b'{"__type": "ServiceUnavailable", "message": "wait"}'),
        ConnectionError("refused"),
    ],
    ids=["a-real-one", "denied", "unavailable", "down"],
)
def test_a_server_that_checks_the_name_or_does_not_say_is_accepted(elsewhere, script, answer):
    script.on("DescribeTrainingJob", answer)
    require_sagemaker(elsewhere)


def test_a_companion_alone_is_refused_with_the_variable_that_leads_to_the_buckets(elsewhere, script, monkeypatch):
    script.on("DescribeTrainingJob", Response(400, JSON, AWS))
    message = "This emulator has no buckets. They are at http://127.0.0.1:5001 (AWS_ENDPOINT_URL_S3)."
    refusal = f"<Error><Code>UnknownOperationException</Code><Message>{message}</Message></Error>".encode()
    script.on("S3 GET", Response(501, {"Content-Type": "application/xml"}, refusal))
    require_sagemaker(elsewhere)  # S3 has another address
    monkeypatch.setattr(elsewhere.s3.meta, "_endpoint_url", "http://127.0.0.1:5000")
    with pytest.raises(AwsError) as caught:
        require_sagemaker(elsewhere)
    assert caught.value.what == message
    assert caught.value.hint.startswith("export AWS_ENDPOINT_URL_S3=http://127.0.0.1:5001   ")


def test_aws_itself_gets_no_request(aws, script):
    require_sagemaker(aws)
    assert script.calls == []
