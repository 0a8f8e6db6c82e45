"""IAM creates roles and reads them back, through botocore's own client."""

import json

import pytest


def test_a_role_is_read_back_as_it_was_created(iam, trust, clock):
    created = iam.create_role(
        RoleName="learner",
        Path="/of/",
        AssumeRolePolicyDocument=json.dumps(trust),
        Description="reads <rocks> & writes",
        MaxSessionDuration=7200,
        Tags=[{"Key": "run", "Value": "1"}, {"Key": "empty", "Value": ""}],
    )["Role"]
    role = iam.get_role(RoleName="learner")["Role"]
    assert role.pop("RoleLastUsed") == {}
    assert role == created
    assert role["Arn"] == "arn:aws:iam::000000000000:role/of/learner"
    assert role["AssumeRolePolicyDocument"] == trust
    assert role["CreateDate"].timestamp() == clock.s
    assert (role["Description"], role["MaxSessionDuration"]) == ("reads <rocks> & writes", 7200)
    assert role["Tags"] == [{"Key": "run", "Value": "1"}, {"Key": "empty", "Value": ""}]
    assert role["RoleId"].startswith("AROA")


def test_each_partition_has_roles_of_its_own(iam, role, client_of, trust, refused):
    china = client_of("iam", "cn-north-1")
    assert refused(china.get_role, RoleName="learner")[0] == "NoSuchEntity"
    made = china.create_role(RoleName="learner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    assert made["Arn"] == "arn:aws-cn:iam::000000000000:role/learner"
    assert iam.get_role(RoleName="learner")["Role"]["Arn"] == role["Arn"]


def test_a_role_that_exists_is_refused_in_any_case(iam, role, trust, refused):
    assert refused(iam.create_role, RoleName="Learner", AssumeRolePolicyDocument=json.dumps(trust)) == (
        "EntityAlreadyExists",
        "Role with name Learner already exists.",
    )


def test_a_role_that_does_not_exist_is_not_found(iam, read, refused):
    absent = ("NoSuchEntity", "The role with name learner cannot be found.")
    assert refused(iam.get_role, RoleName="learner") == absent
    assert refused(iam.delete_role, RoleName="learner") == absent
    document = json.dumps(read)
    assert refused(iam.put_role_policy, RoleName="learner", PolicyName="p", PolicyDocument=document) == absent


def test_roles_are_listed_by_name_in_pages_and_by_path(iam, trust):
    for name, path in (("c", "/"), ("a", "/of/"), ("b", "/")):
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(trust))
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2})
    assert [[role["RoleName"] for role in page["Roles"]] for page in pages] == [["a", "b"], ["c"]]
    assert [role["RoleName"] for role in iam.list_roles(PathPrefix="/of/")["Roles"]] == ["a"]


def test_a_trust_policy_is_replaced(iam, role, trust):
    changed = {**trust, "Id": "second"}
    iam.update_assume_role_policy(RoleName="learner", PolicyDocument=json.dumps(changed))
    assert iam.get_role(RoleName="learner")["Role"]["AssumeRolePolicyDocument"] == changed


def test_a_role_with_policies_is_not_deleted(iam, role, policy, read, refused):
    iam.put_role_policy(RoleName="learner", PolicyName="p", PolicyDocument=json.dumps(read))
    iam.attach_role_policy(RoleName="learner", PolicyArn=policy["Arn"])
    assert refused(iam.delete_role, RoleName="learner") == (
        "DeleteConflict",
        "Cannot delete entity, must detach all policies first.",
    )
    iam.detach_role_policy(RoleName="learner", PolicyArn=policy["Arn"])
    assert refused(iam.delete_role, RoleName="learner") == (
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
    )
    iam.delete_role_policy(RoleName="learner", PolicyName="p")
    iam.delete_role(RoleName="learner")
    assert iam.list_roles()["Roles"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy. It is not a JSON object."),
        ("[" * 5_000, "This policy contains invalid Json"),
        ('{"Statement": []}', "Syntax errors in policy. It has no Statement."),
    ],
    ids=["broken", "a-list", "deep", "empty"],
)
def test_a_malformed_trust_policy_is_refused(iam, refused, text, message):
    assert refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=text) == ("MalformedPolicyDocument", message)
    assert iam.list_roles()["Roles"] == []


def test_a_trust_policy_may_have_2048_characters(iam, trust, refused):
    trust["Statement"][0]["Sid"] = "x" * (2_048 - len(json.dumps(trust).replace(" ", "")) - len('"Sid":"",'))
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust, indent=4))
    trust["Statement"][0]["Sid"] += "x"
    assert refused(iam.update_assume_role_policy, RoleName="r", PolicyDocument=json.dumps(trust)) == (
        "LimitExceeded",
        "Cannot exceed quota for ACLSizePerRole: 2048",
    )


def test_a_boundary_must_exist_and_is_described(iam, policy, trust, refused):
    absent = "arn:aws:iam::000000000000:policy/none"
    document = json.dumps(trust)
    assert refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=document, PermissionsBoundary=absent) == (
        "NoSuchEntity",
        f"Scope ARN: {absent} does not exist or is not attachable.",
    )
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document, PermissionsBoundary=policy["Arn"])
    assert iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": policy["Arn"],
    }


def test_a_name_that_breaks_the_model_is_a_validation_error(iam, trust, refused):
    code, message = refused(iam.create_role, RoleName="a b", AssumeRolePolicyDocument=json.dumps(trust))
    assert code == "ValidationError"
    assert message == (
        "1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+"
    )
