"""The policy language and its evaluation against the rules and the examples of AWS's IAM user guide."""

from __future__ import annotations

import fnmatch
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.emulator.iam import evaluation
from asteroid_ll.emulator.iam.evaluation import Decision, Principal, context_of, decide, may_assume
from asteroid_ll.emulator.iam.language import problem_of

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
    document = policy(*statements, version=version)
    assert not statements or problem_of(document, kind="identity") == ""
    principal = replace(principal, identity_policies=(document,))
    values = {**context_of(principal), **{key.lower(): value for key, value in (context or {}).items()}}
    return decide(action=action, resource=resource, context=values, principal=principal, **more)


# IAM user guide, "IAM JSON policy elements: Action", "... Resource" and "... NotAction", "... NotResource".
@pytest.mark.parametrize(
    ("statement", "action", "resource", "allowed"),
    [
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
        (allow("x:Y", "arn:aws:x"), "x:Y", "arn:aws:x:eu-west-1:1:q", True),
        (allow("x:Y", "arn:aws:x:eu-west-1:1:q"), "x:Y", "*", False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "s3:GetObject", OBJECT, True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "iam:GetUser", "*", False),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::h/*"}, "s3:GetObject", OBJECT, True),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/*"}, "s3:GetObject", OBJECT, False),
        (allow(resource="arn:aws:s3:::a${*}b"), "s3:GetObject", "arn:aws:s3:::a*b", True),
        (allow(resource="arn:aws:s3:::a${*}b"), "s3:GetObject", "arn:aws:s3:::axb", False),
    ],
)
def test_actions_and_resources_match_as_aws_documents(statement, action, resource, allowed):
    assert ask(statement, action=action, resource=resource).allowed is allowed


@given(pattern=st.text(alphabet="ab*?/", max_size=12), text=st.text(alphabet="ab:/", max_size=12))
def test_wildcards_match_as_those_of_file_names(pattern, text):
    asked = ask(allow(resource=f"arn:aws:s3:::{pattern}"), resource=f"arn:aws:s3:::{text}")
    assert asked.allowed == fnmatch.fnmatchcase(text, pattern)


# IAM user guide, "IAM policy elements: Variables and tags".
def test_variables_are_replaced_in_documents_of_the_newer_version():
    for name, version, user, allowed in (
        ("${aws:username}", "2012-10-17", "carlos", True),
        ("${AWS:UserName}", "2012-10-17", "carlos", True),
        ("${aws:username}", "2008-10-17", "carlos", False),
        ("${aws:username}", "2012-10-17", "*", False),
    ):
        sender = replace(USER, arn=USER.arn.replace("carlos", user))
        statement = allow(resource=f"arn:aws:s3:::b/home/{name}/*")
        asked = ask(statement, resource="arn:aws:s3:::b/home/carlos/a", version=version, principal=sender)
        assert asked.allowed is allowed
    own = allow(Condition={"StringLike": {"s3:prefix": "${aws:username}/*"}, "Bool": {"aws:SecureTransport": "true"}})
    secure = {"s3:prefix": ("carlos/x",), "aws:SecureTransport": ("true",)}
    assert ask(own, context=secure).allowed
    assert not ask(own, context={**secure, "aws:SecureTransport": ("false",)}).allowed
    assert not ask(own, context={**secure, "s3:prefix": ("maria/x",)}).allowed


# IAM user guide, "Condition operators" and "Set operators for multivalued context keys". A key without a value in the
# request makes a condition false, a negated one true, ForAllValues true, ForAnyValue false.
@pytest.mark.parametrize(
    ("operator", "values", "actual", "holds"),
    [
        ("StringEquals", "a", ("a",), True),
        ("StringEquals", "a*", ("ab",), False),
        ("StringEquals", "a", ("A",), False),
        ("StringEquals", ["a", "b"], ("b",), True),
        ("StringEquals", "a", (), False),
        ("StringNotEquals", ["a", "b"], ("b",), False),
        ("StringNotEquals", ["a", "b"], ("c",), True),
        ("StringNotEquals", "a", (), True),
        ("StringEqualsIgnoreCase", "Aa", ("aA",), True),
        ("StringLike", "a*c?", ("abbcd",), True),
        ("StringLike", "a*", ("Ab",), False),
        ("StringNotLike", "a*", ("b",), True),
        ("Bool", True, ("true",), True),
        ("Bool", "true", ("false",), False),
        ("ArnLike", "arn:aws:sns:*:1:x*", ("arn:aws:sns:eu-west-1:1:xy",), True),
        ("ArnEquals", "arn:aws:sns:*:1:x*", ("arn:aws:sns:eu-west-1:2:xy",), False),
        ("Null", "true", (), True),
        ("Null", "true", ("x",), False),
        ("Null", False, ("x",), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", ["a", "b"], (), True),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "a"), False),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c", "b"), True),
        ("ForAnyValue:StringEquals", ["a", "b"], (), False),
        ("ForAnyValue:StringNotLike", ["a*"], ("ab", "b"), True),
    ],
)
def test_condition_operators_compare_as_aws_documents(operator, values, actual, holds):
    statement = allow(Condition={operator: {"k:Key": values}})
    assert ask(statement, context={"K:key": actual} if actual else {}).allowed is holds


def test_a_request_has_the_keys_of_its_sender():
    session, root = context_of(replace(SESSION, tags={"Team": "moons"})), context_of(ROOT)
    assert context_of(USER) == {
        "aws:principalarn": (USER.arn,),
        "aws:principalaccount": (ACCOUNT,),
        "aws:principaltype": ("User",),
        "aws:userid": ("AIDACARLOS",),
        "aws:username": ("carlos",),
    }
    assert (session["aws:principalarn"], session["aws:principaltype"]) == ((ROLE_ARN,), ("AssumedRole",))
    assert session["aws:principaltag/team"] == ("moons",)
    assert (root["aws:principalarn"], root["aws:principaltype"]) == ((ROOT.arn,), ("Account",))
    assert "aws:username" not in session | root


def allowed_by(policy_type):
    return Decision(True, is_explicit=False, policy_type=policy_type)


def missing(policy_type):
    return Decision(False, is_explicit=False, policy_type=policy_type)


def denied(policy_type):
    return Decision(False, is_explicit=True, policy_type=policy_type)


def bucket(statement, principal):
    document = policy({**statement, "Principal": principal})
    assert problem_of(document, kind="resource") == ""
    return {"resource_policy": document}


def scp(*documents):
    return {"service_control_policies": list(documents)}


def limited(sender, **policies):
    return {"principal": replace(sender, **policies)}


EVERYTHING, OTHER = policy(allow("*")), policy(allow("ec2:*"))
IDENTITY, RESOURCE, ORGANIZATION = evaluation.IDENTITY, evaluation.RESOURCE, evaluation.SERVICE_CONTROL


# IAM user guide, "Policy evaluation for requests within a single account" and "How AWS enforcement code logic
# evaluates requests". A boundary and a session policy allow nothing by themselves, and limit all but a bucket policy
# that names the sender. An account as the principal leaves the request to the policies of its users and roles.
@pytest.mark.parametrize(
    ("policies", "more", "decision"),
    [
        ((), {}, missing(IDENTITY)),
        ((allow(),), {}, allowed_by(IDENTITY)),
        ((allow(), deny()), {}, denied(IDENTITY)),
        ((allow(),), scp(policy(deny())), denied(ORGANIZATION)),
        ((allow(),), scp(policy(deny("s3:PutObject"))), allowed_by(IDENTITY)),
        ((allow(),), scp(OTHER), missing(ORGANIZATION)),
        ((allow(),), scp(OTHER, EVERYTHING), allowed_by(IDENTITY)),
        ((allow(),), bucket(deny(), "*"), denied(RESOURCE)),
        ((allow(),), bucket(deny(), {"AWS": ACCOUNT}), denied(RESOURCE)),
        ((allow(),), bucket(deny(), {"AWS": ROLE_ARN}), allowed_by(IDENTITY)),
        ((), bucket(allow(), "*"), allowed_by(RESOURCE)),
        ((), bucket(allow(), {"AWS": [USER.arn]}), allowed_by(RESOURCE)),
        ((), bucket(allow(), {"AWS": ROLE_ARN}), missing(IDENTITY)),
        ((), bucket(allow(), {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), missing(IDENTITY)),
        ((), limited(USER, permissions_boundary=EVERYTHING), missing(IDENTITY)),
        ((allow(),), limited(USER, permissions_boundary=EVERYTHING), allowed_by(IDENTITY)),
        ((allow(),), limited(USER, permissions_boundary=OTHER), missing(evaluation.BOUNDARY)),
        ((allow(),), limited(SESSION, session_policies=(OTHER,)), missing(evaluation.SESSION)),
        ((allow(),), limited(SESSION, session_policies=(policy(deny()),)), denied(evaluation.SESSION)),
        ((), bucket(allow(), {"AWS": ROLE_ARN}) | limited(SESSION), allowed_by(RESOURCE)),
        (
            (),
            bucket(allow(), {"AWS": ROLE_ARN}) | limited(SESSION, session_policies=(OTHER,)),
            missing(evaluation.SESSION),
        ),
        (
            (),
            bucket(allow(), {"AWS": SESSION.arn}) | limited(SESSION, session_policies=(OTHER,)),
            allowed_by(RESOURCE),
        ),
        ((deny(),), limited(ROOT), allowed_by("")),
        ((), scp(policy(deny())) | limited(ROOT), denied(ORGANIZATION)),
        ((), bucket(deny("s3:*"), "*") | limited(ROOT), denied(RESOURCE)),
        ((), bucket(deny("s3:*"), "*") | limited(ROOT) | {"action": "s3:DeleteBucketPolicy"}, allowed_by("")),
    ],
)
def test_policies_are_combined_in_the_order_of_aws(policies, more, decision):
    assert ask(*policies, **more) == decision


@pytest.mark.parametrize(
    ("principal", "sender", "allowed"),
    [
        ({"Service": "sagemaker.amazonaws.com"}, "sagemaker.amazonaws.com", True),
        ({"Service": ["ec2.amazonaws.com"]}, "sagemaker.amazonaws.com", False),
        ({"AWS": "*"}, "sagemaker.amazonaws.com", False),
        ({"AWS": USER.arn}, USER, True),
        ({"AWS": ACCOUNT}, USER, True),
        ({"AWS": "210987654321"}, USER, False),
        ({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/x"}, USER, False),
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


TEXTS = "is neither a text nor a list of texts."
PRINCIPAL = "Principal is neither '*' nor an object such as {'AWS': ARN}."


def with_principal(principal):
    return {**allow(), "Principal": principal}


@pytest.mark.parametrize(
    ("document", "kind", "problem"),
    [
        ([], "identity", "It is not a JSON object."),
        ({"b": 1, "a": 1}, "identity", "'a' is not an element of a policy."),
        ({"Version": "2012-10-18", "Statement": allow()}, "identity", "Version is '2012-10-18', not '2012-10-17'."),
        ({"Version": "2012-10-17"}, "identity", "It has no Statement."),
        ({"Statement": allow(Effect="allow")}, "identity", "Statement 1: Effect must be 'Allow' or 'Deny'."),
        (policy(allow(), "x"), "identity", "Statement 2: It is not an object."),
        (allow(b=1, a=1), "identity", "'a' is not an element of a statement."),
        (allow(NotPrincipal="*"), "resource", "'NotPrincipal' is not an element of a statement."),
        ({"Effect": "Allow", "Action": "s3:*"}, "identity", "It needs Resource or NotResource."),
        (allow(NotAction="x:y"), "identity", "It needs Action or NotAction."),
        (allow(), "resource", "It needs Principal."),
        (with_principal("*"), "identity", "A policy of this kind has no Principal."),
        (with_principal("*"), "trust", "A policy of this kind has no Resource."),
        (allow("GetObject"), "identity", "'GetObject' is not an action, such as 's3:GetObject'."),
        (allow([]), "identity", f"Action {TEXTS}"),
        (allow(resource="b/k"), "identity", "The resource 'b/k' is neither '*' nor an ARN."),
        (
            allow(resource="arn:aws:s3:::b/${aws:userid}"),
            "identity",
            "'${aws:userid}' is not a policy variable of the emulator.",
        ),
        (
            allow(Condition={"NumericLessThan": {"a": "1"}}),
            "identity",
            "'NumericLessThan' is not a condition operator of the emulator.",
        ),
        (
            allow(Condition={"StringEqualsIfExists": {"a": "b"}}),
            "identity",
            "'StringEqualsIfExists' is not a condition operator of the emulator.",
        ),
        (allow(Condition=[]), "identity", "Condition is not an object."),
        (allow(Condition={"Bool": "a"}), "identity", "Condition.Bool is not an object with condition keys."),
        (allow(Condition={"Bool": {"a": {}}}), "identity", f"Condition.Bool.a {TEXTS}"),
        (with_principal(["*"]), "resource", PRINCIPAL),
        (with_principal(ACCOUNT), "resource", PRINCIPAL),
        (with_principal({"AWS": 1}), "resource", f"Principal.AWS {TEXTS}"),
        (with_principal({"CanonicalUser": "x"}), "resource", "'CanonicalUser' is not an element of Principal."),
    ],
)
def test_a_malformed_document_and_what_the_emulator_lacks_are_named(document, kind, problem):
    if "Effect" in document:
        document, problem = policy(document), f"Statement 1: {problem}"
    assert problem_of(document, kind=kind) == problem
