"""Signatures of requests to services other than S3: AWS's published examples, real clients, and forged requests."""

import calendar
import json
import time
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.iam.store import Credentials
from asteroid_ll.emulator.protocols import JSON, REST_JSON
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.signatures import check
from asteroid_ll.emulator.transport.messages import ApiError, Request

DATE, KEY, SECRET = "20150830T123600Z", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW_S = calendar.timegm(time.strptime(DATE, "%Y%m%dT%H%M%SZ"))
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
LIST_USERS = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
EXAMPLES = {
    "ListUsers": ("iam", "/?Action=ListUsers&Version=2010-05-08", LIST_USERS),
    "vanilla": ("service", "/", VANILLA),
    "relative": ("service", "/example/..", VANILLA),
    "relative-relative": ("service", "/example1/example2/../..", VANILLA),
    "slash": ("service", "//", VANILLA),
    "slash-dot-slash": ("service", "/./", VANILLA),
    "slash-pointless-dot": (
        "service",
        "/./example",
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    "slashes": ("service", "//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
}
"""The example of the IAM user guide, and those of AWS's Signature Version 4 test suite."""


def keys(access_key):
    return Credentials(SECRET) if access_key == KEY else None


def example(name, **changes):
    service, target, digest = EXAMPLES[name]
    headers = {"host": "example.amazonaws.com", "x-amz-date": DATE}
    if service == "iam":
        headers |= {
            "host": "iam.amazonaws.com",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        }
    names = ";".join(sorted(headers))
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/{service}/aws4_request, "
        f"SignedHeaders={names}, Signature={digest}"
    )
    values = {"method": "GET", "host": headers["host"], "path": "/", "headers": headers, "target": target, **changes}
    return Request(**values)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_published_examples_are_right(name):
    check(example(name), keys, protocol=QUERY, now_s=NOW_S)
    with pytest.raises(ApiError, match="does not match"):
        check(example(name, body=b"x"), keys, protocol=QUERY, now_s=NOW_S)


@pytest.mark.parametrize(
    ("protocol", "code", "status"),
    [
        (QUERY, "SignatureDoesNotMatch", 403),
        (JSON, "InvalidSignatureException", 400),
        (REST_JSON, "InvalidSignatureException", 403),
    ],
)
def test_a_clock_that_is_wrong_by_more_than_five_minutes_is_named(protocol, code, status):
    for seconds, sentence in (
        (301, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"),
        (
            -301,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z "
            "(20150830T123059Z + 5 min.)",
        ),
    ):
        with pytest.raises(ApiError) as caught:
            check(example("vanilla"), keys, protocol=protocol, now_s=NOW_S + seconds)
        assert (caught.value.code, caught.value.message, caught.value.status) == (code, sentence, status)
    check(example("vanilla"), keys, protocol=protocol, now_s=NOW_S + 299)


def test_a_request_whose_host_is_not_signed_is_refused_in_awss_words():
    request = example("vanilla")
    signed = request.headers["authorization"].replace("host;", "")
    with pytest.raises(ApiError) as caught:
        check(replace(request, headers={**request.headers, "authorization": signed}), keys, protocol=JSON, now_s=NOW_S)
    # As reported in aws/aws-sdk-php#2469.
    assert caught.value.code == "InvalidSignatureException"
    assert caught.value.message == "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


def test_a_request_without_a_whole_signature_is_incomplete():
    request = Request(
        "POST", "h", "/", headers={"authorization": "AWS4-HMAC-SHA256 Credential=a/20150830/r/iam/aws4_request"}
    )
    with pytest.raises(ApiError) as caught:
        check(request, keys, protocol=QUERY, now_s=NOW_S)
    assert caught.value.code == "IncompleteSignature"


ROOT = ("root", "root-secret", None)


@pytest.fixture
def call(tmp_path, front, client_of):
    """Make a call with some credentials to an account that verifies signatures; the code of a refusal comes back."""
    account = front.emulator = Account(tmp_path / "state", loader=front.loader, keys={"root": Credentials(ROOT[1])})

    def make(service, operation, credentials=ROOT, **params):
        client = client_of(service)
        signing = client._request_signer._credentials
        before = signing.access_key, signing.secret_key, signing.token
        signing.access_key, signing.secret_key, signing.token = credentials
        try:
            return getattr(client, operation)(**params)
        except ClientError as error:
            return error.response["Error"]["Code"]
        finally:
            signing.access_key, signing.secret_key, signing.token = before

    yield make
    account.close()
    front.emulator = None


QUERY_CODES = ("InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidClientTokenId")
JSON_CODES = ("UnrecognizedClientException", "InvalidSignatureException", "UnrecognizedClientException")
CALLS = {
    "sts": ("get_caller_identity", QUERY_CODES),
    "iam": ("list_roles", QUERY_CODES),
    "sagemaker": ("list_models", JSON_CODES),
    "s3": ("list_buckets", ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken")),
}
"""A call to each protocol, and the refusals of an unknown key, a wrong secret and a wrong token."""


@pytest.mark.parametrize("service", CALLS)
def test_a_client_with_the_right_key_is_answered_and_any_other_is_refused(call, service):
    operation, codes = CALLS[service]
    assert isinstance(call(service, operation), dict)
    strangers = ("nobody", "root-secret", None), ("root", "guess", None), ("root", "root-secret", "guess")
    assert tuple(call(service, operation, stranger) for stranger in strangers) == codes


def test_an_invocation_of_an_endpoint_is_verified(call):
    request = {"EndpointName": "comet", "Body": b"1,2", "ContentType": "text/csv"}
    assert call("sagemaker-runtime", "invoke_endpoint", **request) == "ValidationError"
    forged = call("sagemaker-runtime", "invoke_endpoint", ("root", "guess", None), **request)
    assert forged == "InvalidSignatureException"


def test_keys_of_iam_and_sts_sign_with_their_secrets(call):
    call("iam", "create_user", UserName="ada")
    key = call("iam", "create_access_key", UserName="ada")["AccessKey"]
    ada = (key["AccessKeyId"], key["SecretAccessKey"], None)
    assert call("sts", "get_caller_identity", ada)["Arn"].endswith(":user/ada")
    trust = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = call("iam", "create_role", RoleName="observer", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    session = call("sts", "assume_role", ada, RoleArn=role, RoleSessionName="tonight")["Credentials"]
    access_key, secret, token = (session[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    for service, (operation, _) in CALLS.items():
        assert isinstance(call(service, operation, (access_key, secret, token)), dict)
    assert call("s3", "list_buckets", (access_key, secret, None)) == "InvalidAccessKeyId"
    assert call("s3", "list_buckets", (access_key, secret, "guess")) == "InvalidToken"
    assert call("s3", "list_buckets", (access_key, "guess", token)) == "SignatureDoesNotMatch"
    assert call("sagemaker", "list_models", (access_key, secret, "guess")) == "UnrecognizedClientException"
    call("iam", "delete_access_key", UserName="ada", AccessKeyId=key["AccessKeyId"])
    assert call("sts", "get_caller_identity", ada) == "InvalidClientTokenId"
