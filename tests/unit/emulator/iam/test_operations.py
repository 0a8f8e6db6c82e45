"""IAM's roles, users, keys and policies, through botocore's own client."""

from __future__ import annotations

import json
import threading
from functools import partial
from urllib.parse import urlencode

import pytest

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.iam.store import Identities
from asteroid_ll.emulator.transport.messages import Request

HERE = "arn:aws:iam::000000000000"
SCOPE = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/iam/aws4_request, Signature=0"


@pytest.fixture(params=["role", "user"])
def holder(request, iam, role, user):
    """The operations on one role or user, by name with ``X`` for the kind."""
    kind, name = request.param, {"role": "learner", "user": "ada"}[request.param]

    def named(operation):
        return partial(getattr(iam, operation.replace("X", kind)), **{f"{kind.title()}Name": name})

    named.kind, named.name = kind, name
    return named


def test_a_role_is_read_back_as_it_was_created_and_changed(iam, trust, clock):
    created = iam.create_role(
        RoleName="learner",
        Path="/of/",
        AssumeRolePolicyDocument=json.dumps(trust),
        Description="reads <rocks> & writes",
        MaxSessionDuration=7200,
        Tags=[{"Key": "run", "Value": "1"}, {"Key": "empty", "Value": ""}],
    )["Role"]
    assert iam.get_role(RoleName="Learner")["Role"] == created
    assert created["Arn"] == f"{HERE}:role/of/learner"
    assert created["AssumeRolePolicyDocument"] == trust
    assert created["CreateDate"].timestamp() == clock.s
    assert (created["Description"], created["MaxSessionDuration"]) == ("reads <rocks> & writes", 7200)
    assert created["Tags"] == [{"Key": "run", "Value": "1"}, {"Key": "empty", "Value": ""}]
    assert created["RoleId"].startswith("AROA")
    changed = {**trust, "Id": "second"}
    iam.update_assume_role_policy(RoleName="learner", PolicyDocument=json.dumps(changed))
    assert iam.get_role(RoleName="learner")["Role"]["AssumeRolePolicyDocument"] == changed


def test_each_partition_has_roles_of_its_own(iam, role, client_of, trust, refused):
    china = client_of("iam", "cn-north-1")
    assert refused(china.get_role, RoleName="learner")[0] == "NoSuchEntity"
    made = china.create_role(RoleName="learner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    assert made["Arn"] == "arn:aws-cn:iam::000000000000:role/learner"
    assert iam.get_role(RoleName="learner")["Role"]["Arn"] == role["Arn"]


def test_roles_are_listed_by_name_in_pages_and_by_path(iam, trust):
    for name, path in (("c", "/"), ("a", "/of/"), ("b", "/")):
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(trust))
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2})
    assert [[role["RoleName"] for role in page["Roles"]] for page in pages] == [["a", "b"], ["c"]]
    assert [role["RoleName"] for role in iam.list_roles(PathPrefix="/of/")["Roles"]] == ["a"]


def test_what_exists_is_refused_in_any_case_and_what_does_not_is_not_found(iam, role, user, policy, read, refused):
    document = json.dumps(read)
    role_again = {"RoleName": "Learner", "AssumeRolePolicyDocument": json.dumps(role["AssumeRolePolicyDocument"])}
    policy_again = {"PolicyName": "readers", "PolicyDocument": document}
    absent = f"{HERE}:policy/none"
    expected = [
        (iam.create_role, role_again, "EntityAlreadyExists", "Role with name Learner already exists."),
        (iam.create_user, {"UserName": "Ada"}, "EntityAlreadyExists", "User with name Ada already exists."),
        (
            iam.create_policy,
            policy_again,
            "EntityAlreadyExists",
            "A policy called readers already exists. Duplicate names are not allowed.",
        ),
        (iam.get_role, {"RoleName": "x"}, "NoSuchEntity", "The role with name x cannot be found."),
        (iam.delete_user, {"UserName": "x"}, "NoSuchEntity", "The user with name x cannot be found."),
        (iam.get_policy, {"PolicyArn": absent}, "NoSuchEntity", f"Policy {absent} was not found."),
        (
            iam.get_policy_version,
            {"PolicyArn": policy["Arn"], "VersionId": "v2"},
            "NoSuchEntity",
            f"Policy {policy['Arn']} version v2 does not exist or is not attachable.",
        ),
        (
            iam.simulate_principal_policy,
            {"PolicySourceArn": absent, "ActionNames": ["s3:GetObject"]},
            "NoSuchEntity",
            f"The principal {absent} cannot be found.",
        ),
    ]
    for call, arguments, code, message in expected:
        assert refused(call, **arguments) == (code, message)


