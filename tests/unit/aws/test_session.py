from __future__ import annotations

import subprocess
import sys

import pytest
from botocore import exceptions as botocore_errors
from botocore.session import Session

from asteroid_ll.aws import hooks, resources
from asteroid_ll.aws import session as session_module
from asteroid_ll.aws.session import connect
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import AwsError, ConfigError, CredentialsError

S3 = Session().get_service_model("s3")


def test_only_the_session_imports_the_client_library():
    heavy = {"boto3", "botocore.session", "botocore.parsers", "numpy", "pandas", "sqlite3"}
    code = (
        "import sys\n"
        "from asteroid_ll.aws import billing, endpoints, jobs, logs, policy, pricing, storage, teardown\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("operation", sorted(S3.operation_names))
def test_every_s3_call_that_can_name_the_buckets_owner_does(operation):
    model = S3.operation_model(operation)
    params: dict[str, object] = {}
    hooks.expect_owner(params, model, "111122223333")
    expected = {"ExpectedBucketOwner", "ExpectedSourceBucketOwner"} & set(model.input_shape.members)
    assert params == dict.fromkeys(expected, "111122223333")


def test_the_owner_travels_with_the_request_and_sts_is_asked_once(aws, script, say):
    script.on("S3 HEAD", say.s3_refusal("404", status=404))
    for _ in range(3):
        with pytest.raises(botocore_errors.ClientError):
            aws.s3.head_object(Bucket="b", Key="k")
    owners = [call["x-amz-expected-bucket-owner"] for name, call in script.calls if name == "S3 HEAD"]
    assert owners == [say.account_id] * 3
    assert script.names().count("GetCallerIdentity") == 1


def test_a_client_is_built_once(aws):
    assert aws.sagemaker is aws.sagemaker
    assert aws.logs is aws.logs


def test_expired_credentials_are_found_by_the_first_call(aws, script):
    body = b"<ErrorResponse><Error><Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>"
    script.on("GetCallerIdentity", Response(403, {"Content-Type": "text/xml"}, body))
    with pytest.raises(CredentialsError, match="expired"):
        _ = aws.s3


def test_a_throttled_call_is_sent_again_and_then_given_up(aws, script, say, time_passes):
    script.on("DescribeEndpoint", say.refusal("ThrottlingException", "Rate exceeded"))
    with pytest.raises(botocore_errors.ClientError):
        aws.sagemaker.describe_endpoint(EndpointName="x")
    assert script.names() == ["DescribeEndpoint"] * session_module.ATTEMPTS
    assert sum(time_passes.slept_s) < 120


@pytest.mark.parametrize("body", [b'{"EndpointName": "asteroid-', b"<html>"], ids=["cut", "html"])
def test_an_unreadable_success_is_not_a_success(aws, script, body):
    script.on("DescribeEndpoint", Response(200, {"Content-Type": "application/x-amz-json-1.1"}, body))
    with pytest.raises(AwsError, match=r"answer to DescribeEndpoint cannot be read: .*, while describing endpoint x"):
        resources.describe(aws, "endpoint", "x")
    assert script.names() == ["DescribeEndpoint"] * session_module.ATTEMPTS


def test_an_answer_that_was_truncated_once_is_retried(aws, script):
    json_type = {"Content-Type": "application/x-amz-json-1.1"}
    script.on("ListModels", Response(200, json_type, b'{"Models": ['), Response(200, json_type, b'{"Models": []}'))
    assert resources.list_named(aws, "model") == []


def test_a_refusal_that_was_truncated_once_is_retried(aws, script, say):
    cut = Response(400, {"Content-Type": "application/x-amz-json-1.1"}, b'{"__type":"ValidationExc')
    script.on("DescribeModel", cut, say.refusal("ValidationException", 'Could not find model "x".'))
    assert resources.describe(aws, "model", "x") is None


def test_an_unreadable_refusal_is_not_absence_and_names_the_next_command(aws, script):
    script.on("DescribeModel", Response(400, {"Content-Type": "application/x-amz-json-1.1"}, b'{"__type":"Valid'))
    with pytest.raises(
        AwsError, match=r"answer to DescribeModel cannot be read: it is not JSON, while describing model x"
    ) as caught:
        resources.describe(aws, "model", "x")
    assert caught.value.hint
    assert script.names() == ["DescribeModel"] * session_module.ATTEMPTS


@pytest.mark.parametrize("n_cut", [1, session_module.ATTEMPTS])
def test_a_truncated_identity_is_retried_a_limited_number_of_times(aws, script, n_cut):
    (whole,) = script._answers["GetCallerIdentity"]
    cut = Response(200, whole.headers, whole.body[: len(whole.body) // 2])
    script.on("GetCallerIdentity", *[cut] * n_cut, whole)
    if n_cut < session_module.ATTEMPTS:
        assert aws.account_id.isdecimal()
    else:
        with pytest.raises(AwsError, match=r"answer to GetCallerIdentity cannot be read: .*, while asking STS"):
            _ = aws.account_id
    assert script.names() == ["GetCallerIdentity"] * min(n_cut + 1, session_module.ATTEMPTS)


def test_an_empty_answer_is_a_success(aws, script):
    script.on("DeleteModel", Response(200, {"Content-Type": "application/x-amz-json-1.1"}, b""))
    assert resources.delete(aws, "model", "x")


def test_closing_twice_is_closing_once():
    closed: list[bool] = []
    aws = session_module.Aws(
        Session(),
        region="us-east-1",
        target="emulator",
        pace=session_module.EMULATOR_PACE,
        on_close=lambda: closed.append(True),
    )
    with aws:
        aws.close()
    assert closed == [True]


def test_a_profile_that_does_not_exist_is_a_credentials_error(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with (
        pytest.raises(CredentialsError, match="nobody"),
        connect("aws", region="us-east-1", emulator_dir=tmp_path) as aws,
    ):
        _ = aws.sagemaker


def test_an_account_without_credentials_is_a_credentials_error(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with (
        connect("aws", region="us-east-1", emulator_dir=tmp_path) as aws,
        pytest.raises(CredentialsError, match="no usable AWS credentials"),
    ):
        _ = aws.account_id


def test_a_region_that_does_not_exist_is_a_configuration_error(make_aws):
    with pytest.raises((ConfigError, AwsError)) as caught:
        _ = make_aws(region="not a region").sagemaker
    assert caught.value.exit_code == 2
