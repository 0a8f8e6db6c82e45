"""Forms are read and answers are written by botocore's model, so its own parser understands every operation."""

import json
import os
from urllib.parse import urlencode

import pytest
from botocore import xform_name
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from asteroid_ll.emulator.sts import SERVICE as STS
from asteroid_ll.emulator.transport.messages import Request

ACCOUNT = "arn:aws:iam::000000000000"
READ = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}],
    }
)
WRONG_TEXTS = ("", "x", "1.5", "-1", "0", "true", "9" * 30, "[]", "{}", "2026-01-01T00:00:00Z", "\ufffd", "\x00")
R, U, P = {"RoleName": "r"}, {"UserName": "u"}, {"PolicyArn": f"{ACCOUNT}:policy/p"}
CONVERSATION = [
    ("CreateRole", {**R, "AssumeRolePolicyDocument": TRUST, "Tags": [{"Key": "k", "Value": "v"}]}),
    ("GetRole", R),
    ("ListRoles", {}),
    ("UpdateAssumeRolePolicy", {**R, "PolicyDocument": TRUST}),
    ("CreatePolicy", {"PolicyName": "p", "PolicyDocument": READ}),
    ("GetPolicy", P),
    ("GetPolicyVersion", {**P, "VersionId": "v1"}),
    ("CreateUser", U),
    ("GetUser", U),
    ("PutRolePolicy", {**R, "PolicyName": "i", "PolicyDocument": READ}),
    ("GetRolePolicy", {**R, "PolicyName": "i"}),
    ("ListRolePolicies", R),
    ("AttachRolePolicy", {**R, **P}),
    ("ListAttachedRolePolicies", R),
    ("PutUserPolicy", {**U, "PolicyName": "i", "PolicyDocument": READ}),
    ("GetUserPolicy", {**U, "PolicyName": "i"}),
    ("ListUserPolicies", U),
    ("AttachUserPolicy", {**U, **P}),
    ("ListAttachedUserPolicies", U),
    ("SimulatePrincipalPolicy", {"PolicySourceArn": f"{ACCOUNT}:user/u", "ActionNames": ["s3:GetObject"]}),
    ("CreateAccessKey", U),
    ("ListAccessKeys", U),
    ("GetCallerIdentity", {}),
    ("AssumeRole", {"RoleArn": f"{ACCOUNT}:role/r", "RoleSessionName": "se"}),
    ("DetachRolePolicy", {**R, **P}),
    ("DeleteRolePolicy", {**R, "PolicyName": "i"}),
    ("DeleteRole", R),
    ("DetachUserPolicy", {**U, **P}),
    ("DeleteUserPolicy", {**U, "PolicyName": "i"}),
    ("DeletePolicy", P),
]
"""Operations in an order in which each succeeds; the keys and the user of CreateAccessKey stay."""


def absent(shape, value, path):
    """Yield the required members of a shape that a parsed answer does not have, and members of another type."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), path
        yield from (f"{path}.{name}" for name in shape.required_members if name not in value)
        for name, item in value.items():
            if name != "ResponseMetadata":
                yield from absent(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), path
        for item in value:
            yield from absent(shape.member, item, path)
    elif shape.type_name == "timestamp":
        assert value.tzinfo is not None, path


def test_every_operation_answers_with_the_required_members_of_its_shape(virtual, client_of):
    clients = {"iam": client_of("iam"), "sts": client_of("sts")}
    for name, params in CONVERSATION:
        service = "sts" if name in STS.operations else "iam"
        answer = getattr(clients[service], xform_name(name))(**params)
        shape = clients[service].meta.service_model.operation_model(name).output_shape
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        if shape is None:
            assert set(answer) == {"ResponseMetadata"}
        else:
            assert set(answer) > {"ResponseMetadata"}, name
            assert list(absent(shape, answer, name)) == []
    iam = clients["iam"]
    [key] = iam.list_access_keys(UserName="u")["AccessKeyMetadata"]
    iam.delete_access_key(UserName="u", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="u")


def wrong_forms(shape, path=""):
    """Yield a field for each member at any depth, with a text that is not of its type, or one that has no place."""
    if shape.type_name == "structure":
        yield (path, "x") if path else ("Unknown.member.1", "x")
        for name, member in shape.members.items():
            yield from wrong_forms(member, f"{path}.{name}" if path else name)
    elif shape.type_name == "list":
        yield from ((f"{path}{end}", "x") for end in ("", ".member", ".member.0", ".member.x", ".member.3", ".1"))
        yield from wrong_forms(shape.member, f"{path}.member.1")
    else:
        yield from ((path, text) for text in WRONG_TEXTS)
        yield from ((f"{path}{end}", "x") for end in (".member.1", ".Key"))


def test_no_wrong_type_of_any_member_is_an_internal_failure(virtual, loader):
    every = 1 if os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1" else 8
    models = {name: ServiceModel(loader.load_service_model(name, "service-2"), name) for name in ("iam", "sts")}
    failures, n_sent = [], 0
    for name, params in CONVERSATION:
        service = "sts" if name in STS.operations else "iam"
        model = models[service].operation_model(name)
        form = create_serializer("query").serialize_to_request(params, model)["body"]
        scope = f"AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/{service}/aws4_request, Signature=0"
        headers = {"authorization": scope, "content-type": "application/x-www-form-urlencoded"}
        wrong = list(wrong_forms(model.input_shape))
        for fields in (*({**form, field: text} for field, text in wrong[n_sent % every :: every]), form):
            body = urlencode(fields).encode()
            answer = virtual.handle(Request("POST", "localhost", "/", headers=headers, body=body))
            n_sent += 1
            if answer.status >= 500:
                failures.append((fields, answer.body[:200]))
    assert failures == []
    assert n_sent > 1_000 / every


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ("Action=ListRoles&MaxItems=0", "ValidationError"),
        ("Action=ListRoles&MaxItems=many", "SerializationException"),
        ("Action=ListRoles&MaxItems=" + "9" * 5_000, "SerializationException"),
        ("Action=ListRoles&Marker=x", "ValidationError"),
        ("Action=GetRole", "ValidationError"),
        ("Action=GetRole&RoleName=", "ValidationError"),
        ("Action=GetRole&RoleName=%ff", "ValidationError"),
        ("Action=AttachRolePolicy&RoleName.member.1=x", "ValidationError"),
        ("", "InvalidAction"),
    ],
)
def test_a_form_that_breaks_the_model_is_refused_in_xml(virtual, fields, code):
    headers = {"authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/iam/aws4_request, Signature=0"}
    answer = virtual.handle(Request("POST", "localhost", "/", headers=headers, body=fields.encode()))
    assert answer.status == 400
    assert f"<Code>{code}</Code>" in answer.body.decode()
