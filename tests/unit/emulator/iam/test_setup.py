"""Policies come from documents, files and names of AWS, and a wrong one is named."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from asteroid_ll import Emulator
from asteroid_ll.emulator.iam.evaluation import Principal, context_of, decide
from asteroid_ll.emulator.iam.language import problem_of
from asteroid_ll.emulator.iam.store import aws_policy
from asteroid_ll.errors import ConfigError

FULL_ACCESS = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
ROLE_ARN = "arn:aws:iam::000000000000:role/asteroid-ll"


def allow(*actions):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "cannot be used. No such file or directory."),
        (
            "{",
            "cannot be used. It is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 "
            "(char 1).",
        ),
        ('{"Version": "2012-10-17"}', "cannot be used. It has no Statement."),
        (
            '{"Statement": {"Effect": "Allow", "Action": "s3:*"}}',
            "cannot be used. Statement 1: It needs Resource or NotResource.",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_problem_and_nothing_is_created(tmp_path, text, what):
    path = tmp_path / "policy.json"
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as refused:
        Emulator(tmp_path / "state", caller_policies=[path])
    assert refused.value.what == f"The policy {path} {what}"
    assert refused.value.hint
    assert not (tmp_path / "state").exists()


def test_a_file_a_document_and_a_name_of_aws_are_policies(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(allow("s3:CreateBucket")), "utf-8")
    with Emulator(caller_policies=[str(path), allow("iam:*"), FULL_ACCESS]) as emulator:
        session = emulator.session()
        session.client("s3").create_bucket(Bucket="rocks")
        assert session.client("sagemaker").list_models()["Models"] == []
        names = session.client("iam").list_user_policies(UserName="emulator")["PolicyNames"]
        assert names == ["policy-1", "policy-2", "policy-3"]


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")]
)
def test_the_role_and_the_caller_are_in_the_partition_of_each_region(region, partition):
    place = f"arn:{partition}:iam::000000000000"
    own = {"Effect": "Allow", "Action": "iam:GetRole", "Resource": f"{place}:role/asteroid-ll"}
    with Emulator(caller_policies=[{"Version": "2012-10-17", "Statement": own}], role_policies=[]) as emulator:
        session = emulator.session(region)
        assert session.client("sts").get_caller_identity()["Arn"] == f"{place}:user/emulator"
        assert session.client("iam").get_role(RoleName="asteroid-ll")["Role"]["Arn"] == f"{place}:role/asteroid-ll"


def test_policies_stay_after_a_reset_and_for_the_next_program(tmp_path):
    with Emulator(tmp_path, caller_policies=[allow("s3:*")], role_policies=[]) as emulator:
        emulator.session().client("s3").create_bucket(Bucket="rocks")
        emulator.reset()
        assert emulator.session().client("s3").list_buckets()["Buckets"] == []
        with pytest.raises(ClientError, match="sagemaker:ListModels"):
            emulator.session().client("sagemaker").list_models()
    with Emulator(tmp_path, caller_policies=[allow("iam:*")]) as emulator:
        assert emulator.session().client("iam").get_role(RoleName="asteroid-ll")["Role"]["Arn"] == ROLE_ARN
        with pytest.raises(ClientError, match="s3:ListAllMyBuckets"):
            emulator.session().client("s3").list_buckets()


def test_a_reset_of_an_account_ends_the_evaluation(tmp_path):
    with Emulator(tmp_path, caller_policies=[]):
        pass
    with Emulator(tmp_path) as emulator:
        with pytest.raises(ClientError, match="no identity-based policy allows"):
            emulator.session().client("s3").list_buckets()
        emulator.reset()
        assert emulator.session().client("s3").list_buckets()["Buckets"] == []


def may(action, resource, **context):
    document = json.loads(aws_policy(FULL_ACCESS).body["document"])
    assert problem_of(document, kind="identity") == ""
    principal = Principal(arn=ROLE_ARN, user_id="", identity_policies=(document,))
    values = {**context_of(principal), **{key: (value,) for key, value in context.items()}}
    return decide(action=action, resource=resource, context=values, principal=principal).allowed


def test_full_access_of_sagemaker_is_not_full_access_to_s3():
    # AWS managed policy reference, "AmazonSageMakerFullAccess".
    assert may("sagemaker:CreateTrainingJob", "arn:aws:sagemaker:us-east-1:000000000000:training-job/x")
    assert not may("sagemaker:CreateApp", "arn:aws:sagemaker:us-east-1:000000000000:app/d/u/t/n")
    assert may("s3:GetObject", "arn:aws:s3:::my-sagemaker-data/x")
    assert may("s3:GetObject", "arn:aws:s3:::mine/SageMaker/x")
    assert not may("s3:GetObject", "arn:aws:s3:::mine/x")
    assert may("s3:GetObject", "arn:aws:s3:::mine/x", **{"s3:existingobjecttag/sagemaker": "TRUE"})
    assert may("s3:ListBucket", "arn:aws:s3:::mine")
    passed = {"iam:passedtoservice": "sagemaker.amazonaws.com"}
    assert may("iam:PassRole", ROLE_ARN, **passed)
    assert not may("iam:PassRole", ROLE_ARN)
    assert not may("iam:CreateRole", ROLE_ARN)
