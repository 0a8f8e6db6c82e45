"""The printed commands of Amazon's command line, read by a shell's rules and checked with botocore's model of IAM."""

from __future__ import annotations

import json
import shlex
from functools import cache

import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from asteroid_ll.aws.iam_commands import setup
from asteroid_ll.aws.policy import Scope, caller_policy, oidc_trust, role_policy, trust_policy

ACCOUNT_ID = "111122223333"


def scope(role="learner", *, region="eu-west-1", partition="aws", prefix="it's $HOME* `id`"):
    return Scope(
        bucket="b",
        swept_bucket="b",
        prefix=prefix,
        role_arn=f"arn:{partition}:iam::{ACCOUNT_ID}:role/{role}",
        region=region,
        account_id=ACCOUNT_ID,
        partition=partition,
    )


@cache
def iam():
    return ServiceModel(Loader().load_service_model("iam", "service-2"), "iam")


def parsed(command):
    """The operation and the parameters that the command line sends for a printed line."""
    aws, service, operation, *words = shlex.split(command)
    assert (aws, service) == ("aws", "iam")
    flags, values = words[::2], words[1::2]
    assert all(flag.startswith("--") for flag in flags)
    names = {xform_name(name, "-"): name for name in iam().operation_names}
    shape = iam().operation_model(names[operation]).input_shape
    options = {xform_name(name, "-"): (name, member) for name, member in shape.members.items()}
    parameters, others = {}, {}
    for flag, value in zip(flags, values, strict=True):
        if (option := flag.removeprefix("--")) not in options:
            others[option] = value
            continue
        name, member = options[option]
        parameters[name] = [value] if member.type_name == "list" else value
    errors = ParamValidator().validate(parameters, shape)
    assert not errors.has_errors(), errors.generate_report()
    return names[operation], parameters, others


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_commands_create_the_documents_with_parameters_that_iam_takes(region, partition):
    place = scope(region=region, partition=partition)
    made = setup(place, repo="me/rocks", branch="main")
    calls = [parsed(command) for command in made.commands]
    assert all(others == {"region": region} for _, _, others in calls)
    documents = [
        json.loads(value) for _, parameters, _ in calls for name, value in parameters.items() if "Document" in name
    ]
    assert documents == [
        trust_policy(place),
        role_policy(place),
        caller_policy(place),
        oidc_trust(place, repo="me/rocks", branch="main"),
    ]
    plain = [(name, {k: v for k, v in given.items() if "Document" not in k}) for name, given, _ in calls]
    policy_arn = f"arn:{partition}:iam::{ACCOUNT_ID}:policy/learner-caller"
    assert plain == [
        ("CreateRole", {"RoleName": "learner"}),
        ("PutRolePolicy", {"RoleName": "learner", "PolicyName": "asteroid-ll"}),
        ("CreatePolicy", {"PolicyName": "learner-caller"}),
        (
            "CreateOpenIDConnectProvider",
            {"Url": "https://token.actions.githubusercontent.com", "ClientIDList": ["sts.amazonaws.com"]},
        ),
        ("CreateRole", {"RoleName": "learner-github"}),
        ("AttachRolePolicy", {"RoleName": "learner-github", "PolicyArn": policy_arn}),
    ]
    assert made.policy_arn == policy_arn
    assert made.caller_role_arn == f"arn:{partition}:iam::{ACCOUNT_ID}:role/learner-github"


def test_without_a_repository_nothing_of_github_is_created():
    made = setup(scope())
    assert [parsed(command)[0] for command in made.commands] == ["CreateRole", "PutRolePolicy", "CreatePolicy"]
    assert made.caller_role_arn is None


def test_the_path_and_the_longest_name_of_a_role_are_ones_that_iam_takes():
    made = setup(scope(f"service-role/of/{'n' * 64}"), repo="me/rocks")
    calls = [parameters for _, parameters, _ in map(parsed, made.commands)]
    assert (calls[0]["Path"], calls[0]["RoleName"]) == ("/service-role/of/", "n" * 64)
    assert all(len(parameters.get("RoleName", "")) <= 64 for parameters in calls)
    assert all(len(parameters.get("PolicyName", "")) <= 128 for parameters in calls)


def test_every_command_is_one_line():
    assert not any("\n" in command for command in setup(scope(), repo="me/rocks").commands)
