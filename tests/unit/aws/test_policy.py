from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from botocore.loaders import Loader

from asteroid_ll.aws.policy import Scope, caller_policy, oidc_trust, role_policy, trust_policy
from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.images import ACCOUNT_BY_REGION

ACCOUNT_ID = "111122223333"
REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
IMAGE_ACCOUNT = "763104351884"
LONGEST = {"bucket": "b" * 63, "prefix": "x" * 256, "role_path": f"{'p' * 510}/", "role_name": "n" * 64}


def scope(partition="aws", *, bucket="b", prefix="p", role_path="", role_name="learner", **company):
    return Scope(
        bucket=bucket,
        swept_bucket=bucket,
        prefix=prefix,
        role_arn=f"arn:{partition}:iam::{ACCOUNT_ID}:role/{role_path}{role_name}",
        region=REGIONS[partition],
        account_id=ACCOUNT_ID,
        partition=partition,
        **company,
    )


def company(partition="aws", *, name="a"):
    """Keys of all three uses, with the longest names of aliases, and a VPC."""
    return {
        "volume_kms": KEY_ID,
        "output_kms": f"arn:{partition}:kms:{REGIONS[partition]}:{ACCOUNT_ID}:key/{KEY_ID}",
        "s3_kms": f"alias/{name}",
        "has_vpc": True,
    }


def with_jobs(partition="aws"):
    """The image of processing jobs."""
    suffix = ".cn" if partition == "aws-cn" else ""
    registry = f"{IMAGE_ACCOUNT}.dkr.ecr.{REGIONS[partition]}.amazonaws.com{suffix}"
    return {"processing_image": f"{registry}/pytorch-training:2.8.0-cpu-py312"}


def actions(document):
    return {action for statement in document["Statement"] for action in statement["Action"]}


def statement_of(document, action):
    (statement,) = (s for s in document["Statement"] if action in s["Action"])
    return statement


def size(document):
    """The length that IAM counts: without white space."""
    return len(re.sub(r"\s", "", json.dumps(document)))


@pytest.mark.parametrize("made", [caller_policy, role_policy])
@pytest.mark.parametrize("partition", REGIONS)
@pytest.mark.parametrize("image", [dict, with_jobs], ids=["local", "processing"])
def test_a_policy_follows_iams_grammar_in_every_partition(made, partition, image):
    document = made(scope(partition, **(image(partition) if image is with_jobs else {})))
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    for statement in document["Statement"]:
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Sid"].isalnum()
        assert statement["Effect"] == "Allow"
        for resource in statement["Resource"]:
            role_or_user = r"(role/learner|user\*/\$\{aws:username\})"
            arn = rf"arn:{partition}:(s3:::b(/p/\*)?|iam::{ACCOUNT_ID}:{role_or_user}|[a-z]+:({REGIONS[partition]}|\*)"
            assert re.fullmatch(rf"\*|{arn}:[0-9]{{12}}:[a-z*-]+[/:].+)", resource), resource


@pytest.mark.parametrize("made", [caller_policy, role_policy])
def test_every_action_is_an_operation_of_its_service_or_a_permission_without_one(made):
    loader = Loader()
    models = {"sagemaker": ("sagemaker", "sagemaker-runtime"), "servicequotas": ("service-quotas",)}
    # Service Authorization Reference: actions that are not the names of operations.
    others = {"s3:ListBucket", "s3:ListBucketMultipartUploads", "iam:PassRole"}
    others |= {"s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock"}
    for action in actions(made(scope(**company(), **with_jobs()))) - others:
        service, operation = action.split(":")
        names = [loader.load_service_model(name, "service-2") for name in models.get(service, (service,))]
        assert any(operation in model["operations"] for model in names), action


