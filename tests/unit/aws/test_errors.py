from __future__ import annotations

import pytest
from botocore import exceptions as botocore_errors

from asteroid_ll.aws.errors import after_failure, aws_call, is_already_there, is_not_found, translate
from asteroid_ll.errors import AsteroidError, AwsError, ConfigError, CredentialsError, DataError


def refused(code: str, message: str = "", *, status: int = 400, operation: str = "CreateEndpoint"):
    return botocore_errors.ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )


@pytest.mark.parametrize(
    ("error", "branch", "text"),
    [
        (refused("ExpiredToken"), CredentialsError, "expired while deploying"),
        (refused("ExpiredTokenException"), CredentialsError, "expired while deploying"),
        (refused("UnrecognizedClientException", "bad token"), CredentialsError, "does not accept the credentials"),
        (refused("InvalidClientTokenId", "bad id", status=403), CredentialsError, "does not accept the credentials"),
        (refused("SignatureDoesNotMatch", "signature", status=403), CredentialsError, "does not accept"),
        (refused("RequestTimeTooSkewed", "difference too large", status=403), CredentialsError, "clock"),
        (botocore_errors.NoCredentialsError(), CredentialsError, "no usable AWS credentials"),
        (botocore_errors.ProfileNotFound(profile="work"), CredentialsError, "work"),
        (botocore_errors.NoRegionError(), ConfigError, "region"),
        (botocore_errors.ParamValidationError(report="Invalid bucket name"), ConfigError, "Invalid bucket name"),
        (refused("AccessDeniedException", "not authorized"), AwsError, "sagemaker:CreateEndpoint"),
        (refused("AccessDenied", status=403), AwsError, "sagemaker:CreateEndpoint"),
        (refused("403", "Forbidden", status=403), AwsError, "denied"),
        (refused("ThrottlingException", "Rate exceeded"), AwsError, "kept throttling"),
        (refused("SlowDown", "Reduce", status=503), AwsError, "kept throttling"),
        (refused("PermanentRedirect", "use the other", status=301), AwsError, "another region"),
        (refused("ResourceLimitExceeded", "limit is 0 Instances"), AwsError, "quota"),
        (refused("InternalFailure", "", status=500), AwsError, "AWS failed"),
        (refused("ValidationException", "1 validation error"), AwsError, "1 validation error"),
        (botocore_errors.EndpointConnectionError(endpoint_url="https://x"), AwsError, "connection"),
        (botocore_errors.ReadTimeoutError(endpoint_url="https://x"), AwsError, "connection"),
        (botocore_errors.ConnectionClosedError(endpoint_url="https://x"), AwsError, "connection"),
    ],
    ids=lambda value: value.response["Error"]["Code"] if isinstance(value, botocore_errors.ClientError) else None,
)
def test_each_failure_has_its_branch_and_one_sentence_about_it(error, branch, text):
    with pytest.raises(AsteroidError) as caught, aws_call("deploying"):
        raise error
    assert type(caught.value) is branch
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert caught.value.__cause__ is error


def test_a_bug_keeps_its_traceback():
    with pytest.raises(KeyError), aws_call("deploying"):
        raise KeyError("x")


def test_an_expected_failure_passes_unchanged():
    ours = DataError("no such file")
    with pytest.raises(DataError) as caught, aws_call("deploying"):
        raise ours
    assert caught.value is ours
    assert translate(ours, "deploying", service="sagemaker") is ours


@pytest.mark.parametrize(
    ("code", "message", "absent"),
    [
        ("ValidationException", 'Could not find endpoint "arn:aws:sagemaker:us-east-1:1:endpoint/x".', True),
        ("ValidationException", "Requested resource not found.", True),
        ("ResourceNotFoundException", "The specified log group does not exist.", True),
        ("ValidationException", "1 validation error detected", False),
        ("AccessDeniedException", "Could not find endpoint", False),
        ("ThrottlingException", "Rate exceeded", False),
        ("ResourceNotFound", "", False),
    ],
)
def test_absence_takes_the_code_and_the_text(code, message, absent):
    assert is_not_found(refused(code, message)) is absent


def test_a_failure_without_an_answer_is_not_absence():
    assert not is_not_found(botocore_errors.ReadTimeoutError(endpoint_url="https://x"))
    assert not is_not_found(ValueError("could not find"))


@pytest.mark.parametrize(
    ("code", "message", "taken"),
    [
        ("ResourceInUse", "Training job names must be unique within an AWS account and region, and ...", True),
        ("ValidationException", 'Cannot create already existing endpoint "arn".', True),
        ("ResourceInUse", "Some other use", False),
        ("ValidationException", "1 validation error detected", False),
        ("AccessDeniedException", "already exists", False),
    ],
)
def test_a_taken_name_takes_the_code_and_the_text(code, message, taken):
    assert is_already_there(refused(code, message)) is taken


def test_a_denied_head_bucket_names_the_permission_that_it_needs():
    error = translate(refused("403", "Forbidden", status=403, operation="HeadBucket"), "looking", service="s3")
    assert error is not None
    assert "s3:ListBucket" in error.what
    assert "Forbidden" not in error.what


def test_a_denied_create_names_the_action_that_aws_names():
    message = (
        "User: arn:aws:iam::111122223333:user/ada is not authorized to perform: iam:PassRole on resource: "
        "arn:aws:iam::111122223333:role/learner because no identity-based policy allows the iam:PassRole action"
    )
    error = translate(refused("AccessDeniedException", message), "creating", service="sagemaker")
    assert error is not None
    assert error.what.startswith("AWS denied iam:PassRole while creating: User:")
    assert error.hint.startswith("Allow iam:PassRole on arn:aws:iam::111122223333:role/learner")


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            "The account-level service limit 'ml.m5.large for training job usage' is 0 Instances, with current "
            "utilization of 0 Instances and a request delta of 1 Instances.",
            "aws service-quotas list-service-quotas --service-code sagemaker --query "
            "\"Quotas[?QuotaName=='ml.m5.large for training job usage'].[QuotaCode,Value]\"",
        ),
        ("Too many.", "Ask for more in the Service Quotas console, or choose another instance type."),
    ],
)
def test_a_quota_is_found_by_the_name_that_aws_gives(message, hint):
    error = translate(refused("ResourceLimitExceeded", message), "creating", service="sagemaker")
    assert error is not None
    assert error.hint.endswith(hint)


def test_a_role_that_sagemaker_cannot_assume_is_no_malformed_value():
    message = (
        "Could not assume role arn:aws:iam::1:role/x. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )
    error = translate(refused("ValidationException", message), "creating", service="sagemaker")
    assert error is not None
    assert error.what.startswith("SageMaker cannot use the role while creating: Could not assume role")
    assert "trust policy" in error.hint


def test_a_failure_for_lack_of_capacity_is_no_mistake_of_the_user():
    reason = "CapacityError: Unable to provision requested ML compute capacity. Please retry using another type."
    hint = after_failure(reason, instance_type="training.instance_type")
    assert hint.startswith("AWS is short of such instances. Wait, or set 'training.instance_type' to another type.")
    assert after_failure("AlgorithmError: x", instance_type="y").startswith("Correct the cause.")
