"""The policy language against the rules and the examples of AWS's IAM user guide."""

from __future__ import annotations

import fnmatch
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.emulator.iam import language
from asteroid_ll.emulator.iam.language import Decision, context_of, decide, may_assume, problem_of
from asteroid_ll.emulator.iam.patterns import matches
from asteroid_ll.emulator.iam.principals import Principal

ACCOUNT = "123456789012"
USER = Principal(arn=f"arn:aws:iam::{ACCOUNT}:user/carlos", user_id="AIDACARLOS")
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/reader"
SESSION = Principal(
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/nightly", user_id="AROAREADER:nightly", role_arn=ROLE_ARN
)
ROOT = Principal(arn=f"arn:aws:iam::{ACCOUNT}:root", user_id=ACCOUNT, is_root=True)
OBJECT = "arn:aws:s3:::b/k"


def policy(*statements, version="2012-10-17"):
    return {"Version": version, "Statement": list(statements)}


def allow(action="s3:GetObject", resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action="s3:GetObject", resource="*", **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


def ask(
    *statements, action="s3:GetObject", resource=OBJECT, context=None, principal=USER, version="2012-10-17", **more
):
    principal = replace(principal, identity_policies=(policy(*statements, version=version),))
    values = {**context_of(principal), **{key.lower(): value for key, value in (context or {}).items()}}
    return decide(action=action, resource=resource, context=values, principal=principal, **more)


# IAM user guide, "IAM JSON policy elements: Action", "... Resource" and "... NotAction", "... NotResource".
@pytest.mark.parametrize(
    ("statement", "action", "resource", "allowed"),
    [
        (allow("s3:GetObject"), "s3:GetObject", OBJECT, True),
        (allow("S3:getobject"), "s3:GetObject", OBJECT, True),
        (allow(["s3:PutObject", "s3:Get*"]), "s3:GetObject", OBJECT, True),
        (allow("iam:*AccessKey*"), "iam:UpdateAccessKey", "*", True),
        (allow("s3:*"), "sqs:SendMessage", "*", False),
        (allow("*"), "sqs:SendMessage", "*", True),
        (allow("s3:GetObjec?"), "s3:GetObject", OBJECT, True),
        (allow("s3:GetObject?"), "s3:GetObject", OBJECT, False),
        (allow(resource="arn:aws:s3:::b/*"), "s3:GetObject", OBJECT, True),
        (allow(resource="arn:aws:s3:::b"), "s3:GetObject", OBJECT, False),
        (allow(resource="arn:aws:s3:::B/*"), "s3:GetObject", OBJECT, False),
        (allow(resource="arn:aws:s3:::*/test/*"), "s3:GetObject", "arn:aws:s3:::b/1/test/a:b", True),
        (allow("x:Y", "arn:aws:x:*:1:q"), "x:Y", "arn:aws:x:eu-west-1:1:q", True),
        (allow("x:Y", "arn:aws:x:eu*1:1:q"), "x:Y", "arn:aws:x:eu-west-1:1:q", True),
        (allow("x:Y", "arn:aws:x:eu*1:1:q"), "x:Y", "arn:aws:x:eu:1:1:q", False),
        (allow("x:Y", "arn:aws:x:*"), "x:Y", "arn:aws:x:eu-west-1:1:q", True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "s3:GetObject", OBJECT, True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "iam:GetUser", "*", False),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::h/*"}, "s3:GetObject", OBJECT, True),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/*"}, "s3:GetObject", OBJECT, False),
    ],
)
def test_actions_and_resources_match_as_aws_documents(statement, action, resource, allowed):
    assert ask(statement, action=action, resource=resource).allowed is allowed


@given(
    pattern=st.text(alphabet="ab*?:/", max_size=12),
    text=st.text(alphabet="ab:/", max_size=12),
)
def test_wildcards_match_as_those_of_file_names(pattern, text):
    assert matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


# IAM user guide, "IAM policy elements: Variables and tags".
@pytest.mark.parametrize(
    ("resource", "version", "allowed"),
    [
        ("arn:aws:s3:::b/home/${aws:username}/*", "2012-10-17", True),
        ("arn:aws:s3:::b/home/${AWS:UserName}/*", "2012-10-17", True),
        ("arn:aws:s3:::b/home/${aws:username}/*", "2008-10-17", False),
        ("arn:aws:s3:::b/home/${aws:PrincipalTag/team}/*", "2012-10-17", False),
        ("arn:aws:s3:::b/home/${aws:PrincipalTag/team, 'carlos'}/*", "2012-10-17", True),
        ("arn:aws:s3:::b/home/${*}/*", "2012-10-17", False),
    ],
)
def test_variables_are_replaced_in_documents_of_the_newer_version(resource, version, allowed):
    asked = ask(allow(resource=resource), resource="arn:aws:s3:::b/home/carlos/a.csv", version=version)
    assert asked.allowed is allowed


def test_special_characters_are_themselves_and_a_variable_has_no_wildcards():
    assert ask(allow(resource="arn:aws:s3:::b/a${*}b${?}c${$}"), resource="arn:aws:s3:::b/a*b?c$").allowed
    star = {"aws:PrincipalTag/team": ("*",)}
    assert not ask(allow(resource="arn:aws:s3:::b/${aws:PrincipalTag/team}"), context=star).allowed


# IAM user guide, "Condition operators" and "Set operators for multivalued context keys". A key without a value in the
# request makes a condition false, a negated one true, one with IfExists true, ForAllValues true, ForAnyValue false.
@pytest.mark.parametrize(
    ("operator", "values", "actual", "holds"),
    [
        ("StringEquals", "a", ("a",), True),
        ("StringEquals", "a", ("A",), False),
        ("StringEquals", ["a", "b"], ("b",), True),
        ("StringEquals", "a", (), False),
        ("StringEqualsIfExists", "a", (), True),
        ("StringEqualsIfExists", "a", ("b",), False),
        ("StringNotEquals", ["a", "b"], ("b",), False),
        ("StringNotEquals", ["a", "b"], ("c",), True),
        ("StringNotEquals", "a", (), True),
        ("StringEqualsIgnoreCase", "Aa", ("aA",), True),
        ("StringNotEqualsIgnoreCase", "Aa", ("aA",), False),
        ("StringLike", "a*c?", ("abbcd",), True),
        ("StringLike", "a*", ("Ab",), False),
        ("StringNotLike", "a*", ("b",), True),
        ("NumericLessThanEquals", "10", ("10.0",), True),
        ("NumericLessThan", 10, ("10",), False),
        ("NumericGreaterThan", "10", ("11",), True),
        ("NumericGreaterThanEquals", "10", ("x",), False),
        ("NumericEquals", "10", ("1e1",), True),
        ("NumericNotEquals", "10", ("11",), True),
        ("DateGreaterThan", "2020-01-01T00:00:01Z", ("2020-01-01T00:00:02Z",), True),
        ("DateLessThan", "2020-01-01T00:00:01Z", ("1577836800",), True),
        ("DateEquals", "2020-01-01T02:00:00+02:00", ("2020-01-01T00:00:00Z",), True),
        ("DateNotEquals", "2020-01-01T00:00:00Z", ("2020-01-01T00:00:00Z",), False),
        ("DateLessThanEquals", "tomorrow", ("2020-01-01T00:00:00Z",), False),
        ("Bool", "true", ("true",), True),
        ("Bool", True, ("false",), False),
        ("BoolIfExists", "false", (), True),
        ("BinaryEquals", "QmluYXJ5", ("QmluYXJ5",), True),
        ("IpAddress", "203.0.113.0/24", ("203.0.113.5",), True),
        ("IpAddress", "203.0.113.0/24", ("203.0.114.5",), False),
        ("IpAddress", "2001:DB8:1234::/48", ("2001:db8:1234:5678::1",), True),
        ("NotIpAddress", "203.0.113.5", ("203.0.113.6",), True),
        ("ArnLike", "arn:aws:sns:*:1:x*", ("arn:aws:sns:eu-west-1:1:xy",), True),
        ("ArnEquals", "arn:aws:sns:*:1:x*", ("arn:aws:sns:eu-west-1:1:xy",), True),
        ("ArnLike", "arn:aws:sns:*:x*", ("arn:aws:sns:eu-west-1:1:xy",), False),
        ("ArnNotLike", "arn:aws:sns:*:1:x*", ("arn:aws:sns:eu-west-1:2:xy",), True),
        ("ArnNotEquals", "arn:aws:sns:*:1:x*", ("arn:aws:sns:eu-west-1:1:xy",), False),
        ("Null", "true", (), True),
        ("Null", "true", ("x",), False),
        ("Null", "false", ("x",), True),
        ("Null", "false", (), False),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", ["a", "b"], (), True),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "a"), False),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c", "b"), True),
        ("ForAnyValue:StringEquals", ["a", "b"], (), False),
        ("ForAnyValue:StringNotLike", ["a*"], (), False),
        ("ForAnyValue:StringNotLike", ["a*"], ("ab", "b"), True),
    ],
)
def test_condition_operators_compare_as_aws_documents(operator, values, actual, holds):
    statement = allow(Condition={operator: {"k:Key": values}})
    assert problem_of(policy(statement), kind="identity") == ""
    assert ask(statement, context={"K:key": actual} if actual else {}).allowed is holds


def test_conditions_have_variables_and_every_one_must_hold():
    own_prefix = {"StringLike": {"s3:prefix": "${aws:username}/*"}, "Bool": {"aws:SecureTransport": "true"}}
    secure = {"s3:prefix": ("carlos/x",), "aws:SecureTransport": ("true",)}
    assert ask(allow(Condition=own_prefix), context=secure).allowed
    assert not ask(allow(Condition=own_prefix), context={**secure, "aws:SecureTransport": ("false",)}).allowed
    assert not ask(allow(Condition=own_prefix), context={**secure, "s3:prefix": ("maria/x",)}).allowed
    by_arn = {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:user/*"}}
    assert ask(allow(Condition=by_arn)).allowed


def test_a_request_has_the_keys_of_its_sender():
    assert context_of(replace(USER, tags={"Team": "moons"})) == {
        "aws:principalarn": (USER.arn,),
        "aws:principalaccount": (ACCOUNT,),
        "aws:principaltype": ("User",),
        "aws:principaltag/team": ("moons",),
        "aws:userid": ("AIDACARLOS",),
        "aws:username": ("carlos",),
    }
    session, root = context_of(SESSION), context_of(ROOT)
    assert (session["aws:principalarn"], session["aws:principaltype"]) == ((ROLE_ARN,), ("AssumedRole",))
    assert (root["aws:principalarn"], root["aws:principaltype"]) == ((ROOT.arn,), ("Account",))
    assert "aws:username" not in session | root


ALLOWED = Decision(True, is_explicit=False, policy_type=language.IDENTITY)
BY_RESOURCE = Decision(True, is_explicit=False, policy_type=language.RESOURCE)


def missing(policy_type):
    return Decision(False, is_explicit=False, policy_type=policy_type)


def denied(policy_type):
    return Decision(False, is_explicit=True, policy_type=policy_type)


def of_bucket(statement, principal):
    return policy({**statement, "Principal": principal})


EVERYTHING = policy(allow("*"))


# IAM user guide, "Policy evaluation for requests within a single account" and "How AWS enforcement code logic
# evaluates requests".
@pytest.mark.parametrize(
    ("policies", "more", "decision"),
    [
        ((), {}, missing(language.IDENTITY)),
        ((allow(),), {}, ALLOWED),
        ((allow(), deny()), {}, denied(language.IDENTITY)),
        ((allow(),), {"service_control_policies": [policy(deny())]}, denied(language.SERVICE_CONTROL)),
        ((allow(),), {"service_control_policies": [policy(deny("s3:PutObject"))]}, ALLOWED),
        ((allow(),), {"service_control_policies": [policy(allow("ec2:*"))]}, missing(language.SERVICE_CONTROL)),
        ((allow(),), {"service_control_policies": [policy(allow("ec2:*")), EVERYTHING]}, ALLOWED),
        ((allow(),), {"resource_policy": of_bucket(deny(), "*")}, denied(language.RESOURCE)),
        ((allow(),), {"resource_policy": of_bucket(deny(), {"AWS": ACCOUNT})}, denied(language.RESOURCE)),
        ((allow(),), {"resource_policy": of_bucket(deny(), {"AWS": ROLE_ARN})}, ALLOWED),
        ((), {"resource_policy": of_bucket(allow(), "*")}, BY_RESOURCE),
        ((), {"resource_policy": of_bucket(allow(), {"AWS": [USER.arn]})}, BY_RESOURCE),
        ((), {"resource_policy": of_bucket(allow(), {"AWS": ROLE_ARN})}, missing(language.IDENTITY)),
        # An account as the principal leaves the request to the policies of its users and roles.
        (
            (),
            {"resource_policy": of_bucket(allow(), {"AWS": f"arn:aws:iam::{ACCOUNT}:root"})},
            missing(language.IDENTITY),
        ),
    ],
)
def test_policies_are_combined_in_the_order_of_aws(policies, more, decision):
    assert ask(*policies, **more) == decision


def test_a_boundary_and_a_session_policy_allow_nothing_by_themselves():
    narrow, other = policy(allow("s3:Get*")), policy(allow("ec2:*"))
    assert ask(principal=replace(USER, permissions_boundary=narrow)) == missing(language.IDENTITY)
    assert ask(allow("*"), principal=replace(USER, permissions_boundary=narrow)) == ALLOWED
    assert ask(allow("*"), principal=replace(USER, permissions_boundary=other)) == missing(language.BOUNDARY)
    assert ask(allow("*"), principal=replace(SESSION, session_policies=(other,))) == missing(language.SESSION)
    assert ask(allow("*"), principal=replace(SESSION, session_policies=(policy(deny()),))) == denied(language.SESSION)


def test_a_bucket_policy_for_a_role_is_limited_by_its_session_and_one_for_the_session_is_not():
    session = replace(SESSION, session_policies=(policy(allow("ec2:*")),))
    by_role = {"resource_policy": of_bucket(allow(), {"AWS": ROLE_ARN})}
    assert ask(principal=SESSION, **by_role) == BY_RESOURCE
    assert ask(principal=session, **by_role) == missing(language.SESSION)
    assert ask(principal=session, resource_policy=of_bucket(allow(), {"AWS": session.arn})) == BY_RESOURCE


def test_only_an_organization_and_a_bucket_limit_the_root_user():
    unlimited = Decision(True, is_explicit=False, policy_type="")
    assert ask(principal=ROOT) == unlimited
    assert ask(deny(), principal=ROOT) == unlimited
    assert ask(principal=ROOT, service_control_policies=[policy(deny())]) == denied(language.SERVICE_CONTROL)
    bucket = of_bucket(deny("s3:*"), "*")
    assert ask(principal=ROOT, resource_policy=bucket) == denied(language.RESOURCE)
    assert ask(action="s3:DeleteBucketPolicy", principal=ROOT, resource_policy=bucket).allowed


def test_a_deny_with_not_principal_spares_the_named_one():
    statement = {**deny(), "NotPrincipal": {"AWS": [USER.arn, ACCOUNT]}}
    assert ask(allow(), resource_policy=policy(statement)) == ALLOWED
    other = {**deny(), "NotPrincipal": {"AWS": [ROLE_ARN]}}
    assert ask(allow(), resource_policy=policy(other)) == denied(language.RESOURCE)


@pytest.mark.parametrize(
    ("principal", "sender", "allowed"),
    [
        ({"Service": "sagemaker.amazonaws.com"}, "sagemaker.amazonaws.com", True),
        ({"Service": ["ec2.amazonaws.com"]}, "sagemaker.amazonaws.com", False),
        ({"AWS": "*"}, "sagemaker.amazonaws.com", False),
        ({"AWS": USER.arn}, USER, True),
        ({"AWS": ACCOUNT}, USER, True),
        ({"AWS": "210987654321"}, USER, False),
    ],
)
def test_a_trust_policy_names_who_may_assume_the_role(principal, sender, allowed):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    assert problem_of(policy(statement), kind="trust") == ""
    assert may_assume(policy(statement), principal=sender, context={}) is allowed
    refusal = {**statement, "Effect": "Deny", "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}
    context = {"aws:sourceaccount": ("1",)}
    assert not may_assume(policy(statement, refusal), principal=sender, context=context)
    other = {**refusal, "Principal": {"AWS": ROLE_ARN}}
    assert may_assume(policy(statement, other), principal=sender, context=context) is allowed


@pytest.mark.parametrize(
    ("document", "kind", "problem"),
    [
        ([], "identity", "It is not a JSON object."),
        ({"Statements": []}, "identity", "'Statements' is not an element of a policy."),
        ({"b": 1, "a": 1}, "identity", "'a' is not an element of a policy."),
        (policy({**allow(), "b": 1, "a": 1}), "identity", "Statement 1: 'a' is not an element of a statement."),
        ({"Version": "2012-10-18", "Statement": allow()}, "identity", "Version is '2012-10-18', not '2012-10-17'."),
        ({"Version": "2012-10-17"}, "identity", "It has no Statement."),
        (policy("x"), "identity", "Statement 1: It is not an object."),
        (
            policy(allow(), {**allow(), "Effects": 1}),
            "identity",
            "Statement 2: 'Effects' is not an element of a statement.",
        ),
        (policy({**allow(), "Effect": "allow"}), "identity", "Statement 1: Effect must be 'Allow' or 'Deny'."),
        (policy({"Effect": "Allow", "Action": "s3:*"}), "identity", "Statement 1: It needs Resource or NotResource."),
        (policy({**allow(), "NotAction": "x:y"}), "identity", "Statement 1: It has both Action and NotAction."),
        (policy({**allow(), "Principal": "*"}), "identity", "Statement 1: A policy of this kind has no Principal."),
        (policy(allow()), "resource", "Statement 1: It needs Principal or NotPrincipal."),
        (policy(allow("GetObject")), "identity", "Statement 1: 'GetObject' is not an action, such as 's3:GetObject'."),
        (policy(allow([])), "identity", "Statement 1: Action is neither a text nor a list of texts."),
        (policy(allow(resource="b/k")), "identity", "Statement 1: The resource 'b/k' is neither '*' nor an ARN."),
        (
            policy(allow(Condition={"StringsEqual": {"a": "b"}})),
            "identity",
            "Statement 1: 'StringsEqual' is not a condition operator.",
        ),
        (
            policy(allow(Condition={"StringEquals": "a"})),
            "identity",
            "Statement 1: Condition.StringEquals is not an object with condition keys.",
        ),
        (
            policy({**allow(), "Principal": {"User": "x"}}),
            "resource",
            "Statement 1: Principal is neither '*' nor an object such as {'AWS': ARN}.",
        ),
        (policy({**allow(), "Principal": "*"}), "trust", "Statement 1: A policy of this kind has no Resource."),
    ],
)
def test_a_malformed_document_is_named(document, kind, problem):
    assert problem_of(document, kind=kind) == problem


@pytest.mark.parametrize(
    ("principal", "is_one"),
    [
        ("*", True),
        ({"AWS": "*", "Service": ["a", "b"], "Federated": "c", "CanonicalUser": "d"}, True),
        ({}, True),
        (ACCOUNT, False),
        ({"AWS": 1}, False),
        (["*"], False),
    ],
)
def test_a_principal_is_anyone_or_an_object(principal, is_one):
    problem = problem_of(policy({**allow(), "Principal": principal}), kind="resource")
    assert problem == ("" if is_one else "Statement 1: Principal is neither '*' nor an object such as {'AWS': ARN}.")


def test_one_statement_needs_no_list():
    assert problem_of({"Statement": allow()}, kind="identity") == ""
    principal = replace(USER, identity_policies=({"Statement": allow()},))
    assert decide(action="s3:GetObject", resource=OBJECT, context={}, principal=principal).allowed