def test_inline_policies_are_read_back_and_replaced(holder, read, refused):
    absent = ("NoSuchEntity", f"The {holder.kind} policy with name rocks cannot be found.")
    for operation in ("get_X_policy", "delete_X_policy"):
        assert refused(holder(operation), PolicyName="rocks") == absent
    for document in (read, {**read, "Id": "second"}):
        holder("put_X_policy")(PolicyName="rocks", PolicyDocument=json.dumps(document))
        assert holder("get_X_policy")(PolicyName="rocks")["PolicyDocument"] == document
    assert holder("list_X_policies")()["PolicyNames"] == ["rocks"]


def test_a_managed_policy_is_attached_once_counted_and_detached(iam, holder, policy, refused):
    arn, absent = policy["Arn"], f"{HERE}:policy/none"
    assert refused(holder("attach_X_policy"), PolicyArn=absent)[1] == (
        f"Policy {absent} does not exist or is not attachable."
    )
    for _ in range(2):
        holder("attach_X_policy")(PolicyArn=arn)
    assert holder("list_attached_X_policies")()["AttachedPolicies"] == [{"PolicyName": "readers", "PolicyArn": arn}]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=arn)[1] == "Cannot delete a policy attached to entities."
    holder("detach_X_policy")(PolicyArn=arn)
    assert refused(holder("detach_X_policy"), PolicyArn=arn) == ("NoSuchEntity", f"Policy {arn} was not found.")
    iam.delete_policy(PolicyArn=arn)


def test_who_has_policies_or_keys_is_not_deleted(iam, holder, policy, read, refused):
    holder("put_X_policy")(PolicyName="p", PolicyDocument=json.dumps(read))
    holder("attach_X_policy")(PolicyArn=policy["Arn"])
    steps = {
        "detach all policies": lambda: holder("detach_X_policy")(PolicyArn=policy["Arn"]),
        "delete policies": lambda: holder("delete_X_policy")(PolicyName="p"),
    }
    if holder.kind == "user":
        key = iam.create_access_key(UserName="ada")["AccessKey"]["AccessKeyId"]
        steps["delete access keys"] = lambda: iam.delete_access_key(UserName="ada", AccessKeyId=key)
    for words, step in steps.items():
        assert refused(holder("delete_X")) == ("DeleteConflict", f"Cannot delete entity, must {words} first.")
        step()
    holder("delete_X")()
    assert refused(holder("get_X"))[0] == "NoSuchEntity"


