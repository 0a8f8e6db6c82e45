"""The execution role: each way to have a wrong one is one failed line, and pasting its command corrects it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from asteroid_ll.aws.checks.roles import caller_checks, caller_of, role_checks, trust_problem
from asteroid_ll.aws.policy import caller_policy
from asteroid_ll.errors import ConfigError

SERVICE = {"Service": "sagemaker.amazonaws.com"}
ACTION = "sts:AssumeRole"


TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": SERVICE, "Action": ACTION}]}
)


def statement(effect="Allow", principal=SERVICE, action=ACTION, **condition):
    return {"Effect": effect, "Principal": principal, "Action": action, "Condition": condition}


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def results(desk):
    return {check.name: check for check in role_checks(desk.aws(), desk.scope)}


def test_a_role_as_the_printed_commands_make_it_passes_every_check(desk, passing, shape_of):
    desk.role()
    desk.user(passing)
    checks = results(desk)
    assert shape_of(checks.values()) == dict.fromkeys(("role", "trust", "role policy", "pass role"), "ok")
    assert checks["role"].fact == desk.scope.role_arn
    assert checks["pass role"].fact.startswith("arn:aws:iam::000000000000:user/me may pass")


def test_a_role_that_does_not_exist_fails_and_the_checks_of_it_say_so(desk, shape_of):
    checks = results(desk)
    assert shape_of(checks.values()) == {
        "role": "failed",
        **dict.fromkeys(("trust", "role policy", "pass role"), "unchecked"),
    }
    assert checks["role"].fact == "learner does not exist in account 000000000000"
    assert checks["role"].fixes == ("asteroid-ll iam setup --dry-run",)
    assert {checks[name].fact for name in ("trust", "role policy", "pass role")} == {"needs the role"}
    assert desk.operations == ["GetCallerIdentity", "GetRole"]


def test_a_role_that_trusts_someone_else_is_corrected_by_the_command(desk, passing):
    desk.role(trust=document(statement(principal={"Service": "ec2.amazonaws.com"})))
    desk.user(passing)
    trust = results(desk)["trust"]
    assert trust.fact == "the role's trust policy does not let sagemaker.amazonaws.com assume the role"
    desk.paste(*trust.fixes)
    assert {check.status for check in results(desk).values()} == {"ok"}


def test_a_role_that_may_not_read_the_bucket_is_corrected_by_the_command(desk, passing):
    desk.user(passing)
    desk.role(policy=document({"Effect": "Allow", "Action": ["logs:*", "cloudwatch:*", "ecr:*"], "Resource": "*"}))
    rights = results(desk)["role policy"]
    assert rights.status == "failed"
    assert rights.fact == "the role may not s3:ListBucket, s3:GetObject, s3:PutObject"
    desk.paste(*rights.fixes)
    assert {check.status for check in results(desk).values()} == {"ok"}


def test_against_an_explicit_deny_the_command_shows_the_policies(desk):
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    desk.role(policy=document({"Effect": "Allow", "Action": "*", "Resource": "*"}, deny))
    rights = results(desk)["role policy"]
    assert rights.fact == "the role may not s3:GetObject (an explicit deny)"
    assert rights.fixes == ("aws iam list-attached-role-policies --region us-east-1 --role-name learner",)


def test_a_caller_who_may_not_pass_the_role_gets_the_right_from_the_command(desk, passing):
    desk.role()
    others = [item for item in passing["Statement"] if "iam:PassRole" not in item["Action"]]
    desk.user({**passing, "Statement": others})
    check = results(desk)["pass role"]
    assert check.fact == "arn:aws:iam::000000000000:user/me may not iam:PassRole"
    assert "--policy-name asteroid-ll-pass-role " in check.fixes[0]  # not that of the caller's work
    desk.paste(*check.fixes)
    assert results(desk)["pass role"].status == "ok"


@pytest.mark.parametrize(
    ("in_batch", "missing"),
    [(True, "sagemaker:CreateTransformJob"), (False, "sagemaker:InvokeEndpoint"), (False, "s3:PutObject")],
)
def test_a_caller_who_may_not_do_what_a_run_does_late_is_warned_before_it_costs_money(desk, passing, in_batch, missing):
    desk.role()
    others = [{**item, "Action": [a for a in item["Action"] if a != missing]} for item in passing["Statement"]]
    desk.user({**passing, "Statement": [item for item in others if item["Action"]]})
    (check,) = caller_checks(desk.aws(), desk.scope, in_batch=in_batch)
    assert (check.status, check.fact) == ("warning", f"arn:aws:iam::000000000000:user/me may not {missing}")
    assert list(caller_checks(desk.aws(), desk.scope, in_batch=not in_batch)) == (
        [] if missing[:2] == "sa" else [check]
    )


def test_a_caller_with_the_printed_policy_is_not_warned(desk, passing):
    desk.role()
    desk.user(passing)
    assert not list(caller_checks(desk.aws(), desk.scope, in_batch=False))


def test_stages_that_run_as_jobs_need_the_right_to_start_them_and_a_role_that_reads_their_image(desk, passing):
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312"
    scope = replace(desk.scope, processing_image=image)
    desk.role()
    desk.user(passing)
    (caller,) = caller_checks(desk.aws(), scope, in_batch=False)
    assert (caller.status, caller.fact[-37:]) == ("warning", "may not sagemaker:CreateProcessingJob")
    rights = {check.name: check for check in role_checks(desk.aws(), scope)}["role policy"]
    assert "ecr:BatchGetImage" in rights.fact
    assert "logs:PutLogEvents" in rights.fact
    desk.paste(*rights.fixes)
    (started,) = (item for item in caller_policy(scope)["Statement"] if item["Sid"] == "Processing")
    added = json.dumps(document(started))
    desk.client("iam").put_user_policy(UserName="me", PolicyName="with-jobs", PolicyDocument=added)
    assert all(check.status == "ok" for check in role_checks(desk.aws(), scope))
    assert not list(caller_checks(desk.aws(), scope, in_batch=False))


def test_the_right_to_pass_the_role_to_another_service_is_not_enough(desk, passing):
    desk.role()
    right = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }
    desk.user(document(right))
    assert results(desk)["pass role"].status == "failed"


def test_a_role_with_another_path_has_another_arn(desk, passing):
    desk.client("iam").create_role(RoleName="learner", Path="/of/", AssumeRolePolicyDocument=TRUST)
    role = results(desk)["role"]
    assert role.fact.startswith("its ARN is arn:aws:iam::000000000000:role/of/learner, not ")
    assert role.fixes == ("asteroid-ll doctor --set role_arn=arn:aws:iam::000000000000:role/of/learner",)
    assert role.kind is ConfigError  # which has the exit code


def test_a_role_of_another_account_is_refused_before_iam_is_asked(desk, shape_of):
    scope = replace(desk.scope, role_arn="arn:aws:iam::123456789012:role/learner")
    checks = list(role_checks(desk.aws(), scope))
    assert shape_of(checks)["role"] == "failed"
    assert "is not in account 000000000000" in checks[0].fact
    assert checks[0].fixes == ("asteroid-ll iam setup --dry-run --set role_arn=auto --account 000000000000",)
    assert checks[0].kind is ConfigError
    assert desk.operations == ["GetCallerIdentity"]


@pytest.mark.parametrize(
    ("operation", "action", "names"),
    [
        ("GetRole", "iam:GetRole", ["role"]),
        ("SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy", ["role policy", "pass role"]),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_a_denied_question_names_its_action_and_fails_nothing(desk, passing, operation, action, names, is_named):
    desk.role()
    desk.user(passing)
    desk.refuse[operation] = action
    if not is_named:
        desk.denial = "Access Denied"
    checks = results(desk)
    assert {name: checks[name].fact for name in names} == dict.fromkeys(names, f"{action} is not allowed")
    assert {check.status for check in checks.values()} == {"ok", "unchecked"}


@pytest.mark.parametrize("path", ["/", "/aws-reserved/sso.amazonaws.com/"])
def test_the_session_of_a_role_counts_as_the_role_with_its_path(desk, path, monkeypatch):
    desk.client("iam").create_role(RoleName="admin", Path=path, AssumeRolePolicyDocument=TRUST)
    aws = desk.aws()
    monkeypatch.setattr(type(aws), "caller_arn", "arn:aws:sts::000000000000:assumed-role/admin/me")
    assert caller_of(aws) == f"arn:aws:iam::000000000000:role{path}admin"
    desk.refuse["GetRole"] = "iam:GetRole"
    assert caller_of(aws) == "arn:aws:iam::000000000000:role/admin"


def test_the_root_user_may_pass_every_role_and_a_federated_user_cannot_be_simulated(desk, monkeypatch):
    desk.role()
    aws = desk.aws()
    federated = "arn:aws:sts::000000000000:federated-user/x"
    for arn, status, fact in (
        ("arn:aws:iam::000000000000:root", "ok", "the root user may pass every role"),
        (federated, "unchecked", f"IAM cannot simulate {federated}"),
    ):
        monkeypatch.setattr(type(aws), "caller_arn", arn)
        check = {check.name: check for check in role_checks(aws, desk.scope)}["pass role"]
        assert (check.status, check.fact) == (status, fact)


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ([statement()], ""),
        ([statement(principal={"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]}, action=["sts:*"])], ""),
        ([statement(principal="*", action="*")], ""),
        ([statement(StringEquals={"aws:SourceAccount": "000000000000"})], ""),
        ([statement(ArnLike={"aws:SourceArn": "arn:aws:sagemaker:us-east-1:000000000000:*"})], ""),
        ([statement(StringEquals={"sts:ExternalId": "x"})], ""),
        ([], "does not let"),
        ([statement(action="sts:TagSession")], "does not let"),
        ([statement(principal={"AWS": "arn:aws:iam::000000000000:root"})], "does not let"),
        ([statement(StringEquals={"aws:SourceAccount": ["123456789012"]})], "only under a condition"),
        (
            [statement(StringEquals={"sts:ExternalId": "x", "aws:SourceAccount": "123456789012"})],
            "only under a condition",
        ),
        ([statement(StringNotEquals={"aws:SourceAccount": "000000000000"})], "only under a condition"),
        ([statement(), statement("Deny", principal="*")], "denies"),
    ],
)
def test_a_trust_policy_is_read_as_iam_reads_it(desk, statements, says):
    problem = trust_problem(document(*statements), desk.scope)
    assert (says in problem) if says else problem == ""
    if len(statements) == 1:
        assert trust_problem({"Statement": statements[0]}, desk.scope) == problem
