"""Requests are checked against botocore's models before an operation runs, and refused in AWS's words.

The words about wrong JSON types were measured on Athena (athena-local's tests and changelog), SES v2 (floci) and
Kinesis (kinesalite).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from botocore.model import ServiceModel

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.api_model import check
from asteroid_ll.emulator.logs import SERVICE as LOGS
from asteroid_ll.emulator.prices import SERVICE as PRICES
from asteroid_ll.emulator.quotas import SERVICE as QUOTAS
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.transport.messages import ApiError, Request

SERVICES = {service.name: service for service in (SAGEMAKER, LOGS, PRICES, QUOTAS)}
ARN = "arn:aws:sagemaker:us-west-2:000000000000:model/m"
JOB = {
    "TrainingJobName": "j",
    "RoleArn": "arn:aws:iam::000000000000:role/r",
    "AlgorithmSpecification": {"TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    "StoppingCondition": {},
}
CONTAINERS = {"list": "Expected list or null", "map": "Expected map or null", "structure": "Expected null"}
TOKENS = {'"a"': "STRING_VALUE", "1.5": "NUMBER_VALUE", "true": "TRUE_VALUE"}
ACCEPTED = {"string": '"a"', "boolean": "true"}
TARGETS = {"integer": "an Integer", "timestamp": "milliseconds since epoch"}


def wrong(kind):
    """Yield JSON values that AWS does not convert to a type, with its words."""
    for value, token in TOKENS.items():
        if kind in CONTAINERS:
            yield value, CONTAINERS[kind]
        elif value != ACCEPTED.get(kind, "1.5"):
            article = "an" if (kind, value) == ("boolean", '"a"') else "a"
            yield value, f"{token} can not be converted to {TARGETS.get(kind, f'{article} {kind.title()}')}"
    if kind != "list":
        yield "[]", "Start of list found where not expected"
    if kind not in {"map", "structure"}:
        yield "{}", "Start of structure or map found where not expected."


@pytest.fixture(scope="module")
def account(tmp_path_factory, loader):
    with closing(Account(tmp_path_factory.mktemp("account"), loader=loader)) as account:
        yield account


@pytest.fixture(scope="module")
def send(account, loader):
    def call(service, operation, body):
        scope = f"A/20260101/us-east-1/{service.replace('-', '')}/aws4_request"
        prefix = loader.load_service_model(service, "service-2")["metadata"]["targetPrefix"]
        headers = {
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=0",
            "x-amz-target": f"{prefix}.{operation}",
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
        for value, message in wrong(kind):
            answer = send(service, operation, around % value)
            if answer != (400, "SerializationException", message):
                unlike_aws[around % value, answer] += 1
    assert not unlike_aws


@pytest.mark.parametrize("body", ["[]", "3", '"a"', "null", "{", '{"MaxResults": 1,}', '{"MaxResults": NaN}', "\\"])
def test_a_body_that_is_no_json_object_is_refused(send, body):
    assert send("sagemaker", "ListModels", body)[:2] == (400, "SerializationException")


@pytest.mark.parametrize(
    ("operation", "body", "problem"),
    [
        ("DescribeModel", {}, "Value null at 'modelName' failed to satisfy constraint: Member must not be null"),
        (
            "ListModels",
            {"SortOrder": "Up"},
            "Value 'Up' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: "
            "[Ascending, Descending]",
        ),
        (
            "DescribeModel",
            {"ModelName": "x" * 64},
            f"Value '{'x' * 64}' at 'modelName' failed to satisfy constraint: Member must have length less than or "
            "equal to 63",
        ),
        (
            "AddTags",
            {"ResourceArn": ARN, "Tags": [{"Key": "a", "Value": "1"}, {"Key": "", "Value": "1"}]},
            "Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or "
            "equal to 1",
        ),
        (
            "CreateTrainingJob",
            JOB | {"HyperParameters": {"epochs": "9" * 3000}},
            f"Value '{{epochs={'9' * 3000}}}' at 'hyperParameters' failed to satisfy constraint: Map value must "
            "satisfy constraint: [Member must have length less than or equal to 2500]",
        ),
    ],
    ids=["null", "enum", "length", "list", "map"],
)
def test_a_broken_constraint_is_spelled_out(send, operation, body, problem):
    status, code, message = send("sagemaker", operation, json.dumps(body))
    assert (status, code) == (400, "ValidationException")
    assert message == f"1 validation error detected: {problem}"


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


@pytest.mark.parametrize("operation", sorted(SAGEMAKER.operations))
def test_every_pattern_of_an_operation_compiles(loader, operation):
    model = ServiceModel(loader.load_service_model("sagemaker", "service-2"))
    seen, todo = set(), [model.operation_model(operation).input_shape]
    while todo:
        shape = todo.pop()
        if shape.name in seen:
            continue
        seen.add(shape.name)
        if shape.type_name == "string" and "pattern" in shape.metadata:
            with suppress(ApiError):  # few patterns have this name
                check(shape, "rocks-1")
        todo += getattr(shape, "members", {}).values()
        todo += [getattr(shape, inner) for inner in ("member", "key", "value") if hasattr(shape, inner)]
    assert seen
