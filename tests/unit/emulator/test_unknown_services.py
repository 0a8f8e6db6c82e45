"""The emulator refuses services and operations that it does not have in the client's own protocol, with the name."""

from __future__ import annotations

from contextlib import closing

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.iam.operations import SERVICE as IAM
from asteroid_ll.emulator.logs import SERVICE as LOGS
from asteroid_ll.emulator.prices import SERVICE as PRICES
from asteroid_ll.emulator.quotas import SERVICE as QUOTAS
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.sts import SERVICE as STS
from asteroid_ll.emulator.transport import in_process
from asteroid_ll.emulator.transport.messages import Request

SERVICES = {service.name: service for service in (SAGEMAKER, LOGS, PRICES, QUOTAS, IAM, STS)}
LOADER = Loader()
NOT_SENT = {"account-access-runtime", "cloudfront-keyvaluestore", "codecatalyst"}
"""Services whose client needs a token or signature version 4A before it sends anything."""

UNSIGNED = {"cognito-identity", "cognito-idp", "sdb", "sso", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
"""Services whose simplest operation is sent without a signature of version 4, and operations of STS."""

OTHERS = sorted(set(LOADER.list_available_services("service-2")) - SERVICES.keys() - NOT_SENT - {"s3"})


def valid(shape):
    """Return a value of a shape with its required members only."""
    least = max(shape.metadata.get("min", 1), 1)
    if shape.type_name == "structure":
        if shape.is_tagged_union:
            return {name: valid(member) for name, member in list(shape.members.items())[:1]}
        return {name: valid(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [valid(shape.member)] * least
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "a" * max(least, 3)
    others = {"map": {}, "boolean": True, "blob": b"x", "float": 1.0, "double": 1.0}
    return others.get(shape.type_name, least)


def n_required(model, operation):
    return len(getattr(model.operation_model(operation).input_shape, "required_members", ()))


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Make the call with a real client, and return how often it was sent and how it was refused."""
    session = botocore.session.Session()
    session.set_credentials("emulator", "emulator")
    session.register_component("data_loader", LOADER)
    with closing(Account(tmp_path_factory.mktemp("account"), loader=LOADER)) as account:
        sent, clients = [], {}
        session.register("before-send", lambda request, **_: sent.append(request) or in_process.send(account, request))

        def make(service, operation=""):
            if service not in clients:
                clients[service] = session.create_client(service, region_name="us-east-1")
            model = clients[service].meta.service_model
            operation = operation or min(model.operation_names, key=lambda name: (n_required(model, name), name))
            shape = model.operation_model(operation).input_shape
            sent.clear()
            with pytest.raises(ClientError) as caught:
                clients[service]._make_api_call(operation, valid(shape) if shape else {})
            answer = caught.value.response
            status = answer["ResponseMetadata"]["HTTPStatusCode"]
            return len(sent), status, answer["Error"]["Code"], answer["Error"]["Message"]

        yield make


@pytest.mark.parametrize(
    ("service", "operation", "name"),
    [
        ("dynamodb", "ListTables", "dynamodb operation 'ListTables'"),
        ("cloudwatch", "ListMetrics", "monitoring operation 'ListMetrics'"),
        ("sns", "ListTopics", "sns operation 'ListTopics'"),
        ("ec2", "DescribeVpcs", "ec2 operation 'DescribeVpcs'"),
        ("route53", "ListHostedZones", "route53 operation 'GET /2013-04-01/hostedzone'"),
        ("lambda", "ListFunctions", "lambda operation 'GET /2015-03-31/functions'"),
        ("sagemaker", "ListNotebookInstances", "sagemaker operation 'ListNotebookInstances'"),
    ],
)
def test_an_operation_of_each_protocol_is_named(call, service, operation, name):
    assert call(service, operation) == (1, 501, "UnknownOperationException", f"The emulator has no {name}.")


@pytest.mark.one_in(12)
@pytest.mark.parametrize("service", OTHERS)
def test_every_other_service_is_refused_once_and_by_name(call, service):
    n_sent, status, code, message = call(service)
    is_known = (status, code) == (501, "UnknownOperationException")
    assert n_sent == 1
    assert is_known or (service in UNSIGNED and (status, code[:26]) == (403, "MissingAuthenticationToken"))
    assert "The emulator has no " in message


@pytest.mark.one_in(12)
@pytest.mark.parametrize(
    ("service", "operation"),
    [
        (name, operation)
        for name, service in SERVICES.items()
        for operation in LOADER.load_service_model(name, "service-2")["operations"]
        if operation not in service.operations
    ],
)
def test_every_other_operation_of_its_services_is_refused_once_and_by_name(call, service, operation):
    n_sent, status, code, message = call(service, operation)
    expected = (400, "InvalidAction") if service in {"iam", "sts"} else (501, "UnknownOperationException")
    if operation in UNSIGNED:
        expected = (403, "MissingAuthenticationTokenException")
    assert (n_sent, status, code) == (1, *expected)
    assert operation in message


@pytest.mark.parametrize(
    ("headers", "path", "body", "name"),
    [
        ({"x-amz-target": "AWSCognitoIdentityService.GetId"}, "/", b"{}", b"GetId"),
        ({}, "/", b"Action=AssumeRoleWithSAML&Version=2011-06-15", b"AssumeRoleWithSAML"),
        ({"smithy-protocol": "rpc-v2-cbor"}, "/service/Nothing/operation/Do", b"", b"Do"),
        ({"authorization": "Bearer x"}, "/v1/user", b"", b"POST /v1/user"),
    ],
    ids=["json", "query", "cbor", "bearer"],
)
def test_an_unsigned_request_is_refused_by_name(virtual, headers, path, body, name):
    answer = virtual.handle(Request("POST", "localhost", path, headers=headers, body=body))
    assert answer.status == 403
    assert b"MissingAuthenticationToken" in answer.body
    assert b"Missing Authentication Token. The emulator has no unsigned operation" in answer.body
    assert name in answer.body


SIGNED = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{}/aws4_request, Signature=0"


def test_the_target_of_another_service_is_refused_although_it_has_an_operation_of_that_name(virtual):
    for target in ("Logs_20140328.ListModels", "ListModels"):
        headers = {"authorization": SIGNED.format("sagemaker"), "x-amz-target": target}
        answer = virtual.handle(Request("POST", "localhost", "/", headers=headers, body=b"{}"))
        assert (answer.status, b"UnknownOperationException" in answer.body) == (501, True)


def test_the_name_of_an_operation_can_be_of_any_length(virtual):
    path = f"/service/Nothing/operation/{'a' * 70_000}"
    headers = {"authorization": SIGNED.format("monitoring"), "smithy-protocol": "rpc-v2-cbor"}
    answer = virtual.handle(Request("POST", "localhost", path, headers=headers))
    assert (answer.status, b"a" * 70_000 in answer.body) == (501, True)
