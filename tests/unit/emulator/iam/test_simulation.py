"""SimulatePrincipalPolicy decides by the principal's own policies."""

import json

BUCKET = "arn:aws:s3:::rocks"


def decisions(iam, arn, actions, **more):
    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions, **more)
    assert answer["IsTruncated"] is False
    return [
        (result["EvalActionName"], result["EvalResourceName"], result["EvalDecision"])
        for result in answer["EvaluationResults"]
    ]


def test_each_action_on_each_resource_is_decided(iam, role):
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": f"{BUCKET}/*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName="learner", PolicyName="p", PolicyDocument=document)
    resources = [f"{BUCKET}/a", "arn:aws:s3:::other/a"]
    assert decisions(iam, role["Arn"], ["s3:GetObject", "s3:PutObject"], ResourceArns=resources) == [
        ("s3:GetObject", resources[0], "allowed"),
        ("s3:GetObject", resources[1], "implicitDeny"),
        ("s3:PutObject", resources[0], "explicitDeny"),
        ("s3:PutObject", resources[1], "explicitDeny"),
    ]


def test_the_context_of_the_request_counts(iam, user):
    condition = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    statement = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=document)
    for service, decision in (("sagemaker.amazonaws.com", "allowed"), ("ec2.amazonaws.com", "implicitDeny")):
        entry = {
            "ContextKeyName": "iam:PassedToService",
            "ContextKeyValues": [service],
            "ContextKeyType": "string",
        }
        assert decisions(iam, user["Arn"], ["iam:PassRole"], ContextEntries=[entry]) == [
            ("iam:PassRole", "*", decision)
        ]


def test_an_attached_policy_counts_in_the_version_that_applies(iam, role, policy, read):
    iam.attach_role_policy(RoleName="learner", PolicyArn=policy["Arn"])
    name = f"{BUCKET}/100% a+b/é1"
    assert decisions(iam, role["Arn"], ["s3:GetObject"], ResourceArns=[name])[0][2] == "allowed"
    read["Statement"][0]["Effect"] = "Deny"
    iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=json.dumps(read), SetAsDefault=True)
    assert decisions(iam, role["Arn"], ["s3:GetObject"], ResourceArns=[name])[0][2] == "explicitDeny"


def test_a_principal_that_does_not_exist_and_what_the_emulator_lacks_are_refused(iam, role, refused):
    absent = "arn:aws:iam::000000000000:role/none"
    assert refused(iam.simulate_principal_policy, PolicySourceArn=absent, ActionNames=["s3:GetObject"]) == (
        "NoSuchEntity",
        f"The principal {absent} cannot be found.",
    )
    given = {"PolicySourceArn": role["Arn"], "ActionNames": ["s3:GetObject"], "ResourcePolicy": "{}"}
    assert refused(iam.simulate_principal_policy, **given)[0] == "InvalidInput"