def test_quotas_are_those_of_aws(iam, holder, read, trust, refused):
    def of_size(document, size):
        document["Statement"][0]["Sid"] = ""
        document["Statement"][0]["Sid"] = "x" * (size - len("".join(json.dumps(document).split())))
        return json.dumps(document, indent=4)

    iam.create_policy(PolicyName="p", PolicyDocument=of_size(read, 6_144))
    iam.update_assume_role_policy(RoleName="learner", PolicyDocument=of_size(trust, 2_048))
    arns = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=json.dumps(read))["Policy"]["Arn"]
        for number in range(11)
    ]
    for arn in arns[:10]:
        holder("attach_X_policy")(PolicyArn=arn)
    for _ in range(2):
        iam.create_access_key(UserName="ada")
    limit = {"role": 10_240, "user": 2_048}[holder.kind]
    holder("put_X_policy")(PolicyName="first", PolicyDocument=of_size(read, limit // 2))
    expected = [
        (iam.create_policy, {"PolicyName": "q", "PolicyDocument": of_size(read, 6_145)}, "PolicySize: 6144"),
        (
            iam.create_role,
            {"RoleName": "q", "AssumeRolePolicyDocument": of_size(trust, 2_049)},
            "ACLSizePerRole: 2048",
        ),
        (holder("attach_X_policy"), {"PolicyArn": arns[10]}, f"PoliciesPer{holder.kind.title()}: 10"),
        (iam.create_access_key, {"UserName": "ada"}, "AccessKeysPerUser: 2"),
    ]
    for call, arguments, quota in expected:
        assert refused(call, **arguments) == ("LimitExceeded", f"Cannot exceed quota for {quota}")
    second = {"PolicyName": "second", "PolicyDocument": of_size(read, limit // 2 + 1)}
    assert refused(holder("put_X_policy"), **second) == (
        "LimitExceeded",
        f"Maximum policy size of {limit} bytes exceeded for {holder.kind} {holder.name}",
    )


def test_a_managed_policy_is_read_back_with_its_one_version(iam, policy, read, clock):
    assert iam.get_policy(PolicyArn=policy["Arn"])["Policy"] == policy
    assert (policy["Arn"], policy["DefaultVersionId"]) == (f"{HERE}:policy/readers", "v1")
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v1")["PolicyVersion"]
    assert (version["Document"], version["IsDefaultVersion"]) == (read, True)
    assert version["CreateDate"].timestamp() == clock.s


def test_a_policy_of_aws_is_attached_and_read_but_not_deleted(iam, role, refused):
    arn = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    iam.attach_role_policy(RoleName="learner", PolicyArn=arn)
    described = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (described["PolicyName"], described["Arn"], described["AttachmentCount"]) == (arn.split("/")[1], arn, 1)
    version = iam.get_policy_version(PolicyArn=arn, VersionId=described["DefaultVersionId"])["PolicyVersion"]
    assert "sagemaker:*" in version["Document"]["Statement"][0]["Action"]
    assert refused(iam.delete_policy, PolicyArn=arn)[0] == "NoSuchEntity"


def test_a_boundary_must_exist_and_is_described(iam, policy, trust, refused):
    absent, document = f"{HERE}:policy/none", json.dumps(trust)
    assert refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=document, PermissionsBoundary=absent) == (
        "NoSuchEntity",
        f"Scope ARN: {absent} does not exist or is not attachable.",
    )
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document, PermissionsBoundary=policy["Arn"])
    assert iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": policy["Arn"],
    }


TAG = [{"Key": "a", "Value": "1"}]


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "message"),
    [
        ("create_role", {"AssumeRolePolicyDocument": "{"}, "MalformedPolicyDocument", "contains invalid Json"),
        ("create_role", {"AssumeRolePolicyDocument": "[" * 5_000}, "MalformedPolicyDocument", "contains invalid Json"),
        ("create_role", {"AssumeRolePolicyDocument": "[]"}, "MalformedPolicyDocument", "It is not a JSON object."),
        ("create_role", {"Tags": TAG * 2}, "InvalidInput", "Duplicate tag keys found."),
        ("create_role", {"Tags": [{"Key": "AWS:a", "Value": "1"}]}, "InvalidInput", "not allowed to mutate system"),
        (
            "create_role",
            {"RoleName": "a b"},
            "ValidationError",
            "1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\w+=,.@-]+",
        ),
        ("create_user", {"UserName": "u", "Tags": TAG}, "InvalidInput", "The emulator has no Tags here."),
        ("create_policy", {"Tags": TAG}, "InvalidInput", "The emulator has no Tags here."),
        ("simulate_principal_policy", {"ResourcePolicy": "{}"}, "InvalidInput", "The emulator has no ResourcePolicy"),
        ("list_roles", {"Marker": "x"}, "ValidationError", "Invalid Marker."),
        ("tag_user", {"UserName": "ada", "Tags": TAG}, "InvalidAction", "Could not find operation TagUser"),
        (
            "create_open_id_connect_provider",
            {"Url": "https://a.example"},
            "InvalidAction",
            "Could not find operation CreateOpenIDConnectProvider",
        ),
    ],
)
def test_a_wrong_request_and_what_the_emulator_lacks_are_refused(
    iam, trust, read, refused, operation, arguments, code, message
):
    usual = {
        "create_role": {"RoleName": "r", "AssumeRolePolicyDocument": json.dumps(trust)},
        "create_policy": {"PolicyName": "p", "PolicyDocument": json.dumps(read)},
        "simulate_principal_policy": {"PolicySourceArn": f"{HERE}:role/r", "ActionNames": ["s3:GetObject"]},
    }
    actual = refused(getattr(iam, operation), **usual.get(operation, {}) | arguments)
    assert actual[0] == code
    assert message in actual[1]
    assert iam.list_roles()["Roles"] == []