@pytest.mark.parametrize("partition", REGIONS)
def test_documents_of_the_longest_names_fit_the_limits_of_iam(partition):
    # IAM user guide, "IAM and AWS STS quotas": managed policy 6,144, inline policies of a role 10,240, trust 2,048.
    longest = scope(partition, **LONGEST, **with_jobs(partition))
    assert size(caller_policy(longest)) <= 6_144
    assert size(role_policy(longest)) <= 10_240
    assert size(trust_policy(longest)) <= 2_048
    repo = f"{'o' * 39}@{'1' * 12}/{'n' * 100}@{'1' * 12}"
    assert size(oidc_trust(longest, repo=repo, environment="e" * 255)) <= 2_048


def test_only_listings_prices_and_quotas_of_the_caller_have_every_resource():
    for statement in caller_policy(scope())["Statement"]:
        if "*" in statement["Resource"]:
            assert all(
                re.match(
                    r"\w+:List|logs:DescribeLogGroups$|pricing:GetProducts$|servicequotas:Get(AWSDefault)?ServiceQuota$",
                    action,
                )
                for action in statement["Action"]
            )


def test_only_one_role_can_be_passed_and_only_to_sagemaker():
    passing = statement_of(caller_policy(scope()), "iam:PassRole")
    assert passing["Resource"] == [f"arn:aws:iam::{ACCOUNT_ID}:role/learner"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


@pytest.mark.parametrize("made", [caller_policy, role_policy])
def test_no_action_is_a_wildcard(made):
    assert not any("*" in action for action in actions(made(scope())))


@pytest.mark.parametrize("made", [caller_policy, role_policy])
def test_objects_outside_the_prefix_are_out_of_reach(made):
    assert statement_of(made(scope()), "s3:PutObject")["Resource"] == ["arn:aws:s3:::b/p/*"]
    assert statement_of(made(scope(prefix="")), "s3:PutObject")["Resource"] == ["arn:aws:s3:::b/*"]


def test_a_star_in_the_prefix_is_only_a_star():
    # IAM user guide, "IAM policy elements: Variables and tags": ${*} is the character.
    assert statement_of(role_policy(scope(prefix="a*b")), "s3:GetObject")["Resource"] == ["arn:aws:s3:::b/a${*}b/*"]


def test_a_sweep_may_look_in_every_region_but_touch_only_our_names():
    for sid in ("Sweep", "SweepLogs"):
        (statement,) = (s for s in caller_policy(scope())["Statement"] if s["Sid"] == sid)
        assert all(f":*:{ACCOUNT_ID}:" in resource for resource in statement["Resource"])
        assert all(resource.endswith("asteroid-ll-*") for resource in statement["Resource"])


def test_only_a_sweep_needs_the_statements_that_the_documentation_calls_its_own():
    document = caller_policy(scope())
    page = (Path(__file__).resolve().parents[3] / "docs" / "aws.md").read_text("utf-8")
    named = page[page.index("the statements `Sweep`") : page.index("are for [sweep]")]
    others = [statement for statement in document["Statement"] if f"`{statement['Sid']}`" not in named]
    assert len(document["Statement"]) - len(others) == 6
    without = actions({"Statement": others})
    assert actions(document) - without == {"logs:DescribeLogGroups", "logs:DeleteLogStream", "logs:DeleteLogGroup"}


def test_the_execution_role_has_exactly_the_actions_that_aws_lists():
    # SageMaker developer guide, "SageMaker Roles", sections CreateTrainingJob API and CreateModel API.
    assert actions(role_policy(scope())) == {
        "cloudwatch:PutMetricData",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "logs:CreateLogGroup",
        "logs:DescribeLogStreams",
        "s3:GetObject",
        "s3:PutObject",
        "s3:ListBucket",
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage",
    }


def test_the_execution_role_reads_one_image_and_writes_metrics_of_sagemaker_alone():
    document = role_policy(scope("aws-cn"))
    assert statement_of(document, "ecr:BatchGetImage")["Resource"] == [
        f"arn:aws-cn:ecr:cn-north-1:{ACCOUNT_BY_REGION['cn-north-1']}:repository/linear-learner"
    ]
    everywhere = [statement for statement in document["Statement"] if statement["Resource"] == ["*"]]
    assert [statement["Action"] for statement in everywhere] == [
        ["cloudwatch:PutMetricData"],
        ["ecr:GetAuthorizationToken"],
    ]
    assert everywhere[0]["Condition"] == {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}


def test_only_a_configuration_with_processing_jobs_may_start_them_pull_their_image_and_read_their_log():
    local, remote = scope("aws-cn"), scope("aws-cn", **with_jobs("aws-cn"))
    assert actions(caller_policy(remote)) - actions(caller_policy(local)) == {"sagemaker:CreateProcessingJob"}
    assert statement_of(caller_policy(remote), "sagemaker:CreateProcessingJob")["Resource"] == [
        f"arn:aws-cn:sagemaker:cn-north-1:{ACCOUNT_ID}:processing-job/asteroid-ll-*"
    ]
    assert actions(role_policy(remote)) == actions(role_policy(local))
    image = f"arn:aws-cn:ecr:cn-north-1:{IMAGE_ACCOUNT}:repository/pytorch-training"
    logs = f"arn:aws-cn:logs:cn-north-1:{ACCOUNT_ID}:log-group:/aws/sagemaker/ProcessingJobs:*"
    for policy, action, arn in (
        (caller_policy, "logs:GetLogEvents", logs),
        (role_policy, "ecr:BatchGetImage", image),
        (role_policy, "logs:PutLogEvents", logs),
    ):
        allowed = [set(statement_of(policy(where), action)["Resource"]) for where in (local, remote)]
        assert allowed[1] - allowed[0] == {arn}


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("111122223333.dkr.ecr.us-east-1.amazonaws.com/team/stages", "team/stages"),
        ("111122223333.dkr.ecr.us-east-1.amazonaws.com/stages@sha256:0123", "stages"),
        ("111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/stages:1.0", "stages"),
        ("111122223333.dkr.ecr.us-east-1.c2s.ic.gov/stages:1.0", "stages"),
    ],
)
def test_the_role_reads_the_image_of_the_configuration(image, repository):
    allowed = statement_of(role_policy(scope(processing_image=image)), "ecr:BatchGetImage")["Resource"]
    assert f"arn:aws:ecr:us-east-1:111122223333:repository/{repository}" in allowed


