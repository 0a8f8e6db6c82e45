"""IAM creates roles, users and policies and reads them back, through botocore's own client."""

import json

import pytest

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
READ = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::rocks/100% a+b*"}],
}


@pytest.fixture
def iam(virtual, client_of):
    return client_of("iam")


@pytest.fixture
def role(iam):
    return iam.create_role(RoleName="learner", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]


def test_a_role_is_read_back_as_it_was_created(iam, clock):
    created = iam.create_role(
        RoleName="learner",
        Path="/of/",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Description="reads <rocks> & writes",
        MaxSessionDuration=7200,
        Tags=[{"Key": "run", "Value": "1"}, {"Key": "empty", "Value": ""}],
    )["Role"]
    role = iam.get_role(RoleName="learner")["Role"]
    assert role.pop("RoleLastUsed") == {}
    assert role == created
    assert role["Arn"] == "arn:aws:iam::000000000000:role/of/learner"
    assert role["AssumeRolePolicyDocument"] == TRUST
    assert role["CreateDate"].timestamp() == clock.s
    assert (role["Description"], role["MaxSessionDuration"]) == ("reads <rocks> & writes", 7200)
    assert role["Tags"] == [{"Key": "run", "Value": "1"}, {"Key": "empty", "Value": ""}]
    assert role["RoleId"].startswith("AROA")


def test_a_role_that_exists_is_refused_in_any_case(iam, role, refused):
    assert refused(iam.create_role, RoleName="Learner", AssumeRolePolicyDocument=json.dumps(TRUST)) == (
        "EntityAlreadyExists",
        "Role with name Learner already exists.",
    )


def test_a_role_that_does_not_exist_is_not_found(iam, refused):
    absent = ("NoSuchEntity", "The role with name learner cannot be found.")
    assert refused(iam.get_role, RoleName="learner") == absent
    assert refused(iam.delete_role, RoleName="learner") == absent
    document = json.dumps(READ)
    assert refused(iam.put_role_policy, RoleName="learner", PolicyName="p", PolicyDocument=document) == absent


def test_an_inline_policy_is_read_back_and_replaced(iam, role):
    for document in (READ, {**READ, "Id": "second"}):
        iam.put_role_policy(RoleName="learner", PolicyName="rocks", PolicyDocument=json.dumps(document))
        assert iam.get_role_policy(RoleName="learner", PolicyName="rocks")["PolicyDocument"] == document
    assert iam.list_role_policies(RoleName="learner")["PolicyNames"] == ["rocks"]


def test_a_name_that_breaks_the_model_is_a_validation_error(iam, refused):
    code, message = refused(iam.create_role, RoleName="a b", AssumeRolePolicyDocument=json.dumps(TRUST))
    assert code == "ValidationError"
    assert message == (
        "1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+"
    )
