"""Managed policies have up to five versions, one of which applies."""

import json


def test_a_policy_is_read_back(iam, policy, read, clock):
    assert policy["Arn"] == "arn:aws:iam::000000000000:policy/readers"
    again = iam.get_policy(PolicyArn=policy["Arn"])["Policy"]
    assert {**policy, "Tags": []} == again
    assert (again["DefaultVersionId"], again["AttachmentCount"], again["IsAttachable"]) == ("v1", 0, True)
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v1")["PolicyVersion"]
    assert (version["Document"], version["IsDefaultVersion"]) == (read, True)
    assert version["CreateDate"].timestamp() == clock.s


def test_a_policy_that_exists_is_refused(iam, policy, read, refused):
    assert refused(iam.create_policy, PolicyName="readers", PolicyDocument=json.dumps(read)) == (
        "EntityAlreadyExists",
        "A policy called readers already exists. Duplicate names are not allowed.",
    )


def test_a_policy_that_does_not_exist_is_not_found(iam, policy, refused):
    arn = "arn:aws:iam::000000000000:policy/none"
    assert refused(iam.get_policy, PolicyArn=arn) == ("NoSuchEntity", f"Policy {arn} was not found.")
    assert refused(iam.get_policy_version, PolicyArn=policy["Arn"], VersionId="v2") == (
        "NoSuchEntity",
        f"Policy {policy['Arn']} version v2 does not exist or is not attachable.",
    )


def test_the_version_that_applies_is_chosen_and_numbers_are_not_reused(iam, policy, read):
    arn, second = policy["Arn"], {**read, "Id": "second"}
    kept = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(read))["PolicyVersion"]
    assert (kept["VersionId"], kept["IsDefaultVersion"]) == ("v2", False)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(second), SetAsDefault=True)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(item["VersionId"], item["IsDefaultVersion"]) for item in versions] == [("v3", True), ("v1", False)]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v3"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v3")["PolicyVersion"]["Document"] == second


def test_a_sixth_version_is_refused(iam, policy, read, refused):
    for _ in range(4):
        iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=json.dumps(read))
    assert refused(iam.create_policy_version, PolicyArn=policy["Arn"], PolicyDocument=json.dumps(read)) == (
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing "
        "version.",
    )


def test_a_policy_in_use_is_not_deleted(iam, policy, role, read, refused):
    arn = policy["Arn"]
    iam.attach_role_policy(RoleName="learner", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=arn) == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    )
    iam.detach_role_policy(RoleName="learner", PolicyArn=arn)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(read))
    assert refused(iam.delete_policy, PolicyArn=arn)[1].startswith("This policy has more than one version.")
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v1") == (
        "DeleteConflict",
        "Cannot delete the default version of a policy.",
    )
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_policy, PolicyArn=arn)[0] == "NoSuchEntity"


def test_a_managed_policy_may_have_6144_characters_without_white_space(iam, read, refused):
    read["Statement"][0]["Sid"] = "x" * 6_144
    assert refused(iam.create_policy, PolicyName="p", PolicyDocument=json.dumps(read)) == (
        "LimitExceeded",
        "Cannot exceed quota for PolicySize: 6144",
    )


def test_a_policy_of_aws_is_attached_and_read_but_not_changed(iam, role, read, refused):
    arn = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    iam.attach_role_policy(RoleName="learner", PolicyArn=arn)
    described = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (described["PolicyName"], described["Path"], described["AttachmentCount"]) == (arn.split("/")[1], "/", 1)
    version = iam.get_policy_version(PolicyArn=arn, VersionId=described["DefaultVersionId"])["PolicyVersion"]
    assert "sagemaker:*" in version["Document"]["Statement"][0]["Action"]
    decided = iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=["sagemaker:ListModels"])
    assert decided["EvaluationResults"][0]["EvalDecision"] == "allowed"
    for change in (iam.create_policy_version, iam.delete_policy):
        arguments = {"PolicyDocument": json.dumps(read)} if change == iam.create_policy_version else {}
        assert refused(change, PolicyArn=arn, **arguments)[0] == "NoSuchEntity"