def test_an_image_that_is_not_in_ecr_has_no_policy_for_the_role():
    with pytest.raises(ConfigError, match=r"'processing.image_uri' has no image of Amazon ECR, but 'python:3.12'"):
        role_policy(scope(processing_image="python:3.12"))


def test_a_region_without_an_image_has_no_policy_for_the_role():
    somewhere = Scope(
        bucket="b", swept_bucket="b", prefix="p", role_arn="r", region="mx-central-1", account_id=ACCOUNT_ID
    )
    with pytest.raises(ConfigError, match="No Linear Learner image is known for region 'mx-central-1'"):
        role_policy(somewhere)


def test_only_sagemaker_may_assume_the_execution_role_and_only_for_this_account():
    assert trust_policy(scope())["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT_ID}},
        }
    ]


@pytest.mark.parametrize(
    ("repo", "place", "operator", "subject"),
    [
        ("me/rocks", {}, "StringEquals", "repo:me/rocks:ref:refs/heads/main"),
        ("me/rocks", {"branch": "release/2.x"}, "StringEquals", "repo:me/rocks:ref:refs/heads/release/2.x"),
        ("me/rocks", {"environment": "to AWS"}, "StringEquals", "repo:me/rocks:environment:to AWS"),
        ("me/rocks", {"branch": "release/*"}, "StringLike", "repo:me/rocks:ref:refs/heads/release/*"),
        ("me@12/rocks@34", {}, "StringEquals", "repo:me@12/rocks@34:ref:refs/heads/main"),
    ],
    ids=["default", "branch", "environment", "branches", "numbers"],
)
def test_a_role_for_github_trusts_one_repository_and_place(repo, place, operator, subject):
    # GitHub, "OpenID Connect reference": the forms of the subject, that with numbers since July 2026.
    (statement,) = oidc_trust(scope("aws-us-gov"), repo=repo, **place)["Statement"]
    host = "token.actions.githubusercontent.com"
    assert statement["Principal"] == {"Federated": f"arn:aws-us-gov:iam::{ACCOUNT_ID}:oidc-provider/{host}"}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"]["StringEquals"][f"{host}:aud"] == "sts.amazonaws.com"
    assert statement["Condition"][operator][f"{host}:sub"] == subject
    assert sum(len(keys) for keys in statement["Condition"].values()) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        *({"repo": repo} for repo in ("me", "me/", "/rocks", "me/*", "*/rocks", "me/a/b", "me/${x}", "me@1/rocks", "")),
        *({"repo": "me/rocks", "branch": branch} for branch in ("", "a b", "a:b", "${x}", "a?", "main\n")),
        *({"repo": "me/rocks", "environment": name} for name in ("", "a:b", "*", "${x}", "e" * 256)),
        {"repo": "me/rocks", "branch": "main", "environment": "production"},
    ],
    ids=str,
)
def test_a_name_that_would_trust_more_than_one_place_is_refused(wrong):
    with pytest.raises(ConfigError):
        oidc_trust(scope(), **wrong)


