"""A member of a wrong JSON type is refused in AWS's words before an operation runs, in every JSON service.

The words were measured on Athena (athena-local's tests and changelog), SES v2 (floci) and Kinesis (kinesalite).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
from botocore.model import ServiceModel

from asteroid_ll.emulator import cbor_protocol
from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.cloudwatch.service import SERVICE as CLOUDWATCH
from asteroid_ll.emulator.logs import SERVICE as LOGS
from asteroid_ll.emulator.pricing.service import SERVICE as PRICING
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.servicequotas.service import SERVICE as QUOTAS
from asteroid_ll.emulator.transport.messages import Request

SERVICES = {service.name: service for service in (SAGEMAKER, LOGS, PRICING, QUOTAS, CLOUDWATCH)}
SIGNING_NAMES = {"service-quotas": "servicequotas", "cloudwatch": "monitoring"}
LIST, STRUCTURE = "Start of list found where not expected", "Start of structure or map found where not expected."
WRONG = {
    "string": {
        "3": "NUMBER_VALUE can not be converted to a String",
        "1.5": "NUMBER_VALUE can not be converted to a String",
        "true": "TRUE_VALUE can not be converted to a String",
        "false": "FALSE_VALUE can not be converted to a String",
        "[]": LIST,
        "{}": STRUCTURE,
    },
    "integer": {
        '"3"': "STRING_VALUE can not be converted to an Integer",
        "true": "TRUE_VALUE can not be converted to an Integer",
        "[3]": LIST,
        "{}": STRUCTURE,
    },
    "boolean": {
        '"maybe"': "STRING_VALUE can not be converted to an Boolean",
        "1": "NUMBER_VALUE can not be converted to a Boolean",
        "[true]": LIST,
        "{}": STRUCTURE,
    },
    "timestamp": {
        '"2026-01-01T00:00:00Z"': "STRING_VALUE can not be converted to milliseconds since epoch",
        "true": "TRUE_VALUE can not be converted to milliseconds since epoch",
        "[1]": LIST,
        "{}": STRUCTURE,
    },
    "list": {'"a"': "Expected list or null", "3": "Expected list or null", "{}": STRUCTURE},
    "map": {'"a"': "Expected map or null", "3": "Expected map or null", "[]": LIST},
    "structure": {'"a"': "Expected null", "3": "Expected null", "true": "Expected null", "[]": LIST},
}
for _kind in ("long", "float", "double"):
    WRONG[_kind] = {
        value: message.replace("an Integer", f"a {_kind.title()}") for value, message in WRONG["integer"].items()
    }


@pytest.fixture(scope="module")
def account(tmp_path_factory, loader):
    with closing(Account(tmp_path_factory.mktemp("account"), loader=loader)) as account:
        yield account


@pytest.fixture(scope="module")
def send(account):
    def call(service, operation, body):
        scope = f"A/20260101/us-east-1/{SIGNING_NAMES.get(service, service)}/aws4_request"
        headers = {
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=0",
            "x-amz-target": SERVICES[service].target_prefix + operation,
        }
        response = account.handle(Request("POST", "localhost", "/", headers=headers, body=body.encode()))
        answer = json.loads(response.body)
        return response.status, answer.get("__type"), answer.get("message")

    return call


def places(shape, around="%s", outer=()) -> Iterator[tuple[str, str]]:
    """Yield each member at any depth: the JSON text around its value, and its type."""
    yield around, shape.type_name
    if shape.name in outer:
        return
    outer = (*outer, shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from places(member, around % f'{{"{name}": %s}}', outer)
    elif shape.type_name == "list":
        yield from places(shape.member, around % "[%s]", outer)
    elif shape.type_name == "map":
        yield from places(shape.value, around % '{"key": %s}', outer)


@pytest.mark.parametrize(
    ("service", "operation"), [(name, operation) for name in SERVICES for operation in SERVICES[name].operations]
)
def test_every_wrong_type_of_every_member_is_refused(loader, send, service, operation):
    model = ServiceModel(loader.load_service_model(service, "service-2"))
    unlike_aws = Counter()
    for around, kind in list(places(model.operation_model(operation).input_shape))[1:]:
        for value, message in WRONG[kind].items():
            answer = send(service, operation, around % value)
            if answer != (400, "SerializationException", message):
                unlike_aws[around % value, answer] += 1
    assert not unlike_aws


@pytest.mark.parametrize("operation", CLOUDWATCH.operations)
def test_every_wrong_type_of_every_member_is_refused_in_cbor(loader, account, operation):
    model = ServiceModel(loader.load_service_model("cloudwatch", "service-2"))
    scope = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/monitoring/aws4_request, Signature=0"
    headers = {"authorization": scope, "smithy-protocol": "rpc-v2-cbor"}
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    unlike_aws = Counter()
    for around, kind in list(places(model.operation_model(operation).input_shape))[1:]:
        for value, message in WRONG[kind].items():
            body = cbor_protocol.encode(json.loads(around % value))
            response = account.handle(Request("POST", "localhost", path, headers=headers, body=body))
            answer = cbor_protocol.decode(response.body)
            if (response.status, answer) != (400, {"__type": "SerializationException", "message": message}):
                unlike_aws[around % value, response.status, str(answer)] += 1
    assert not unlike_aws


@pytest.mark.parametrize("body", ["[]", "3", '"a"', "null", "{", '{"MaxResults": 1,}', '{"MaxResults": NaN}', "\\"])
def test_a_body_that_is_no_json_object_is_refused(send, body):
    assert send("sagemaker", "ListModels", body)[:2] == (400, "SerializationException")


def test_a_wrong_type_is_refused_before_broken_constraints(send):
    body = '{"MaxResults": "1", "SortOrder": "Up"}'
    assert send("sagemaker", "ListModels", body)[2] == "STRING_VALUE can not be converted to an Integer"


@pytest.mark.parametrize(
    ("value", "problem"),
    [("99999999999", "2147483647"), ("-99999999999", "-2147483648"), ("1e400", "2147483647"), ("101.9", "101")],
)
def test_a_number_beyond_an_integer_is_its_limit_and_a_fraction_is_cut(send, value, problem):
    status, code, message = send("sagemaker", "ListModels", f'{{"MaxResults": {value}}}')
    assert (status, code) == (400, "ValidationException")
    assert f"Value '{problem}' at 'maxResults' failed to satisfy constraint" in message


@pytest.mark.parametrize("body", ['{"limit": 5.7}', '{"limit": null, "Foo": [1]}', '{"includeLinkedAccounts": "No"}'])
def test_null_unknown_and_converted_members_are_accepted(send, body):
    assert send("logs", "DescribeLogGroups", body)[0] == 200


def test_null_in_a_list_or_a_map_is_as_absent(send):
    body = {"ServiceCode": "AmazonEC2", "Filters": [None, {"Type": None, "Field": "f", "Value": "v"}]}
    message = send("pricing", "GetProducts", json.dumps(body))[2]
    assert "Value null at 'filters.1.member.type' failed to satisfy constraint: Member must not be null" in message
