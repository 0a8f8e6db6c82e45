"""The emulator refuses services and operations that it does not have in the client's own protocol, with the name."""

from __future__ import annotations

from contextlib import closing

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.cloudwatch.service import SERVICE as CLOUDWATCH
from asteroid_ll.emulator.iam.operations import SERVICE as IAM
from asteroid_ll.emulator.logs.service import SERVICE as LOGS
from asteroid_ll.emulator.pricing.service import SERVICE as PRICING
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.servicequotas.service import SERVICE as QUOTAS
from asteroid_ll.emulator.sts import SERVICE as STS
from asteroid_ll.emulator.transport import in_process
from asteroid_ll.emulator.transport.messages import Request

SERVICES = {service.name: service for service in (SAGEMAKER, LOGS, PRICING, QUOTAS, CLOUDWATCH, IAM, STS)}
LOADER = Loader()
FORM = "application/x-www-form-urlencoded"
NOT_SENT = {
    "account-access-runtime": "its token",
    "cloudfront-keyvaluestore": "signature version 4A",
    "codecatalyst": "its token",
}
"""Services whose client needs more than these tests have before it sends anything."""

OTHERS = sorted(set(LOADER.list_available_services("service-2")) - SERVICES.keys() - NOT_SENT.keys())
TWINS = {
    "chime-sdk-voice": "Amazon Chime",
    "docdb": "Amazon Relational Database Service",
    "importexport": "service 'IngestionService'",
    "neptune": "Amazon Relational Database Service",
    "qconnect": "Amazon Connect Wisdom Service",
    "sagemaker-runtime": "Amazon SageMaker Runtime operation POST /endpoints/aaa/async-invocations",
    "signer-data": "AWS Signer",
    "sso": "service for an unsigned GET /assignment/accounts",
    "timestream-write": "Amazon Timestream Query",
}
"""Names in place of a service's own, because its request could as well be the other's."""


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
    ("service", "title"),
    [
        ("dynamodb", "Amazon DynamoDB"),
        ("pi", "AWS Performance Insights"),
        ("sns", "Amazon Simple Notification Service"),
        ("route53", "Amazon Route 53"),
        ("s3control", "AWS S3 Control"),
        ("lambda", "AWS Lambda"),
        ("sagemaker-featurestore-runtime", "Amazon SageMaker Feature Store Runtime"),
        ("iam-toolbox", ""),
    ],
)
def test_a_service_of_each_protocol_is_named(call, service, title):
    if service not in OTHERS:
        pytest.skip(f"botocore's version has no {service}")
    n_sent, status, code, message = call(service)
    assert (n_sent, status, code) == (1, 501, "UnknownOperationException")
    assert message == f"The emulator has no {title}." or not title


@pytest.mark.one_in(12)
@pytest.mark.parametrize("service", [name for name in OTHERS if name != "s3"])
def test_every_other_service_is_refused_once_and_by_name(call, service):
    title = LOADER.load_service_model(service, "service-2")["metadata"]["serviceFullName"]
    message = f"The emulator has no {TWINS.get(service, title)}."
    assert call(service) == (1, 501, "UnknownOperationException", message)


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
    assert (n_sent, status) == (1, 400)
    assert code == ("InvalidAction" if service in {"iam", "sts"} else "UnknownOperationException")
    assert operation in message


@pytest.mark.parametrize(
    ("headers", "path", "query", "message"),
    [
        ({"x-amz-target": "DynamoDB_20120810.ListTables"}, "/", {}, b"The emulator has no Amazon DynamoDB."),
        ({"content-type": FORM}, "/", {"Version": "2010-03-31"}, b"has no Amazon Simple Notification Service."),
        ({"smithy-protocol": "rpc-v2-cbor"}, "/service/Nothing/operation/Do", {}, b"The emulator has no service"),
        ({"authorization": "Bearer x"}, "/v1/user", {}, b"The emulator has no service for an unsigned GET /v1/user."),
    ],
    ids=["json", "query", "cbor", "bearer"],
)
def test_an_unsigned_request_to_another_service_is_refused_by_name(virtual, headers, path, query, message):
    answer = virtual.handle(Request("GET", "localhost", path, query=query, headers=headers))
    assert answer.status == 501
    assert message in answer.body