@pytest.mark.parametrize("partition", REGIONS)
def test_documents_with_keys_and_names_of_usual_length_fit_the_limits_too(partition):
    usual = {"bucket": "b" * 63, "prefix": "x" * 64, "role_path": "service-role/", "role_name": "n" * 64}
    with_keys = scope(partition, **usual, **company(partition, name="a" * 64), **with_jobs(partition))
    assert size(caller_policy(with_keys)) <= 6_144
    assert size(role_policy(with_keys)) <= 10_240


def test_keys_that_are_set_and_only_these_can_be_used():
    caller, role = caller_policy(scope(**company())), role_policy(scope(**company()))
    key = f"arn:aws:kms:us-east-1:{ACCOUNT_ID}:key/{KEY_ID}"
    used = {
        "KeyOfUploads": ({"kms:GenerateDataKey", "kms:Decrypt"}, {"kms:Decrypt"}),
        "KeyOfModels": ({"kms:GenerateDataKey", "kms:Decrypt"}, {"kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"}),
        "KeyOfDisks": ({"kms:CreateGrant", "kms:DescribeKey"}, {"kms:CreateGrant", "kms:DescribeKey"}),
    }
    for number, document in enumerate((caller, role)):
        by_sid = {statement["Sid"]: statement for statement in document["Statement"]}
        for sid, expected in used.items():
            assert set(by_sid[sid]["Action"]) == expected[number]
        assert by_sid["KeyOfModels"]["Resource"] == by_sid["KeyOfDisks"]["Resource"] == [key]
        # KMS developer guide, "Use aliases to control access to KMS keys".
        assert by_sid["KeyOfUploads"]["Resource"] == [f"arn:aws:kms:us-east-1:{ACCOUNT_ID}:key/*"]
        assert by_sid["KeyOfUploads"]["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/a"}}
    assert not {a for a in actions(caller_policy(scope())) | actions(role_policy(scope())) if a.startswith("kms:")}


def test_only_the_role_of_a_run_in_a_vpc_makes_network_interfaces():
    # SageMaker developer guide, "SageMaker Roles": what a job in a VPC needs.
    needed = {
        *("ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"),
        *("ec2:DeleteNetworkInterfacePermission", "ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs"),
        *("ec2:DescribeDhcpOptions", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
    }
    assert needed < actions(role_policy(scope(has_vpc=True)))
    assert not needed & (actions(role_policy(scope())) | actions(caller_policy(scope(has_vpc=True))))