def test_a_user_without_a_name_is_the_sender(iam, user, client_of, trust, sent_by, refused):
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    assert sent_by(key, "iam").get_user()["User"] == user == iam.get_user(UserName="ADA")["User"]
    assert refused(iam.get_user) == ("NoSuchEntity", "The user with name emulator cannot be found.")
    trust["Statement"][0]["Principal"] = {"AWS": "000000000000"}
    role = iam.create_role(RoleName="learner", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    answer = client_of("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="tuesday")
    assert refused(sent_by(answer["Credentials"], "iam").get_user) == (
        "ValidationError",
        "Must specify userName when calling with non-User credentials",
    )


def test_keys_are_listed_without_their_secret(iam, user, refused):
    keys = [iam.create_access_key(UserName="ada")["AccessKey"] for _ in range(2)]
    assert {(len(key["AccessKeyId"]), len(key["SecretAccessKey"])) for key in keys} == {(20, 40)}
    listed = iam.list_access_keys(UserName="ada")["AccessKeyMetadata"]
    assert listed == [{name: value for name, value in key.items() if name != "SecretAccessKey"} for key in keys]
    assert refused(iam.delete_access_key, UserName="ada", AccessKeyId="A" * 20)[0] == "NoSuchEntity"


def test_each_action_on_each_resource_is_simulated_with_the_context(iam, role, policy):
    passing = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::rocks/*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": passing},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName="learner", PolicyName="p", PolicyDocument=document)

    def decisions(*actions, service="sagemaker.amazonaws.com", **more):
        entry = {"ContextKeyName": "iam:PassedToService", "ContextKeyType": "string", "ContextKeyValues": [service]}
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role["Arn"], ActionNames=actions, ContextEntries=[entry], **more
        )
        return [result["EvalDecision"] for result in answer["EvaluationResults"]]

    resources = ["arn:aws:s3:::rocks/a", "arn:aws:s3:::other/a"]
    actual = decisions("s3:GetObject", "s3:PutObject", ResourceArns=resources)
    assert actual == ["allowed", "implicitDeny", "explicitDeny", "explicitDeny"]
    assert decisions("iam:PassRole") == ["allowed"]
    assert decisions("iam:PassRole", service="ec2.amazonaws.com") == ["implicitDeny"]


def test_identities_outlive_the_process_and_not_a_reset(virtual, iam, role, user, policy, read):
    iam.put_role_policy(RoleName="learner", PolicyName="p", PolicyDocument=json.dumps({**read, "Id": "inline"}))
    iam.attach_role_policy(RoleName="learner", PolicyArn=policy["Arn"])
    key = iam.create_access_key(UserName="ada")["AccessKey"]["AccessKeyId"]
    other = Account(virtual.directory)
    assert other.identities.principal(role["Arn"]).identity_policies == ({**read, "Id": "inline"}, read)
    assert other.identities.principal_of(key).arn == user["Arn"]
    other.close()
    virtual.reset()
    assert virtual.identities.principal_of(key) is None


def test_of_two_processes_that_create_the_same_role_one_is_refused(virtual, trust):
    other = Account(virtual.directory)
    statuses, together = [], threading.Barrier(2)
    fields = {"Action": "CreateRole", "RoleName": "learner", "AssumeRolePolicyDocument": json.dumps(trust)}
    request = Request("POST", "localhost", "/", headers={"authorization": SCOPE}, body=urlencode(fields).encode())

    def create(account):
        together.wait(timeout=30)
        statuses.append(account.handle(request).status)

    threads = [threading.Thread(target=create, args=(account,)) for account in (virtual, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409]
    assert len(Identities(virtual.state).roles("aws")) == 1
    other.close()
