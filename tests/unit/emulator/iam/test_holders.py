"""Roles and users have inline and attached policies, with the same operations."""

import json
from functools import partial

import pytest


@pytest.fixture(params=["role", "user"])
def holder(request, iam, role, user):
    """The operations on one role or user, by name with ``X`` for the kind."""
    kind, title = request.param, request.param.title()
    name = {"role": "learner", "user": "ada"}[kind]

    def named(operation):
        return partial(getattr(iam, operation.replace("X", kind)), **{f"{title}Name": name})

    named.kind, named.name = kind, name
    return named


def test_an_inline_policy_is_read_back_and_replaced(holder, read):
    for document in (read, {**read, "Id": "second"}):
        holder("put_X_policy")(PolicyName="rocks", PolicyDocument=json.dumps(document))
        assert holder("get_X_policy")(PolicyName="rocks")["PolicyDocument"] == document
    assert holder("list_X_policies")()["PolicyNames"] == ["rocks"]


def test_an_inline_policy_that_does_not_exist_is_not_found(holder, refused):
    absent = ("NoSuchEntity", f"The {holder.kind} policy with name rocks cannot be found.")
    for operation in ("get_X_policy", "delete_X_policy"):
        assert refused(holder(operation), PolicyName="rocks") == absent


def test_a_managed_policy_is_attached_once_and_detached(holder, policy):
    for _ in range(2):
        holder("attach_X_policy")(PolicyArn=policy["Arn"])
    attached = [{"PolicyName": "readers", "PolicyArn": policy["Arn"]}]
    assert holder("list_attached_X_policies")()["AttachedPolicies"] == attached
    holder("detach_X_policy")(PolicyArn=policy["Arn"])
    assert holder("list_attached_X_policies")()["AttachedPolicies"] == []


def test_a_policy_that_does_not_exist_is_neither_attached_nor_detached(holder, policy, refused):
    absent = "arn:aws:iam::aws:policy/NoSuchPolicy"
    assert refused(holder("attach_X_policy"), PolicyArn=absent) == (
        "NoSuchEntity",
        f"Policy {absent} does not exist or is not attachable.",
    )
    assert refused(holder("detach_X_policy"), PolicyArn=policy["Arn"]) == (
        "NoSuchEntity",
        f"Policy {policy['Arn']} was not found.",
    )


def test_ten_policies_can_be_attached(iam, holder, read, refused):
    arns = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=json.dumps(read))["Policy"]["Arn"]
        for number in range(11)
    ]
    for arn in arns[:10]:
        holder("attach_X_policy")(PolicyArn=arn)
    assert refused(holder("attach_X_policy"), PolicyArn=arns[10]) == (
        "LimitExceeded",
        f"Cannot exceed quota for PoliciesPer{holder.kind.title()}: 10",
    )


def test_all_inline_policies_together_have_a_limit(holder, read, refused):
    limit = {"role": 10_240, "user": 2_048}[holder.kind]
    read["Statement"][0]["Sid"] = "x" * (limit // 2)
    holder("put_X_policy")(PolicyName="first", PolicyDocument=json.dumps(read))
    assert refused(holder("put_X_policy"), PolicyName="second", PolicyDocument=json.dumps(read)) == (
        "LimitExceeded",
        f"Maximum policy size of {limit} bytes exceeded for {holder.kind} {holder.name}",
    )


def test_a_policy_with_a_principal_is_malformed(holder, trust, refused):
    code, _ = refused(holder("put_X_policy"), PolicyName="p", PolicyDocument=json.dumps(trust))
    assert code == "MalformedPolicyDocument"
