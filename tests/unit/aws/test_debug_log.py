"""The log of ``--debug``: what real botocore logs of real requests, and no secret of any of them."""

from __future__ import annotations

import io
import json
import logging
import re

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from asteroid_ll.aws.debug_log import without_secrets, write_to_stderr

ACCESS_KEY = "AKIACANARYCANARY0001"
SECRET = "canary+secret/0001"
TOKEN = "canary/token+0001=="
ASSUMED = "canary-assumed-secret"
ASSUMED_TOKEN = "canary-assumed-token"

ASSUME_ROLE = f"""\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIACANARYCANARY0002</AccessKeyId><SecretAccessKey>{ASSUMED}</SecretAccessKey>
<SessionToken>{ASSUMED_TOKEN}</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""
SIGN_IN = json.dumps({"roleCredentials": {"secretAccessKey": ASSUMED, "sessionToken": ASSUMED_TOKEN}})


class _Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()


@pytest.fixture
def log(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    stop = write_to_stderr()
    yield stream
    stop()


def _client(service, body, requests, **config):
    session = boto3.Session(ACCESS_KEY, SECRET, TOKEN, region_name="us-east-1")

    def answer(request, **_):
        requests.append(request)
        return AWSResponse(request.url, 200, {"Content-Type": "text/xml"}, _Raw(body.encode()))

    client = session.client(service, config=Config(**config))
    client.meta.events.register("before-send", answer)
    return client


def _secrets(requests):
    signatures = [re.search(r"Signature=(\w+)", str(request.headers["Authorization"]))[1] for request in requests]
    assert all(len(signature) == 64 for signature in signatures)
    return [ACCESS_KEY, SECRET, TOKEN, ASSUMED, ASSUMED_TOKEN, "ASIACANARYCANARY0002", *signatures]


def test_requests_and_answers_are_logged_without_keys_tokens_and_signatures(log):
    requests = []
    role = "arn:aws:iam::123456789012:role/some-role"
    answer = _client("sts", ASSUME_ROLE, requests).assume_role(RoleArn=role, RoleSessionName="session")
    assert answer["Credentials"]["SecretAccessKey"] == ASSUMED, "the answer itself has it"
    _client("sso", SIGN_IN, requests).get_role_credentials(roleName="r", accountId="1" * 12, accessToken=ASSUMED_TOKEN)
    shown = log.getvalue()
    assert "OperationModel(name=AssumeRole)" in shown
    assert role in shown
    assert "AssumeRoleResponse" in shown
    signed = [request for request in requests if "Authorization" in request.headers]
    assert signed
    assert [secret for secret in _secrets(signed) if secret in shown] == []


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_address_is_logged_without_its_signature(log, version):
    client = _client("s3", "", [], signature_version=version)
    address = client.generate_presigned_url("get_object", {"Bucket": "rocks", "Key": "a.csv"})
    (signature,) = re.findall(r"[?&](?:X-Amz-)?Signature=([^&]+)", address)
    logger = logging.getLogger("botocore.endpoint")
    logger.debug("Sending http request: <AWSPreparedRequest method=GET, url=%s, headers={}>", address)
    try:
        raise OSError(f"cannot reach {address}")
    except OSError:
        logger.debug("Exception received when sending HTTP request.", exc_info=True)
    shown = log.getvalue()
    assert "OSError: cannot reach https://rocks.s3.amazonaws.com/a.csv?" in shown
    assert [secret for secret in (signature, ACCESS_KEY, SECRET, TOKEN) if secret in shown] == []
    assert "canary%2Ftoken" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "headers={'X-Amz-Security-Token': b'canary', 'Host': 'x'}",
        'headers={"authorization": "AWS4-HMAC-SHA256 Credential=canary/2026, Signature=canary"}',
        "x-amz-security-token:canary\nhost:x",
        "Authorization: AWS4-HMAC-SHA256 Credential=canary/2026/x, SignedHeaders=host, Signature=canary",
        r"body b'{\"SecretAccessKey\":\"canary\",\"Token\":\"canary\"}'",
        "body {'SecretAccessKey': \"canary's own\", 'Password': 'canary'}",
        "<ns:SessionToken xsi:type='x'>canary</ns:SessionToken>",
        "x-amz-server-side-encryption-customer-key: canary",
        "GET /a?X-Amz-Signature=canary&X-Amz-Credential=canary%2Fa&token=canary",
        "the variable: elsewhere-canary-0001, %2Felsewhere-canary-0001",
    ],
)
def test_every_spelling_of_a_secret_is_removed(monkeypatch, text):
    monkeypatch.setenv("NASA_API_KEY", "elsewhere-canary-0001")
    assert "canary" not in without_secrets(text)


def test_what_is_no_secret_stays_and_a_body_is_cut():
    text = "Response headers: {'x-amz-request-id': 'A1', 'ETag': '\"7e2f\"'} job asteroid-ll-0e4753c35a9dde76"
    assert without_secrets(text) == text
    assert len(without_secrets("x" * 10_000_000)) == 2_003


def test_no_part_of_a_secret_is_left_at_the_cut(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary" * 200)
    headers = "".join(f"'X-Amz-Security-Token': '{'y' * 1_000}', " for _ in range(3))
    assert "canary" not in without_secrets(headers + "z" * 500 + " canary" + "canary" * 199)
    assert "yyy" not in without_secrets(headers)


def test_the_log_ends_with_its_command(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    write_to_stderr()()
    logging.getLogger("botocore.endpoint").debug("later")
    assert stream.getvalue() == ""
